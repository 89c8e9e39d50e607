"""Relations between entities that a run of ``task=ner`` finds: records, scores end to end, and whole runs."""

import json
import threading
from types import SimpleNamespace

import networkx
import numpy as np
import pytest

from ctxlab.cli import main
from ctxlab.core.errors import UserError
from ctxlab.core.shape import LabelledSpan
from ctxlab.core.types import Document, Merged, Prediction
from ctxlab.data.parsing import split_documents
from ctxlab.evaluation.metrics import relations
from ctxlab.models.tiny_bert import TinyBert
from ctxlab.tasks.records.matched import end_to_end, matched
from ctxlab.tasks.records.mentions import Answer
from ctxlab.tasks.relation import Relation
from ctxlab.workbench import mentioning
from tests.tasks.test_relation import TOKENS, installed, outputs_of, record

TEXT = "王伟在Paris见了Émile . 王伟 likes  paris"


def names(found):
    """A finder that calls these words, in any case, a mention of a type."""
    return lambda documents: [
        [LabelledSpan(i, i + 1, found[word.lower()]) for i, word in enumerate(words) if word.lower() in found]
        for words in documents
    ]


def finding(found, **options):
    task = Relation(["x"], mentions="run", **options)
    task.take_mentions(names(found))
    return task


def test_entities_of_a_text_are_its_mentions_merged_by_type_and_words_whatever_their_case():
    task = finding({"paris": "LOC", "émile": "PER", "lee": "PER"})
    (document,) = split_documents(task, [task.parse({"text": "Émile saw  Paris , émile likes PARIS"}, "a", gold=False)])
    assert document.fields["entities"] == [
        {"type": "PER", "mentions": [(0, 1), (4, 5)]},
        {"type": "LOC", "mentions": [(2, 3), (6, 7)]},
    ]
    line = task.record(document, Prediction("a", Answer(((0, 1, "x"),), (0.5,), ()), []))
    assert [one["name"] for one in line["entities"]] == ["Émile", "Paris"]
    assert line["relations"] == [
        {"head": 0, "tail": 1, "label": "x", "head_name": "Émile", "tail_name": "Paris", "score": 0.5}
    ]


def test_a_name_of_several_words_is_written_as_in_its_text():
    task = Relation(["x"], mentions="run")
    task.take_mentions(lambda documents: [[LabelledSpan(0, 2, "PER"), LabelledSpan(3, 5, "PER")] for _ in documents])
    (document,) = split_documents(task, [task.parse({"text": "王 伟和Ann  Lee"}, "a", gold=False)])
    assert document.fields["tokens"] == ["王", "伟", "和", "Ann", "Lee"]
    line = task.record(document, Prediction("a", Answer((), (), ()), []))
    assert [one["name"] for one in line["entities"]] == ["王 伟", "Ann  Lee"]
    words = {"tokens": ["王", "伟", "和", "Ann", "Lee"]}
    (document,) = split_documents(task, [task.parse(words, "a", gold=False)])
    line = task.record(document, Prediction("a", Answer((), (), ()), []))
    assert [one["name"] for one in line["entities"]] == ["王伟", "Ann Lee"]


def test_what_predict_writes_for_ner_is_read_without_a_run():
    flat = [{"type": "PER", "start": 5, "end": 7, "text": "Ann Lee"}, {"type": "LOC", "start": 1, "end": 2},
            {"type": "PER", "start": 15, "end": 16}, {"type": "LOC", "start": 12, "end": 13}]  # fmt: skip
    given = {"id": "d", "tokens": TOKENS, "tags": ["O"] * len(TOKENS), "entities": flat}
    task = Relation(["x"])
    document = task.parse(given, "ner.jsonl line 1", gold=False)
    assert document.fields["entities"] == [
        {"type": "LOC", "mentions": [(1, 2)]},
        {"type": "PER", "mentions": [(5, 7)]},
        {"type": "LOC", "mentions": [(12, 13)]},
        {"type": "PER", "mentions": [(15, 16)]},
    ]
    assert split_documents(task, [document]) == [document]
    again = task.record(document, Prediction("d", Answer((), (), ()), []))
    assert task.parse(again, "again", gold=False).fields["entities"] == document.fields["entities"]


