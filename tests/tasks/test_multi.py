"""Several tasks over one body: one of weight 1 is the single run, batches follow the weights, and what is refused."""

import json

import numpy as np
import pytest
import torch

from ctxlab.cli import main
from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.core.types import Merged
from ctxlab.data.parsing import documents_of, split_documents
from ctxlab.evaluation.evaluator import metric
from ctxlab.tasks.classification import Classification
from ctxlab.tasks.multi import Multi
from ctxlab.tasks.ner import NER
from ctxlab.tasks.regression import Regression
from ctxlab.tasks.relation import Relation
from ctxlab.tasks.translation import Translation
from tests.tasks.conftest import word_piece
from tests.training.runs import make_job, stopped_and_resumed

TINY = ("model.hidden_size=32", "model.num_layers=1", "tracking=none", "context=64", "data.documents=6",
        "data.validation_documents=2", "data.test_documents=0", "data.words_per_document=60", "strategy=chunk",
        "data.evidence_distance=[16]", "trainer.tokens_per_step=192", "trainer.precision=fp32",
        "trainer.max_steps=4", "trainer.log_every_steps=1", "optimizer.lr=3e-3", "model.dropout=0.1")  # fmt: skip
BOTH = ("task=multi", "task/members=[ner,classification]")


def members(**more):
    return {"ner": NER(), "topic": Classification(label_field="topic"), **more}


def losses(job):
    return [row["loss"] for row in job.watching.rows if row["kind"] == "train"]


@pytest.mark.parametrize(
    ("member", "model"), [("ner", "tiny_bert"), ("classification", "tiny_gpt2"), ("regression", "tiny_bert")]
)
def test_one_task_of_weight_1_is_the_single_run_to_the_bit(member, model, tmp_path):
    single = make_job(tmp_path / "single", *TINY, f"task={member}", f"model={model}")
    multi = make_job(tmp_path / "multi", *TINY, "task=multi", f"task/members=[{member}]", f"model={model}")
    single.run(), multi.run()
    assert len(losses(single)) == 4
    assert losses(multi) == losses(single)
    expected, found = single.weights(), multi.weights()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("model", ["tiny_bert", "tiny_gpt2"])
def test_a_resumed_run_ends_with_the_same_weights(model, tmp_path):
    options = (*TINY, *BOTH, f"model={model}", "task.weights.ner=2")
    whole = make_job(tmp_path / "whole", *options)
    whole.run()
    _, resumed = stopped_and_resumed(tmp_path / "cut", *options, stop_after=2)
    expected, found = whole.weights(), resumed.weights()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert losses(whole)[2:] == losses(resumed)


def test_a_step_is_for_one_member_and_leaves_the_head_of_the_other(tmp_path):
    job = make_job(
        tmp_path / "run",
        *TINY,
        *BOTH,
        "model=tiny_bert",
        "trainer.max_steps=12",
        "scheduler.warmup_share=0",
    )
    before = job.weights()
    epoch = job.trainer.job.stream.epoch(0, 64)
    kinds = [{epoch.items[i].member for i in step} for step in epoch.steps]
    assert all(len(one) == 1 for one in kinds)
    (first,) = kinds[0]
    job.trainer.settings.max_steps = 1
    job.trainer.budget = type(job.trainer.budget).of(job.trainer.settings)
    job.run()
    changed = {name for name, tensor in job.weights().items() if not torch.equal(tensor, before[name])}
    heads = ("ctxlab_parts.task.ner_head.classifier.weight", "classifier.weight")
    assert [heads[first] in changed, heads[1 - first] in changed] == [True, False]


def test_answers_of_each_member_come_back_from_files_and_from_the_checkpoint(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [{"id": str(i), "text": f"Anna went to town number {i}", "topic": ["a", "b"][i % 2]} for i in range(4)] + [
        {"id": f"n{i}", "member": "ner", "tokens": ["Anna", "went"], "tags": ["B-PER", "O"]} for i in range(4)
    ]
    (tmp_path / "all.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = [word for word in TINY if not word.startswith("data.")]
    files = [f"data.{split}_file=all.jsonl" for split in ("train", "validation")]
    run = f"hydra.run.dir={tmp_path / 'run'}"
    assert main(["train", "task=multi", "task/members=[ner,topic]", "model=tiny_bert", *words, *files, run]) == 0
    asked = [{"id": "x", "text": "Anna went"}, {"id": "y", "member": "topic", "text": "to town"}]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked))
    assert main(["predict", f"run={tmp_path / 'run'}", "input=in.jsonl", "output=out.jsonl"]) == 0
    found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [(one["id"], one["member"]) for one in found] == [("x", "ner"), ("x", "topic"), ("y", "topic")]
    assert found[0]["tokens"] == ["Anna", "went"]
    assert {one["label"] for one in found[1:]} <= {"a", "b"}


