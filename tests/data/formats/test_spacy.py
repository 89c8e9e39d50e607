"""spaCy's formats for one text with two entities, written by hand after its documentation."""

import json

import pytest

from ctxlab.data.readers.read import read_file
from ctxlab.tasks.classification import Classification
from ctxlab.tasks.ner import NER

TEXT = "Ora Lund went to Tarn."
PLACES = [(0, 3), (4, 8), (9, 13), (14, 16), (17, 21), (21, 22)]
ENTS = [{"start": 0, "end": 8, "label": "PER"}, {"start": 17, "end": 21, "label": "LOC"}]
PAIR = [TEXT, {"entities": [[0, 8, "PER"], [17, 21, "LOC"]], "links": {}}]
OLD = [("Ora", "B-PER"), ("Lund", "L-PER"), ("went", "O"), ("to", "O"), ("Tarn", "U-LOC"), (".", "-")]


def old(*sentences):
    words = [[{"id": i, "orth": word, "ner": tag} for i, (word, tag) in enumerate(one)] for one in sentences]
    return {"id": 0, "paragraphs": [{"raw": TEXT, "sentences": [{"tokens": one} for one in words]}]}


FILES = {
    "Doc.to_json": json.dumps(
        {"text": TEXT, "ents": ENTS, "sents": [{"start": 0, "end": 22}],
         "tokens": [{"id": i, "start": a, "end": b, "tag": "X"} for i, (a, b) in enumerate(PLACES)]}
    ),
    "a pair a line": json.dumps(PAIR) + "\n" + json.dumps(["Nobody came.", {"entities": []}]) + "\n",
    "a list of pairs": json.dumps([PAIR, ["Nobody came.", {"entities": []}]], indent=1),
    "version 2": json.dumps([old(OLD)]),
}  # fmt: skip


@pytest.mark.parametrize("form", FILES)
def test_entities_are_words(form, tmp_path):
    (tmp_path / "a.json").write_text(FILES[form])
    task = NER()
    first, *others = [task.parse(r.fields, r.origin, gold=True) for r in read_file(tmp_path / "a.json", "ner")]
    assert first.fields["tokens"] == [TEXT[a:b] for a, b in PLACES]
    assert first.fields["tags"] == ["B-PER", "I-PER", "O", "O", "B-LOC", "O"]
    assert [one.fields["tags"] for one in others] == ([["O"] * 3] if "pair" in form else [])


def test_sentences_of_version_2_and_words_without_a_tag(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps([old(OLD, OLD[:2], OLD[2:])]))
    notes = []
    (record,) = read_file(tmp_path / "a.json", "ner", notes)
    assert record.fields["sentence_starts"] == [0, 6, 8]
    assert notes == ["a.json: 2 words in spaCy's format have no tag and count as outside of entities."]


def test_categories(tmp_path):
    rows = [["fine", {"cats": {"GOOD": 1.0, "BAD": 0.0}}], ["poor", {"cats": {"GOOD": 0.1, "BAD": 0.9}}]]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = Classification()
    found = [task.parse(r.fields, r.origin, gold=True) for r in read_file(tmp_path / "a.jsonl", "classification")]
    assert [(one.fields["text"], one.fields["gold"]) for one in found] == [("fine", ("GOOD",)), ("poor", ("BAD",))]