def test_a_record_without_entities_is_led_to_the_run_that_finds_them():
    with pytest.raises(UserError, match=r"has no field 'entities': .* with task\.mentions=<run of task=ner>"):
        Relation(["x"]).parse({"tokens": TOKENS}, "a.jsonl line 1", gold=False)
    with pytest.raises(UserError, match=r"a.jsonl line 1 has no field 'entities', only tokens"):
        finding({}).parse({"tokens": TOKENS}, "a.jsonl line 1", gold=True)
    with pytest.raises(UserError, match=r"'entities\[0\].mentions\[0\]' of a is \[5, 99\], outside the document"):
        Relation(["x"]).parse({"tokens": TOKENS, "entities": [{"start": 5, "end": 99}]}, "a", gold=False)


def test_found_entities_are_scored_beside_given_ones_of_one_pass():
    """Oracle: the same task on a document whose given entities are the found ones."""
    task, (document,) = installed()
    found = [LabelledSpan(1, 2, "LOC"), LabelledSpan(5, 7, "PER"), LabelledSpan(8, 9, "PER"), LabelledSpan(0, 1, "X")]
    task.take_mentions(lambda documents: [found for _ in documents])
    (both,) = split_documents(task, [document])
    assert both.fields["entities"] == document.fields["entities"]
    (encoded,) = task.encode([both], TinyBert().tokenizer())
    states = task.reduce_outputs(outputs_of(task, encoded)[None], None)[0].detach().numpy()
    merged = Merged(states, np.ones(len(encoded), bool))
    answer = task.decode(both, encoded, merged).answer
    alone = Document("d", {"tokens": TOKENS, "entities": both.fields["found"]}, "d")
    assert answer.found == task.decode(alone, encoded, merged).answer.relations
    assert answer.relations == task.decode(document, encoded, merged).answer.relations
    assert answer.found
    scores = relations.score([both], [task.decode(both, encoded, merged)])
    plain = relations.score([document], [task.decode(document, encoded, merged)])
    assert plain.metrics.items() <= scores.metrics.items()
    assert {
        "end_to_end_precision",
        "end_to_end_recall",
        "end_to_end_f1",
    } == scores.metrics.keys() - plain.metrics.keys()
    assert [row[0] for row in scores.tables[0].rows] == ["all", "not in training (Ign)", "end to end"]


def test_with_markers_around_given_mentions_found_ones_are_not_scored():
    task = finding({}, markers=True)
    with pytest.raises(UserError, match="cannot be scored beside given entities by a run that writes markers"):
        split_documents(task, [task.parse(record(), "a", gold=True)])
    split_documents(task, [task.parse({"tokens": TOKENS}, "a", gold=False)])


def test_end_to_end_by_hand():
    gold = [{"mentions": [(0, 1), (4, 5)]}, {"mentions": [(2, 3)]}, {"mentions": [(4, 5), (6, 7)]}]
    found = [
        {"mentions": [(0, 1)]},  # 0
        {"mentions": [(4, 5)]},  # 0 or 2: the first
        {"mentions": [(4, 5), (6, 7), (0, 1)]},  # 0 and 2 share two each: the first
        {"mentions": [(6, 7), (9, 10)]},  # 2
        {"mentions": [(2, 4)]},  # other boundaries: none
    ]
    assert matched(found, gold) == [0, 0, 0, 2, None]
    facts = [(0, 1, "a"), (2, 0, "a"), (0, 2, "b")]
    predicted = [
        (0, 3, "b"),  # right
        (1, 3, "b"),  # the same fact
        (3, 0, "a"),  # right
        (0, 4, "a"),  # an end that matches nothing
        (0, 1, "a"),  # 0 with itself
        (0, 3, "a"),  # wrong label
    ]
    assert end_to_end(predicted, matched(found, gold), facts) == (2, 5, 3)
    own = list(range(len(gold)))
    assert matched(gold, gold)[:2] == own[:2]
    assert end_to_end(facts, own, facts) == (3, 3, 3)
    assert end_to_end([], [], facts) == (0, 0, 3)


def test_the_run_gets_words_in_groups_and_gives_spans(monkeypatch):
    monkeypatch.setattr(mentioning, "DOCUMENTS_AT_ONCE", 2)
    groups = []

    def answers(documents):
        groups.append([document.fields["tokens"] for document in documents])
        for document in documents:
            entities = [{"start": 0, "end": len(document.fields["tokens"]), "type": "X"}]
            yield SimpleNamespace(record={"entities": entities})

    notes = ["of a file"]
    answerer = SimpleNamespace(answers=answers, task=SimpleNamespace(notes=notes))
    found = mentioning._mentions(answerer, [("a",), ("b", "c"), ("d",)], threading.Lock())
    assert found == [[LabelledSpan(0, size, "X")] for size in (1, 2, 1)]
    assert (groups, notes) == ([[["a"], ["b", "c"]], [["d"]]], [])


