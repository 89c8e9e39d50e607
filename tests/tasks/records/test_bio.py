import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities

from ctxlab.tasks.records.bio import Span, entity_types, from_scheme, is_tag, repair, spans, tag_set

tags = st.lists(st.sampled_from(["O", "B-X", "I-X", "B-Y", "I-Y"]), max_size=30)


def test_repair_by_hand():
    assert repair(["I-X", "I-X", "O", "B-X", "I-Y", "I-X", "I-X", "O", "I-Y"]) == (
        ["B-X", "I-X", "O", "B-X", "B-Y", "B-X", "I-X", "O", "B-Y"],
        4,
    )


@given(tags)
def test_repair_keeps_what_conlleval_reads(given_tags):
    # seqeval's default mode is a port of conlleval, which accepts any order of tags.
    repaired, changed = repair(given_tags)
    assert [(s.type, s.start, s.end - 1) for s in spans(repaired)] == get_entities(given_tags)
    assert changed == sum(a != b for a, b in zip(given_tags, repaired, strict=True))
    assert repair(repaired) == (repaired, 0)


def test_spans_at_the_ends_and_side_by_side():
    assert spans(["B-X", "B-X", "I-X", "B-Y"]) == [Span(0, 1, "X"), Span(1, 3, "X"), Span(3, 4, "Y")]
    assert spans([]) == []


def test_tags_and_types():
    assert [is_tag(t) for t in ("O", "B-X", "I-A-B", "B-", "b-X", "X", "", "S-X", "BX")] == [True] * 3 + [False] * 6
    assert entity_types(["O", "B-A-B", "I-Y"]) == {"A-B", "Y"}
    assert tag_set(["Y", "X"]) == ["O", "B-X", "I-X", "B-Y", "I-Y"]


def begun(sentences):
    """IOB1 of sentences of ``(type, length)``: ``B-`` only between neighbours of one type (Ramshaw and Marcus 1995)."""
    tags, starts = [], []
    for sentence in sentences:
        starts.append(len(tags))
        before = None
        for kind, length in sentence:
            first = "O" if kind is None else f"{'B' if kind == before else 'I'}-{kind}"
            tags += [first, *(["O" if kind is None else f"I-{kind}"] * (length - 1))]
            before = kind
    return tags, starts


entities = st.tuples(st.sampled_from([None, "X", "Y"]), st.integers(1, 3))
sentences = st.lists(st.lists(entities, min_size=1, max_size=4), min_size=1, max_size=5)


@given(sentences)
def test_iob1_ends_with_its_sentence(given_sentences):
    """The expected entities are those that the tags were written from; seqeval also reads sentence by sentence."""
    tags, starts = begun(given_sentences)
    expected, position = [], 0
    for sentence in given_sentences:
        for kind, length in sentence:
            if kind is not None:
                expected.append(Span(position, position + length, kind))
            position += length
    assert spans(repair(tags, starts)[0]) == expected
    one_by_one = [
        Span(start + first, start + last + 1, kind)
        for start, end in zip(starts, [*starts[1:], len(tags)], strict=True)
        for kind, first, last in get_entities(tags[start:end])
    ]
    assert one_by_one == expected


def test_iob2_continues_past_a_cut_sentence():
    # A splitter that cuts after "Mr." must not cut the name.
    assert repair(["B-X", "I-X", "O"], [0, 1]) == (["B-X", "I-X", "O"], 0)
    assert repair(["B-X", "I-X", "O", "I-Y"], [0, 1]) == (["B-X", "B-X", "O", "B-Y"], 2)


@pytest.mark.parametrize(
    ("written", "expected", "scheme"),
    [
        ("B-A M-A E-A S-B O", "B-A I-A I-A B-B O", "BMES"),
        ("B-A I-A E-A S-B O B-B E-B", "B-A I-A I-A B-B O B-B I-B", "BIOES"),
        ("B-A I-A L-A U-B U-B", "B-A I-A I-A B-B B-B", "BILOU"),
        ("W-A B-A M-A E-A", "B-A B-A I-A I-A", "BMEWO"),
        # an entity that has ended does not go on, and one that never began begins
        ("B-A E-A E-A O M-B E-B", "B-A I-A B-A O B-B I-B", "BMES"),
        ("B-A E-B", "B-A B-B", "BIOES"),
        ("B-A I-A O", "B-A I-A O", ""),
        ("Q-A E-A", "Q-A E-A", ""),
        ("B_A I_A O B_B_C", "B-A I-A O B-B_C", "BIO with underscores"),
        ("B_A M_A E_A S_B", "B-A I-A I-A B-B", "BMES"),
        ("B_A I-A", "B_A I-A", ""),
        ("O", "O", ""),
    ],
)
def test_other_schemes_become_bio(written, expected, scheme):
    found, name = from_scheme(written.split())
    assert (" ".join(found), name) == (expected, scheme)
