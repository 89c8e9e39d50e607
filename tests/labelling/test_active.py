"""The queue of a reviewer: its order, and what is read back or refused."""

import json
import math
from pathlib import Path

import pytest

from ctxlab.core.errors import UserError
from ctxlab.labelling.active import Active
from ctxlab.tasks.ner import NER
from tests.labelling.guesses import ENTITIES, ONE, SEVERAL, classified, pool, tagged

GUESSES = [
    tagged("sure", [("B-PER", 0.99), ("O", 0.99)]),
    tagged("unsure", [("B-PER", 0.5), ("O", 0.4)]),
    tagged("long", [("O", 0.9)] * 50),  # more in sum than "unsure", less a word
]


def ids(found):
    return [line["id"] for line in found.lines]


def write(path: Path, lines) -> str:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(path)


@pytest.mark.parametrize("strategy", ["entropy", "margin"])
def test_the_least_sure_come_first(strategy):
    found = Active(strategy, count=2).label(pool(ENTITIES, GUESSES))
    assert ids(found) == ["unsure", "long"]
    assert [line["reviewed"] for line in found.lines] == [False, False]
    assert found.lines[0]["answer"] == [{"type": "PER", "start": 0, "end": 1, "text": "w0"}]
    assert found.lines[0]["suggestions"][0]["confidence"] == 0.5


def test_entropy_and_margin_order_differently_where_they_should():
    """Two alternatives alike and a third impossible: the largest margin, not the largest entropy."""
    guesses = [classified("two", [0.5, 0.49, 0.01]), classified("three", [0.4, 0.32, 0.28])]
    assert ids(Active("margin", count=2).label(pool(ONE, guesses))) == ["two", "three"]
    assert ids(Active("entropy", count=2).label(pool(ONE, guesses))) == ["three", "two"]
    found = Active("entropy", count=1).label(pool(ONE, guesses)).lines[0]
    assert found["score"] == pytest.approx(-sum(p * math.log(p) for p in (0.4, 0.32, 0.28)), abs=1e-6)


def test_several_labels_are_independent():
    guesses = [classified("a", [0.9, 0.9, 0.9], several=True), classified("b", [0.5, 0.99, 0.99], several=True)]
    for strategy in ("entropy", "margin"):
        found = Active(strategy, count=1).label(pool(SEVERAL, guesses))
        assert ids(found) == (["a"] if strategy == "entropy" else ["b"])
    assert found.lines[0]["answer"] == ["ham", "spam", "news"]


def test_random_is_a_function_of_seed_and_id():
    guesses = [classified(str(n), [0.5, 0.5, 0]) for n in range(50)]
    orders = [ids(Active("random", count=50, seed=seed).label(pool(ONE, guesses))) for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2])
    half = ids(Active("random", count=50, seed=1).label(pool(ONE, guesses[::2])))
    assert half == [name for name in orders[0] if int(name) % 2 == 0]


def test_a_queue_is_no_training_file():
    """A careless user trains on it: what is not reviewed must not be taken for gold."""
    line = Active("entropy", count=1).label(pool(ENTITIES, GUESSES)).lines[0]
    with pytest.raises(UserError, match="'tags'"):
        NER().parse(line, "queue.jsonl line 1", gold=True)
    line = Active("entropy", count=1).label(pool(ONE, [classified("a", [0.5, 0.5, 0])])).lines[0]
    assert "label" not in line


def test_what_was_reviewed_becomes_training_documents(tmp_path):
    queue = list(Active("entropy", count=3).label(pool(ENTITIES, GUESSES)).lines)
    queue[0] |= {
        "reviewed": True,
        "answer": [{"type": "LOC", "start": 1, "end": 2}, {"type": "PER", "start": 0, "end": 1}],
    }
    queue[2] |= {"reviewed": True, "answer": []}
    active = Active("entropy", count=3, reviewed=write(tmp_path / "q.jsonl", queue))
    found = active.label(pool(ENTITIES, GUESSES))
    assert [(line["id"], line["tags"]) for line in found.lines] == [
        ("unsure", ["B-PER", "B-LOC"]),
        ("sure", ["O", "O"]),
    ]
    assert found.notes == ["1 documents of q.jsonl are not reviewed yet and were left out."]
    assert found.tables[0].rows == [("LOC", 1), ("PER", 1)]