TINY = ["model=tiny_bert", "tracking=none", "strategy=chunk", "context=64", "model.hidden_size=32",
        "model.num_layers=1", "data.documents=3", "data.validation_documents=2", "data.test_documents=1",
        "data.words_per_document=60", "data.evidence_distance=[16]", "trainer.max_steps=1",
        "trainer.precision=fp32"]  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for task in ("ner", "relation"):
        assert main(["train", f"task={task}", *TINY, f"hydra.run.dir={folder / task}"]) == 0
    return folder


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.slow
def test_texts_become_a_graph_by_two_runs_in_one_command_or_two(runs, tmp_path, capsys):
    texts = tmp_path / "texts.jsonl"
    texts.write_text("".join(json.dumps({"id": f"d{i}", "text": f"{TEXT} {i}"}) + "\n" for i in range(2)))
    relation, ner = runs / "relation", runs / "ner"
    shift = "task.threshold_shift=-9"  # so that untrained runs answer something
    together = ["predict", f"run={relation}", f"task.mentions={ner}", shift, f"input={texts}"]
    assert main([*together, f"output={tmp_path}/one.jsonl"]) == 0
    assert main(["predict", f"run={ner}", f"input={texts}", f"output={tmp_path}/ner.jsonl"]) == 0
    assert (
        main(["predict", f"run={relation}", shift, f"input={tmp_path}/ner.jsonl", f"output={tmp_path}/two.jsonl"]) == 0
    )
    one, two = lines(tmp_path / "one.jsonl"), lines(tmp_path / "two.jsonl")
    assert all(len(line["entities"]) > 1 and line["relations"] for line in one)
    assert [[x["mentions"] for x in line["entities"]] for line in one] == [
        [x["mentions"] for x in line["entities"]] for line in two
    ]
    assert [line["relations"] for line in one] == [
        [{**x, "head_name": y["head_name"], "tail_name": y["tail_name"]} for x, y in zip(b, a, strict=True)]
        for a, b in ((line["relations"], other["relations"]) for line, other in zip(one, two, strict=True))
    ]
    assert main([*together, "format=graphml", f"output={tmp_path}/graph.xml"]) == 0
    graph = networkx.read_graphml(tmp_path / "graph.xml", force_multigraph=True)
    assert graph.number_of_nodes() == sum(len(line["entities"]) for line in one)
    assert graph.number_of_edges() == sum(len(line["relations"]) for line in one)
    capsys.readouterr()
    for words, said in (
        (["predict", f"run={ner}", f"input={texts}", "format=jsonld"], "task=ner predicts none: use format=lines"),
        (["predict", f"run={relation}", f"input={texts}", "format=rdf"], "format=rdf is not known: use lines, jsonld"),
        (["predict", f"run={relation}", f"input={texts}"], "let a run find them with task.mentions=<run of"),
        (
            [*together[:2], f"task.mentions={relation}", together[-1]],
            "was trained for task=relation: give a run of",
        ),
        ([*together[:2], f"task.mentions={tmp_path}", together[-1]], "is not the directory of a run"),
        ([*together[:2], "task.mentions=nowhere", together[-1]], "task.mentions=nowhere"),
    ):
        assert main([*words, f"output={tmp_path}/x", f"hydra.run.dir={tmp_path}/no"]) == 2
        assert said in capsys.readouterr().err
        assert not (tmp_path / "no").exists()
    assert main(["train", "task=relation", f"task.mentions={ner}", *TINY, f"hydra.run.dir={tmp_path}/no"]) == 2
    assert "is for ctxlab eval and ctxlab predict" in capsys.readouterr().err


@pytest.mark.slow
def test_an_evaluation_has_both_scores(runs, tmp_path):
    words = ["eval", f"run={runs / 'relation'}", f"task.mentions={runs / 'ner'}", "task.threshold_shift=-9"]
    assert main([*words, f"hydra.run.dir={tmp_path / 'eval'}"]) == 0
    found = json.loads((tmp_path / "eval" / "result.json").read_text())["metrics"]["validation"]
    assert 0 <= found["end_to_end_recall"] <= found["recall"] == 1  # every pair is above that threshold
    assert "| end to end" in (tmp_path / "eval" / "report.md").read_text()
