"""Relations between spans as four tools write them; the expected records are worked out by hand from one sentence."""

import json

import pytest

from ctxlab.core.errors import UserError
from ctxlab.data.readers.read import read_file
from ctxlab.tasks.relation import Relation

TEXT = "Ora Lund runs Lund-Works in Tarn; she lives there."
ORA, WORKS, TARN, SHE = (0, 8), (14, 24), (28, 32), (34, 37)
NAMES = {ORA: "T1", WORKS: "T2", TARN: "T3", SHE: "T4"}
TYPES = {ORA: "PER", WORKS: "ORG", TARN: "LOC", SHE: "PER"}
RELATIONS = [(ORA, WORKS, "runs"), (WORKS, TARN, "in"), (WORKS, TARN, "in")]
DOCCANO = {
    "text": TEXT,
    "entities": [{"id": i, "start_offset": a, "end_offset": b, "label": TYPES[a, b]} for i, (a, b) in enumerate(NAMES)],
    "relations": [
        {"id": i, "from_id": list(NAMES).index(h), "to_id": list(NAMES).index(t), "type": label}
        for i, (h, t, label) in enumerate(RELATIONS)
    ],
}
PRODIGY = {
    "text": TEXT,
    "answer": "accept",
    "tokens": [{"text": "Ora", "start": 0, "end": 3, "id": 0}],
    "spans": [{"start": a, "end": b, "label": TYPES[a, b]} for a, b in NAMES],
    "relations": [
        {"head": 1, "child": 2, "label": label, "head_span": {"start": h[0], "end": h[1], "label": TYPES[h]},
         "child_span": {"start": t[0], "end": t[1], "label": TYPES[t]}}
        for h, t, label in RELATIONS
    ],
}  # fmt: skip
LABEL_STUDIO = {
    "id": 7,
    "data": {"text": TEXT},
    "annotations": [
        {
            "result": [
                *({"id": NAMES[s], "type": "labels", "value": {"start": s[0], "end": s[1], "labels": [TYPES[s]]}}
                  for s in NAMES),
                *({"type": "relation", "from_id": NAMES[h], "to_id": NAMES[t], "direction": "right", "labels": [label]}
                  for h, t, label in RELATIONS),
            ]
        }
    ],
}  # fmt: skip
WORDS = ["Ora", "Lund", "runs", "Lund", "-", "Works", "in", "Tarn", ";", "she", "lives", "there", "."]


def parsed(path, notes=None):
    return [Relation().parse(r.fields, r.origin, gold=True) for r in read_file(path, "relation", notes)]


@pytest.mark.parametrize("row", [DOCCANO, PRODIGY, LABEL_STUDIO], ids=["doccano", "Prodigy", "Label Studio"])
def test_relations_between_words(row, tmp_path):
    (tmp_path / "a.jsonl").write_text(json.dumps(row) + "\n")
    (document,) = parsed(tmp_path / "a.jsonl")
    assert document.fields["tokens"] == WORDS
    assert [(e["type"], e["mentions"]) for e in document.fields["entities"]] == [
        ("PER", [(0, 2)]), ("ORG", [(3, 6)]), ("LOC", [(7, 8)]), ("PER", [(9, 10)]),
    ]  # fmt: skip
    assert document.fields["relations"] == [(0, 1, "runs"), (1, 2, "in")]


ANN = "".join(
    [f"{name}\t{TYPES[place]} {place[0]} {place[1]}\t{TEXT[place[0] : place[1]]}\n" for place, name in NAMES.items()]
    + [f"R{i}\t{label} Arg1:{NAMES[h]} Arg2:{NAMES[t]}\n" for i, (h, t, label) in enumerate(RELATIONS)]
    + ["*\tEquiv T1 T4\n", "R9\tknows Arg1:T1 Arg2:T4\n", "E1\tLiving:T4\n", "R8\tin Arg1:E1 Arg2:T3\n"]
)


@pytest.mark.parametrize("name", ["a.ann", "a.txt", "."])
def test_brat_has_entities_of_several_mentions(name, tmp_path):
    (tmp_path / "a.txt").write_text(TEXT)
    (tmp_path / "a.ann").write_text(ANN)
    notes: list[str] = []
    (document,) = parsed(tmp_path / name, notes)
    assert [(e["type"], e["mentions"]) for e in document.fields["entities"]] == [
        ("PER", [(0, 2), (9, 10)]), ("ORG", [(3, 6)]), ("LOC", [(7, 8)]),
    ]  # fmt: skip
    assert document.fields["relations"] == [(0, 1, "runs"), (1, 2, "in")]
    assert [note.split(": ", 1)[1] for note in notes] == ["1 relations of an entity with itself were left out."]


def test_a_script_without_blanks_is_split_where_an_entity_ends(tmp_path):
    text = "李娜住在上海。"
    row = {"text": text, "entities": [{"id": 1, "start_offset": 0, "end_offset": 2, "label": "PER"},
                                      {"id": 2, "start_offset": 4, "end_offset": 6, "label": "LOC"}],
           "relations": [{"id": 1, "from_id": 1, "to_id": 2, "type": "lives in"}]}  # fmt: skip
    (tmp_path / "a.jsonl").write_text(json.dumps(row, ensure_ascii=False), encoding="utf-8")
    (document,) = parsed(tmp_path / "a.jsonl")
    assert document.fields["tokens"] == list(text)
    assert [e["mentions"] for e in document.fields["entities"]] == [[(0, 2)], [(4, 6)]]


def test_texts_that_were_rejected_are_left_out(tmp_path):
    rows = [{**PRODIGY, "answer": "reject"}, PRODIGY]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    notes: list[str] = []
    assert len(parsed(tmp_path / "a.jsonl", notes)) == 1
    assert notes == ["a.jsonl: 1 texts have no accepted annotation and were left out."]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"relations": [{"from_id": 0, "to_id": 9, "type": "x"}]}, "relation with the entity 9, which is not among"),
        (
            {"entities": [{"id": 0, "start_offset": 3, "end_offset": 99, "label": "X"}]},
            "characters 3 to 99 in a text of",
        ),
        ({"entities": [{"id": 0, "start_offset": 3, "end_offset": 4, "label": "X"}]}, "white space only"),
        ({"relations": [{"from_id": 0}]}, "looks like annotated spans with relations but is incomplete"),
    ],
)
def test_incomplete_records_are_named(change, says, tmp_path):
    (tmp_path / "a.jsonl").write_text(json.dumps({**DOCCANO, **change}))
    with pytest.raises(UserError, match=rf"a\.jsonl line 1.*{says}"):
        parsed(tmp_path / "a.jsonl")
