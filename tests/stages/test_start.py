"""``ctxlab train start=<run>``: real runs that begin with the weights of others."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from ctxlab.cli import main
from ctxlab.training import checkpoint
from tests.stages.conftest import result, train

HARDLY = ("trainer.max_steps=1", "scheduler.warmup_share=0", "optimizer.lr=1e-9", "optimizer.weight_decay=0")
"""A step that changes no weight by more than 1e-8, so that those of a run are those it began with."""


def best(run):
    return checkpoint.find(run, "best")


def weights(run):
    return load_file(best(run) / "model.safetensors")


def notes(run):
    found = result(run)["notes"]
    assert all(f"- {note}" in (run / "report.md").read_text() for note in found)
    return " ".join(found)


def same(one, other, prefix):
    names = [name for name in one if name.startswith(prefix) and name in other]
    return bool(names) and all(torch.allclose(one[name], other[name], atol=1e-7, rtol=0) for name in names)


def test_masked_language_model_to_classification(tmp_path):
    assert train(tmp_path / "a", "task=mlm", "trainer.max_steps=2") == 0
    words = ("task=classification", f"start={tmp_path / 'a'}", *HARDLY)
    assert train(tmp_path / "b", *words) == 0
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"), "bert.")
    assert "classifier started at random" in notes(tmp_path / "b")
    assert "without its pooler, which started at random" in notes(tmp_path / "b")
    assert result(tmp_path / "b")["model"] == "tiny_bert"


def test_tagger_to_other_labels(trained, tmp_path):
    """Rows of the head follow the names of their labels; the tags of the new file are in another order."""
    tags = ["B-NEW", "I-NEW", "B-PER", "I-PER", "O", "B-ORG"]
    line = json.dumps({"tokens": [f"w{index}" for index in range(len(tags))], "tags": tags})
    (tmp_path / "new.jsonl").write_text(f"{line}\n" * 4)
    assert train(tmp_path / "b", f"start={trained}", f"data.train_file={tmp_path / 'new.jsonl'}", *HARDLY) == 0
    before, after = weights(trained), weights(tmp_path / "b")
    assert same(before, after, "bert.")
    old, new = (json.loads((best(run) / "config.json").read_text())["label2id"] for run in (trained, tmp_path / "b"))
    assert set(new) - set(old) == {"B-NEW", "I-NEW"}
    for name in set(new) & set(old):
        assert torch.allclose(after["classifier.weight"][new[name]], before["classifier.weight"][old[name]], atol=1e-7)
    assert "B-NEW, I-NEW started at random" in notes(tmp_path / "b")


@pytest.mark.slow
def test_decoder_to_classification(tmp_path):
    assert train(tmp_path / "a", "task=lm", "model=tiny_llama", "strategy=chunk", "trainer.max_steps=2") == 0
    words = ("task=classification", f"start={tmp_path / 'a'}", "strategy=chunk", "model=tiny_llama", *HARDLY)
    assert train(tmp_path / "b", *words) == 0
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"), "model.")
    assert "score started at random" in notes(tmp_path / "b")


@pytest.mark.slow
def test_memory_goes_on_where_both_have_one_and_is_said_to_be_left_behind(tmp_path):
    assert train(tmp_path / "a", "strategy=rmt", "trainer.max_steps=2") == 0
    assert train(tmp_path / "b", "strategy=rmt", f"start={tmp_path / 'a'}", *HARDLY) == 0
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"), "ctxlab_parts.memory")
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"), "classifier")
    assert "memory" not in notes(tmp_path / "b")
    assert "random" not in notes(tmp_path / "b")
    assert train(tmp_path / "c", "strategy=chunk", f"start={tmp_path / 'a'}", *HARDLY) == 0
    assert "own module (memory) is left behind" in notes(tmp_path / "c")
    assert not [name for name in weights(tmp_path / "c") if "ctxlab_parts" in name]
    assert train(tmp_path / "d", "strategy=rmt", f"start={tmp_path / 'c'}", *HARDLY) == 0
    assert "own module (memory) started at random" in notes(tmp_path / "d")


@pytest.mark.slow
def test_the_best_checkpoint_unless_the_latest_is_asked_for(tmp_path):
    assert train(tmp_path / "a", "trainer.eval_every_steps=1", "trainer.max_steps=2") == 0
    for pointer, step in (("best", 1), ("latest", 2)):
        checkpoint.write_pointer(tmp_path / "a", pointer, checkpoint.step_name(step))
    found = {}
    for pointer in ("best", "latest"):
        words = (f"start={tmp_path / 'a'}", f"start_checkpoint={pointer}", *HARDLY)
        assert train(tmp_path / pointer, *words) == 0
        found[pointer] = weights(tmp_path / pointer)
        folder = tmp_path / "a" / "checkpoints" / checkpoint.step_name({"best": 1, "latest": 2}[pointer])
        assert same(load_file(folder / "model.safetensors"), found[pointer], "")


@pytest.mark.slow
def test_it_resumes_with_its_own_weights_and_scores_without_the_other(trained, tmp_path):
    words = (f"start={trained}", "trainer.save_every_steps=1")
    assert train(tmp_path / "whole", *words) == 0
    assert train(tmp_path / "cut", *words, "trainer.max_steps=2", "scheduler=constant") == 0
    assert main(["eval", f"run={tmp_path / 'whole'}", "tracking=none", f"hydra.run.dir={tmp_path / 'e'}"]) == 0
    assert result(tmp_path / "e")["metrics"]["validation"] == result(tmp_path / "whole")["metrics"]["validation"]
    assert main(["train", f"resume={tmp_path / 'cut'}", "trainer.max_steps=4"]) == 0
    assert result(tmp_path / "cut")["cost"]["train_steps"] == 4


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["task=lm"], "needs a model of kind"),
        (["task=summarization"], "needs a model of kind"),
        (["model=tiny_llama"], "model=tiny_llama cannot be changed: start= begins with"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_no_directory(trained, tmp_path, refused, words, says):
    command = ["train", *words, f"start={trained}", "tracking=none", "context=256", f"hydra.run.dir={tmp_path / 'r'}"]
    assert says in refused(command)
    assert not (tmp_path / "r").exists()


@pytest.mark.slow
def test_a_run_without_a_checkpoint_is_refused(trained, tmp_path, refused):
    shutil.copytree(trained, tmp_path / "a", ignore=shutil.ignore_patterns("checkpoints"))
    sentence = refused(["train", f"start={tmp_path / 'a'}", "tracking=none", f"hydra.run.dir={tmp_path / 'r'}"])
    assert "has no valid checkpoint" in sentence
    assert not (tmp_path / "r").exists()
