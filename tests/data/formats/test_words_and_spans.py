"""SpERT's and DyGIE++'s files of one document, worked by hand."""

import json

import pytest

from ctxlab.data.readers.read import read_file
from ctxlab.tasks.ner import NER
from ctxlab.tasks.relation import Relation

WORDS = ["Ora", "Lund", "runs", "Tarn", ".", "She", "rests", "."]
SPERT = {
    "tokens": WORDS,
    "entities": [{"type": "PER", "start": 0, "end": 2}, {"type": "LOC", "start": 3, "end": 4},
                 {"type": "PER", "start": 5, "end": 6}],
    "relations": [{"type": "runs", "head": 0, "tail": 1}],
    "orig_id": 7,
}  # fmt: skip
DYGIE = {
    "doc_key": "d",
    "sentences": [WORDS[:5], WORDS[5:]],
    "ner": [[[0, 1, "PER"], [3, 3, "LOC"], [1, 1, "PER"]], [[5, 5, "PER"]]],
    "relations": [[[0, 1, 3, 3, "runs"]], [[5, 5, 0, 1, "same"], [5, 5, 3, 3, "runs"]]],
    "clusters": [[[0, 1], [5, 5]]],
}


def read(tmp_path, task, row):
    (tmp_path / "a.json").write_text(json.dumps([row]))
    notes: list[str] = []
    (record,) = read_file(tmp_path / "a.json", task.name, notes)
    return task.parse(record.fields, record.origin, gold=True).fields, [note.split(": ", 1)[1] for note in notes]


@pytest.mark.parametrize("row", [SPERT, DYGIE])
def test_entities_are_tags(tmp_path, row):
    fields, notes = read(tmp_path, NER(), row)
    assert fields["tokens"] == WORDS
    assert fields["tags"] == ["B-PER", "I-PER", "O", "B-LOC", "O", "B-PER", "O", "O"]
    assert bool(notes) == (row is DYGIE)  # an entity within another


def test_relations_of_spert(tmp_path):
    fields, _ = read(tmp_path, Relation(), SPERT)
    assert [(e["type"], e["mentions"]) for e in fields["entities"]] == [
        ("PER", [(0, 2)]), ("LOC", [(3, 4)]), ("PER", [(5, 6)]),
    ]  # fmt: skip
    assert fields["relations"] == [(0, 1, "runs")]


def test_relations_of_dygie_are_between_clusters(tmp_path):
    fields, notes = read(tmp_path, Relation(), DYGIE)
    assert [(e["type"], e["mentions"]) for e in fields["entities"]] == [
        ("PER", [(0, 2), (5, 6)]), ("PER", [(1, 2)]), ("LOC", [(3, 4)]),
    ]  # fmt: skip
    assert fields["relations"] == [(0, 2, "runs")]  # said twice, of two mentions
    assert fields["sentence_starts"] == [0, 5]
    assert notes == ["1 relations of an entity with itself were left out."]
