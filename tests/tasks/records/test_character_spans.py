"""Entities as character offsets to tags of words: by hand, and back to the same characters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxlab.core.errors import UserError
from ctxlab.tasks.ner import NER
from ctxlab.tasks.records.bio import spans
from ctxlab.tasks.records.character_spans import CharacterSpan, checked_spans, tagged_words

TEXT = "Ora Lund went to New-Tarn."


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([(0, 8, "P")], [("Ora", "B-P"), ("Lund", "I-P")]),
        ([(0, 3, "P"), (4, 8, "P")], [("Ora", "B-P"), ("Lund", "B-P")]),
        ([(4, 8, "P"), (0, 3, "P")], [("Ora", "B-P"), ("Lund", "B-P")]),
        ([(17, 25, "L"), (21, 25, "M")], [("New", "B-L"), ("-", "I-L"), ("Tarn", "I-L")]),
        ([(0, 2, "P")], [("Or", "B-P")]),
        ([(1, 6, "P")], [("ra", "B-P"), ("Lu", "I-P")]),
        ([(0, 4, "P")], [("Ora", "B-P")]),  # with the blank after it
        ([], []),
    ],
)
def test_by_hand(spans, expected):
    given_ = [{"start": a, "end": b, "label": t} for a, b, t in spans]
    document = NER().parse({"text": TEXT, "spans": given_}, "a line 1", gold=True)
    pairs = zip(document.fields["tokens"], document.fields["tags"], strict=True)
    assert [pair for pair in pairs if pair[1] != "O"] == expected
    assert [TEXT[a:b] for a, b in document.fields["offsets"]] == document.fields["tokens"]


def test_left_out_or_cut_entities_are_reported_once():
    task = NER()
    for _ in range(2):
        overlapping = [{"start": 0, "end": 8, "label": "P"}, {"start": 4, "end": 6, "label": "Q"}]
        task.parse({"text": TEXT, "spans": overlapping}, "a line 1", gold=True)
        task.parse({"text": TEXT, "spans": [{"start": 5, "end": 8, "label": "P"}]}, "a line 2", gold=True)
    assert len(task.notes) == 2
    assert task.notes[0].startswith("2 entities overlap a longer one")
    assert task.notes[1].startswith("2 words were split")


@given(st.text("ab .é🚢", min_size=1, max_size=30), st.data())
def test_entities_are_mapped_back_to_their_characters(text, data):
    """Spans that share no character are all kept, whatever words they split."""
    borders = data.draw(st.lists(st.integers(0, len(text)), max_size=8, unique=True).map(sorted))
    marked = [(a, b) for a, b in zip(borders[::2], borders[1::2], strict=False) if text[a:b].strip()]
    rows = [{"start": a, "end": b, "label": "X"} for a, b in marked]
    found = tagged_words(text, checked_spans(rows, "spans", text, "a"))
    places = [(found.offsets[s.start][0], found.offsets[s.end - 1][1]) for s in spans(found.tags)]
    assert [text[a:b] for a, b in places] == [text[a:b].strip() for a, b in marked]
    assert "".join(found.words) == "".join(text.split())


def test_words_that_are_given_are_kept():
    found = tagged_words("don't go", [CharacterSpan(0, 5, "X")], [(0, 2), (2, 5), (6, 8)])
    assert (found.words, found.tags) == (["do", "n't", "go"], ["B-X", "I-X", "O"])


@pytest.mark.parametrize(
    ("spans_", "says"),
    [
        ([{"start": 0, "end": 99, "label": "P"}], r"'spans\[0\]' .* 0 to 99 of a text of 26"),
        ([{"start": 3, "end": 3, "label": "P"}], "3 to 3"),
        ([{"start": -1, "end": 3, "label": "P"}], "-1 to 3"),
        ([{"start": "0", "end": 3, "label": "P"}], "characters 0 to 3"),
        ([{"start": 3, "end": 4, "label": "P"}], "only white space"),
        ([{"start": 0, "end": 3, "label": None}], r"'spans\[0\]\.label'"),
        ([{"start": 0, "end": 3}], r"'spans\[0\]'"),
        ([3], r"'spans\[0\]'"),
    ],
)
def test_invalid_spans_are_named(spans_, says):
    with pytest.raises(UserError, match=says):
        NER().parse({"text": TEXT, "spans": spans_}, "a line 1", gold=True)
    assert NER().parse({"text": TEXT, "spans": spans_}, "a line 1", gold=False).fields["tokens"][0] == "Ora"
