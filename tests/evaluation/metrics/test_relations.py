"""Scores of relations, worked by hand on five documents."""

import json

import pytest

from ctxlab.core.types import Document, Prediction
from ctxlab.evaluation.metrics.relations import score
from ctxlab.tasks.records.mentions import Answer


def case(name, num_words, starts, gold, said, stated=(), seen=None):
    """A document whose entities have mentions of one word at ``starts``, and an answer."""
    entities = [{"type": "X", "mentions": [(at, at + 1) for at in own]} for own in starts]
    fields = {"tokens": ["w"] * num_words, "entities": entities, "relations": gold}
    answer = Answer(tuple(said), (1.0,) * len(said), tuple(fact in stated for fact in gold))
    return Document(name, fields, name), Prediction(name, answer, [True] * len(gold) if seen is None else seen)


FIVE = [
    # Both right; training states one of them.
    case("a", 100, [[0], [4, 50], [90]], [(0, 1, "r"), (1, 2, "s")], [(0, 1, "r"), (1, 2, "s")], [(0, 1, "r")]),
    # Head and tail the wrong way round, and one more that is right.
    case("b", 100, [[10], [20]], [(0, 1, "r"), (0, 1, "s")], [(1, 0, "r"), (0, 1, "s")]),
    # A wrong label, of a fact that training states: it counts as missed and as invented, in both scores.
    case("c", 300, [[0], [299]], [(0, 1, "r")], [(0, 1, "s")], [(0, 1, "r")]),
    # Nothing given; one end was not seen.
    case("d", 300, [[0], [200]], [(0, 1, "t")], [], seen=[False]),
    # Nothing to give, one invented.
    case("e", 300, [[0], [8]], [], [(0, 1, "r")]),
]


def table(scores, name):
    (found,) = [t for t in scores.tables if t.name == name]
    return {row[0]: dict(zip(found.columns, row, strict=True)) for row in found.rows}


def test_five_documents_by_hand():
    scores = score(*zip(*FIVE, strict=True))
    # Right 3 of 6 given and 6 gold; without the one right one that training states: precision 2 of 5, recall still 3/6.
    assert scores.metrics == pytest.approx(
        {"precision": 3 / 6, "recall": 3 / 6, "f1": 1 / 2, "ign_f1": 2 * 0.4 * 0.5 / 0.9}
    )
    assert scores.coverage_labels == pytest.approx(5 / 6)
    overall = table(scores, "overall")
    assert overall["all"]["gold"] == 6
    assert overall["not in training (Ign)"]["gold"] == 4
    assert overall["not in training (Ign)"]["precision"] == pytest.approx(2 / 5)
    rows = table(scores, "per_relation")
    assert list(rows) == ["r", "s", "t"]
    assert (rows["r"]["gold"], rows["r"]["precision"], rows["r"]["recall"]) == (3, 1 / 3, 1 / 3)
    assert (rows["s"]["gold"], rows["s"]["precision"], rows["s"]["recall"]) == (2, 2 / 3, 1)
    assert (rows["t"]["gold"], rows["t"]["f1"]) == (1, 0)
    assert "have 2 of the 6" in scores.notes[0]
    json.dumps([scores.metrics, [list(map(list, t.rows)) for t in scores.tables]])


def test_breakdowns():
    scores = score(*zip(*FIVE, strict=True))
    lengths = table(scores, "by_length")
    assert {name: row["gold"] for name, row in lengths.items()} == {"1–128": 4, "257–512": 2}
    assert lengths["1–128"]["f1"] == pytest.approx(2 * 3 / 8)
    # Nearest mentions: a 4 and 40 words, b 10 (three facts), c 299, d 200, e 8.
    distances = table(scores, "by_evidence")
    assert {name: row["gold"] for name, row in distances.items()} == {"0–8": 1, "9–32": 2, "33–128": 1, "129–512": 2}
    assert distances["0–8"]["precision"] == 1 / 2
    # Midway between them: a 2 % and 70 %, b 15 %, c 49 %, d 33 %, e 1 %.
    places = table(scores, "by_position")
    assert {name: row["gold"] for name, row in places.items()} == {
        "0–10 %": 1, "10–20 %": 2, "30–40 %": 1, "40–50 %": 1, "70–80 %": 1,
    }  # fmt: skip
    for rows in (lengths, distances, places):
        assert all(row["low"] is None or row["low"] <= row["f1"] <= row["high"] for row in rows.values())
    assert (distances["0–8"]["low"], distances["0–8"]["high"]) == (0, 1), "of two documents with facts"
    assert places["70–80 %"]["low"] is None, "of one"


def test_perfect_empty_and_nothing_to_find():
    documents = [document for document, _ in FIVE]
    gold = [document.fields["relations"] for document in documents]
    whole = [case(d.id, 300, [[0], [1], [2]], g, g) for d, g in zip(documents, gold, strict=True)]
    assert set(score(*zip(*whole, strict=True)).metrics.values()) == {1}
    empty = [case(d.id, 300, [[0], [1], [2]], g, []) for d, g in zip(documents, gold, strict=True)]
    assert set(score(*zip(*empty, strict=True)).metrics.values()) == {0}
    none = score(*zip(*[case("x", 3, [], [], [])], strict=True))
    assert none.coverage_labels == 1
    assert "no gold relation" in none.notes[0]


def test_all_right_and_all_stated_in_training():
    """No prediction is left for the precision, so the score is 0, as in the published script."""
    known = [case("x", 10, [[0], [5]], [(0, 1, "r")], [(0, 1, "r")], [(0, 1, "r")])]
    assert score(*zip(*known, strict=True)).metrics == {"precision": 1, "recall": 1, "f1": 1, "ign_f1": 0}


def test_an_answer_of_another_document_is_a_mistake():
    with pytest.raises(ValueError, match="gold relations"):
        score([FIVE[0][0]], [FIVE[4][1]])