TEXT = {"id": "1", "text": "the town", "topic": "a", "score": 3}
WORDS = {"id": "2", "tokens": ["the", "town"], "tags": ["O", "B-LOC"]}


def documents(task, *records):
    origins = [Record(dict(fields), f"f.jsonl line {i + 1}") for i, fields in enumerate(records)]
    return split_documents(task, documents_of(task, origins, gold=True))


def test_a_record_is_for_the_members_of_which_it_has_gold_or_that_it_names():
    task = Multi(members(score=Regression()))
    found = [one.id for one in documents(task, TEXT, WORDS, {**TEXT, "id": "3", "member": ["score"]})]
    assert found == ["topic/1", "score/1", "ner/2", "score/3"]


@pytest.mark.parametrize("share", [1.0, 0.0])
def test_perfect_answers_score_1_and_what_was_not_read_counts_as_missed(share):
    """Oracle: all figures are 1 for answers that equal gold; unread, the class is wrong and no entity is found."""
    task, tokenizer = Multi(members()), word_piece()
    own = documents(task, TEXT, {**TEXT, "id": "4", "topic": "b"}, WORDS)
    task.learn_labels(own)
    predictions = []
    for document, encoded in zip(own, task.encode(own, tokenizer), strict=True):
        outputs = 9.0 * (encoded.labels[:, None] == np.arange(3))[:, : len(task.part(encoded.member).labels)]
        seen = np.full(len(encoded), share > 0)
        predictions.append(task.decode(document, encoded, Merged(outputs.astype(np.float32) * seen[:, None], seen)))
    found = metric("multi")(own, predictions).metrics
    assert found["mean"] == found["ner_f1"] == found["topic_accuracy"] == share
    assert found["mean"] == pytest.approx((found["ner_f1"] + found["topic_accuracy"]) / 2)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"members": {}}, "task.members is empty"),
        ({"members": members(), "weights": {"ner": 0}}, r"task.weights.ner=0 is not a number above 0"),
        ({"members": members(), "weights": {"ner": -1.5}}, "not a number above 0"),
        (
            {"members": members(), "weights": {"nli": 1}},
            "task.weights.nli is for no member: the members are ner, topic",
        ),
        ({"members": {"relation": Relation(), "t": Translation()}}, "need different kinds of model"),
    ],
)
def test_wrong_members_are_refused(given, message):
    with pytest.raises(UserError, match=message):
        Multi(**given)


def test_a_member_that_writes_text_is_refused():
    with pytest.raises(UserError, match=r"task.members.t .task=translation. does not answer with labels or a number"):
        Multi({"ner": NER(), "t": Translation()}).for_kind("decoder")


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({**TEXT, "member": "nli"}, "'member' of f.jsonl line 1 names 'nli', which is no member: they are ner, topic"),
        ({"id": "1", "text": "a"}, "f.jsonl line 1 is for no member .*ner: tags or spans; topic: topic"),
        ({**TEXT, "text": 3}, "f.jsonl line 1"),
    ],
)
def test_a_bad_record_is_named(record, message):
    with pytest.raises(UserError, match=message):
        documents(Multi(members()), record)


def test_a_member_without_training_documents_is_named():
    task = Multi(members())
    with pytest.raises(UserError, match="No training document is for the member ner"):
        task.learn_labels(documents(task, TEXT, {**TEXT, "topic": "b"}))


def test_a_checkpoint_of_other_members_is_refused():
    with pytest.raises(UserError, match="has the members a, b, not ner, topic"):
        Multi(members()).take_note({"members": ["a", "b"], "labels": [["x"], ["y"]]})


def test_a_memory_that_one_head_cannot_have_is_refused_as_in_a_single_run(tmp_path, capsys):
    """The head of classification reads the position where memory tokens are; that of ner reads every position."""
    memory = ("strategy=rmt", "strategy.reading.window=32", "strategy.memory.num_tokens=2")
    for name, words in (("single", ("task=classification",)), ("both", BOTH)):
        run = tmp_path / name
        assert main(["train", "model=tiny_bert", *TINY, *words, *memory, f"hydra.run.dir={run}"]) == 2
        assert "its head reads the position at which the memory is" in capsys.readouterr().err
        assert not run.exists()
    words = ("task=multi", "task/members=[ner]")
    assert main(["train", "model=tiny_bert", *TINY, *words, *memory, f"hydra.run.dir={tmp_path / 'ner'}"]) == 0
