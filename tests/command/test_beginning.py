"""``start=``: the model is that of the run whose weights a new run begins with."""

from pathlib import Path

import pytest
import yaml


@pytest.fixture
def run(ctxlab):
    return ctxlab("train", "model=tiny_bert", "model.hidden_size=32", "model.dropout=0.2", "task=mlm", "seed=3").run_dir


def test_the_model_is_the_run_s_and_nothing_else_is(ctxlab, run):
    config = ctxlab("train", f"start={run}", "task=classification").config
    assert (config.model.name, config.model.hidden_size, config.model.dropout) == ("tiny_bert", 32, 0.2)
    assert (config.task.name, config.seed, config.start) == ("classification", 1, str(run))
    assert config.start_checkpoint == "best"


def test_dropout_belongs_to_the_new_run(ctxlab, run):
    assert ctxlab("train", f"start={run}", "model.dropout=0.1").config.model.dropout == 0.1


@pytest.mark.by_default(1)
@pytest.mark.parametrize("word", ["model=tiny_bert", "model.hidden_size=32"])
def test_the_run_s_own_model_may_be_repeated(ctxlab, run, word):
    assert ctxlab("train", word, f"start={run}").config.model.hidden_size == 32


@pytest.mark.by_default(1)
@pytest.mark.parametrize(
    "word", ["model=tiny_llama", "model.hidden_size=64", "model.path=roberta-base", "model.vocabulary=letters"]
)
def test_another_model_or_vocabulary_is_refused(ctxlab, run, word):
    before = set(Path().rglob("*"))
    outcome = ctxlab("train", word, f"start={run}")
    assert (outcome.status, outcome.calls) == (2, [])
    assert "cannot be changed: start= begins with the weights of the run in" in outcome.err
    assert set(Path().rglob("*")) == before


@pytest.mark.slow
def test_a_default_model_and_a_path_are_found_again_from_elsewhere(ctxlab, monkeypatch, tmp_path):
    (tmp_path / "there" / "mine").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "there")
    runs = [ctxlab("train").run_dir, ctxlab("train", "model.path=mine").run_dir]
    monkeypatch.chdir(tmp_path)
    assert ctxlab("train", f"start={runs[0]}").config.model.name == "minilm"
    assert ctxlab("train", f"start={runs[1]}").config.model.path == str(tmp_path / "there" / "mine")


@pytest.mark.by_default(2)
@pytest.mark.parametrize(
    ("stage", "word", "says"),
    [
        ("eval", "start={run}", "ctxlab eval has no start=: give run=<run directory>"),
        ("train", "start=nowhere", "start=nowhere does not exist: give the directory of a training run"),
        ("train", "start={run}/.hydra", "is not the directory of a run"),
        ("train", "-m start={run},{run}", "names several runs: give one at a time"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(ctxlab, run, stage, word, says):
    outcome = ctxlab(stage, *word.format(run=run).split())
    assert outcome.status == 2
    assert says in outcome.err
    assert len(outcome.err.strip().splitlines()) == 1


def test_null_begins_with_the_model(ctxlab, run):
    assert ctxlab("train", "start=null", "model=tiny_llama").config.model.name == "tiny_llama"


def test_a_run_that_began_so_is_evaluated_and_resumed_without_the_other(ctxlab, run):
    made = ctxlab("train", f"start={run.relative_to(Path.cwd())}" if run.is_relative_to(Path.cwd()) else f"start={run}")
    scored = ctxlab("eval", f"run={made.run_dir}").config
    assert (scored.start, scored.model.hidden_size) == (None, 32)
    shown = yaml.safe_load(ctxlab("train", "--cfg", "job", f"resume={made.run_dir}").out)
    assert shown["start"] == str(run)
    (made.run_dir / "checkpoints" / "step-00000001").mkdir(parents=True)
    other = ctxlab("train", f"resume={made.run_dir}", f"start={made.run_dir}")
    assert "start" in other.err
    assert other.status == 2