def test_reviewed_labels_of_documents(tmp_path):
    guesses = [classified("a", [0.5, 0.4, 0.1])]
    queue = list(Active("margin", count=1).label(pool(ONE, guesses)).lines)
    queue[0] |= {"reviewed": True, "answer": "news"}
    found = Active("margin", count=1, reviewed=write(tmp_path / "q.jsonl", queue)).label(pool(ONE, guesses))
    assert found.lines == [{"id": "a", "text": "text of a", "from": "me", "label": "news"}]


ENTITY = {"type": "PER", "start": 0, "end": 1}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"id": "elsewhere"}, "line 2: the input has no document 'elsewhere'"),
        ({"id": "unsure"}, r"line 2: the document 'unsure' is in .*line 1 already"),
        ({"tokens": ["w0", "other"]}, "line 2: the tokens of 'sure' differ"),
        ({"answer": [{**ENTITY, "type": "DATE"}]}, "line 2: the run has no entity type 'DATE', it knows LOC, PER"),
        ({"answer": [{**ENTITY, "end": 3}]}, "line 2: the entity from word 0 to 3 is not within the 2 words"),
        ({"answer": [{**ENTITY, "end": True}]}, "line 2: the entity from word 0 to True"),
        ({"answer": [ENTITY, {**ENTITY, "end": 2}]}, "line 2: the entities at words 0 to 1 and 0 to 2 overlap"),
        ({"answer": None}, "line 2: 'answer' is not a list"),
        ({"answer": ["PER"]}, "line 2: \"'PER'\"|line 2: 'PER' is not an entity"),
        ({"reviewed": "yes"}, "line 2 has no 'reviewed' that is true or false"),
    ],
)
def test_what_a_reviewer_broke_is_named(change, expected, tmp_path):
    guesses = GUESSES[:2]
    queue = [{**line, "reviewed": True} for line in Active("entropy", count=2).label(pool(ENTITIES, guesses)).lines]
    queue[1] |= change
    with pytest.raises(UserError, match=expected):
        Active("entropy", 2, reviewed=write(tmp_path / "q.jsonl", queue)).label(pool(ENTITIES, guesses))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"text": "another"}, "line 1: the field 'text' of 'a' differs"),
        ({"answer": "junk"}, "line 1: the run has no label 'junk', it knows ham, spam, news"),
        ({"answer": ["ham"]}, "line 1: 'answer' is .*: give one label"),
        ({"answer": None}, "line 1: the run has no label 'None'"),
    ],
)
def test_what_a_reviewer_broke_of_documents_is_named(change, expected, tmp_path):
    guesses = [classified("a", [0.5, 0.4, 0.1])]
    queue = [{**line, "reviewed": True, **change} for line in Active("margin", count=1).label(pool(ONE, guesses)).lines]
    with pytest.raises(UserError, match=expected):
        Active("margin", 1, reviewed=write(tmp_path / "q.jsonl", queue)).label(pool(ONE, guesses))


def test_files_that_are_no_queue_are_named(tmp_path):
    (tmp_path / "q.jsonl").write_text("{\n")
    with pytest.raises(UserError, match="line 1 is not JSON"):
        Active("entropy", 1, reviewed=str(tmp_path / "q.jsonl")).label(pool(ENTITIES, GUESSES))
    queue = Active("entropy", count=3).label(pool(ENTITIES, GUESSES)).lines
    with pytest.raises(UserError, match="has no reviewed document"):
        Active("entropy", 1, reviewed=write(tmp_path / "q.jsonl", queue)).label(pool(ENTITIES, GUESSES))
