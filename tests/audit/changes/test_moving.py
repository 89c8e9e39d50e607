"""Evidence moved inside its document: the same sentences, in another order, with all places on the same words."""

import pytest

from ctxlab.audit.changes.moving import movable, moved
from ctxlab.core.types import Document
from ctxlab.tasks.classification import Classification
from ctxlab.tasks.probe import Probe
from ctxlab.tasks.qa import QA

TEXT = "Rain fell .  It was late .\nThe key is 7 . Nobody came ."
TASK = Classification(labels=["x"])


EVIDENCE = TEXT.index("The key"), TEXT.index(" Nobody")


def document(text=TEXT, start=EVIDENCE[0], end=EVIDENCE[1]):
    return Document("a", {"text": text, "gold": ("x",), "probes": [{"start": start, "end": end, "distance": 0}]}, "")


def test_the_sentence_stands_where_it_was_sent_and_gaps_stay():
    one = movable(document(), TASK)
    assert one.num_places == 4
    expected = {
        0.0: "The key is 7 .  Rain fell .\nIt was late . Nobody came .",
        1 / 3: "Rain fell .  The key is 7 .\nIt was late . Nobody came .",
        2 / 3: TEXT,
        1.0: "Rain fell .  It was late .\nNobody came . The key is 7 .",
    }
    for share, text in expected.items():
        form = moved(one, share, TASK)
        assert form.fields["text"] == text
        piece = form.fields["probes"][0]
        assert form.fields["text"][piece["start"] : piece["end"]] == "The key is 7 ."
        assert piece["distance"] == 0


def test_an_answer_moves_with_its_sentence():
    start = TEXT.index("7")
    fields = {"context": TEXT, "question": "q", "answers": [{"text": "7", "start": start, "end": start + 1}]}
    one = movable(Document("a", {**fields, "text_starts": [0]}, ""), QA())
    for share in (0.0, 0.5, 1.0):
        form = moved(one, share, QA())
        answer = form.fields["answers"][0]
        assert form.fields["context"][answer["start"] : answer["end"]] == "7"
        assert form.fields["text_starts"] == [0]
    assert movable(Document("a", {**fields, "text_starts": [0, 11]}, ""), QA()) is None  # several texts


def test_the_spans_of_a_probe_move():
    start = TEXT.index("7")
    probe = Document("a", {"text": TEXT, "question": "q", "spans": [[start, start + 1]]}, "")
    task = Probe(form="classification", labels=["7"])
    form = moved(movable(probe, task), 0.0, task)
    (span,) = form.fields["spans"]
    assert form.fields["text"][span[0] : span[1]] == "7"
    assert span[0] < 15


@pytest.mark.parametrize(
    "given",
    [Document("a", {"text": TEXT, "gold": ("x",)}, ""), document("One sentence only .", 0, 19)],
    ids=["no evidence", "nothing else"],
)
def test_documents_without_evidence_or_other_sentences_are_not_movable(given):
    assert movable(given, TASK) is None
