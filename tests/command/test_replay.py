"""Runs as starting points: the composition must be the run's plus what the user asked for."""

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import yaml
from omegaconf import DictConfig

from ctxlab.command.compose import compose

RUN = (
    "task=ner",
    "strategy=chunk",
    "strategy/positions=tile",
    "context=6000",
    "data.train_file=files/a.jsonl",
    f"data.validation_file={__file__}",
    "data.max_documents=7",
    "trainer.max_steps=9",
    "seed=3",
)


@dataclass(frozen=True)
class Run:
    run_dir: Path
    config: DictConfig
    cwd: Path
    """Where the user stood."""


@pytest.fixture(scope="module")
def made():
    """The run of the first test that needs one, for the others to copy."""
    return []


@pytest.fixture
def run(ctxlab, made, tmp_path):
    """A run that was made in another directory."""
    if not made:
        cwd, home = tmp_path / "made here", Path.cwd()
        (cwd / "files").mkdir(parents=True)
        (cwd / "files" / "a.jsonl").touch()
        os.chdir(cwd)
        outcome = ctxlab("train", *RUN)
        os.chdir(home)
        assert outcome.status == 0
        made.append(Run(outcome.run_dir, outcome.config, cwd))
    origin = made[0]
    folder = tmp_path / "moved" / "run"
    shutil.copytree(origin.run_dir, folder)
    return replace(origin, run_dir=folder)


def comparable(config, *without):
    from omegaconf import OmegaConf

    tree = OmegaConf.to_container(config)
    for key in ("stage", "resume", "run", "runs", "given", "split", "checkpoint", "perturb", "runtime", *without):
        tree.pop(key, None)
    return tree


def test_eval_composes_what_the_run_was(ctxlab, run):
    outcome = ctxlab("eval", f"run={run.run_dir}")
    assert outcome.status == 0
    expected = comparable(run.config)
    expected["data"]["train_file"] = str(run.cwd / "files" / "a.jsonl")
    assert comparable(outcome.config) == expected
    assert outcome.config.run == str(run.run_dir)
    assert outcome.config.split == "validation"
    assert "ner-chunk-6000" in str(outcome.run_dir)


@pytest.mark.slow
def test_eval_has_its_own_number_of_processes(ctxlab, run):
    """A training run on eight is evaluated on however many there are."""
    (recorded,) = run.run_dir.glob(".hydra/overrides.yaml")
    recorded.write_text(recorded.read_text() + "- trainer.processes=8\n")
    assert ctxlab("eval", f"run={run.run_dir}").config.trainer.processes == 1
    shown = yaml.safe_load(ctxlab("train", "--cfg", "job", f"resume={run.run_dir}").out)
    assert shown["trainer"]["processes"] == 8


def test_cfg_shows_the_run_too(ctxlab, run):
    shown = yaml.safe_load(ctxlab("eval", "--cfg", "job", f"run={run.run_dir}", "split=test").out)
    assert (shown["seed"], shown["context"]["length"], shown["split"]) == (3, 6000, "test")


def test_what_the_user_asks_for_replaces_the_run_s(ctxlab, run):
    outcome = ctxlab("eval", f"run={run.run_dir}", "context=512", "strategy=truncate", "split=test")
    assert outcome.config.context.length == 512
    assert outcome.config.seed == 3
    assert outcome.config.strategy == compose("train", ["strategy=truncate"]).strategy  # no positions of the run's


def test_a_part_replaces_only_itself(ctxlab, run):
    outcome = ctxlab("eval", f"run={run.run_dir}", "strategy/positions=keep")
    assert outcome.config.strategy == compose("train", ["strategy=chunk", "strategy/positions=keep"]).strategy


def test_another_file_stays_with_the_run_s_source(ctxlab, run):
    Path("c.jsonl").touch()
    outcome = ctxlab("eval", f"run={run.run_dir}", "data.test_file=c.jsonl")
    assert outcome.config.data.test_file == "c.jsonl"
    assert outcome.config.data.max_documents == 7


@pytest.mark.slow
def test_a_file_for_a_run_on_another_source_changes_the_source(ctxlab):
    made = ctxlab("train", "data=generated", "data.max_documents=7")
    Path("c.jsonl").touch()
    outcome = ctxlab("eval", f"run={made.run_dir}", "data.test_file=c.jsonl")
    assert outcome.config.data.test_file == "c.jsonl"
    assert outcome.config.data.max_documents is None


@pytest.mark.slow
def test_a_local_model_is_found_from_elsewhere_and_a_hub_id_stays(ctxlab):
    Path("there/weights").mkdir(parents=True)
    home = Path.cwd()
    os.chdir("there")
    local, hub = ctxlab("train", "model.path=weights"), ctxlab("train", "model.path=owner/weights")
    os.chdir(home)
    assert ctxlab("eval", f"run={local.run_dir}").config.model.path == str(Path("there/weights").absolute())
    assert ctxlab("eval", f"run={hub.run_dir}").config.model.path == "owner/weights"


def test_resume_goes_on_in_the_same_directory_even_after_a_move(ctxlab, run):
    moved = str(Path("it's a, {new} $place=").absolute())
    shutil.move(run.run_dir, moved)
    quoted = moved.replace("'", "\\'")
    outcome = ctxlab("train", f"resume='{quoted}'", "trainer.max_steps=20")
    assert outcome.status == 0, outcome.err
    assert str(outcome.run_dir) == moved == outcome.config.resume
    assert outcome.config.trainer.max_steps == 20
    assert outcome.config.context.length == 6000
    again = ctxlab("train", f"resume='{quoted}'")
    assert again.config.trainer.max_steps == 20
    assert again.config.data.train_file == str(run.cwd / "files" / "a.jsonl")


def test_resume_from_inside_by_a_relative_path(ctxlab, run, monkeypatch):
    monkeypatch.chdir(run.run_dir.parent)
    assert ctxlab("train", f"resume={run.run_dir.name}").run_dir == run.run_dir


@pytest.mark.slow
def test_resume_clears_the_failure_of_before(ctxlab):
    failed = ctxlab("train", "seed=13")
    assert (failed.run_dir / "failure.json").exists()
    assert ctxlab("train", f"resume={failed.run_dir}", "seed=1").status == 0
    assert not (failed.run_dir / "failure.json").exists()
    assert "unlucky number" in (failed.run_dir / "train.log").read_text()


@pytest.mark.slow
def test_a_job_of_a_sweep_is_a_run(ctxlab):
    sweep = ctxlab("train", "-m", "context=512,1024", "seed=1,2")
    config, folder = sweep.calls[3]
    assert comparable(ctxlab("eval", f"run={folder}").config) == comparable(config)
    whole = ctxlab("eval", f"run={folder.parent}")
    assert whole.status == 2
    assert str(folder.parent / "0") in whole.err


@pytest.mark.slow
def test_a_sweep_of_evaluations_of_one_run(ctxlab, run):
    outcome = ctxlab("eval", "-m", f"run={run.run_dir}", "context=512,1024")
    assert [(config.context.length, config.seed) for config, _ in outcome.calls] == [(512, 3), (1024, 3)]


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["train", "-m", "resume={run}", "seed=1,2"], "-m"),
        (["train", "resume={run}", "hydra.run.dir=elsewhere"], "hydra.run.dir"),
        (["train", "resume={cwd}"], "is not the directory of a run"),
        (["eval", "run={run}/config.yaml"], "does not exist"),
        (["eval", "-m", "run={run},{run}"], "one at a time"),
    ],
)
def test_refusals(ctxlab, run, words, part):
    outcome = ctxlab(*(word.format(run=run.run_dir, cwd=Path.cwd()) for word in words))
    assert outcome.status == 2
    assert part in outcome.err
    assert outcome.calls == []


def test_a_run_of_another_stage_is_refused(ctxlab, run):
    evaluated = ctxlab("eval", f"run={run.run_dir}")
    outcome = ctxlab("predict", f"run={evaluated.run_dir}", "input=a", "output=b")
    assert outcome.status == 2
    assert "ctxlab eval" in outcome.err


def test_a_damaged_record_is_named(ctxlab, run):
    (run.run_dir / ".hydra" / "overrides.yaml").write_text("- [unclosed")
    outcome = ctxlab("eval", f"run={run.run_dir}")
    assert outcome.status == 2
    assert "overrides.yaml is damaged" in outcome.err


def test_a_strange_run_cannot_make_hydra_call_anything(ctxlab, run, tmp_path):
    trap = tmp_path / "sprung"
    planted = [
        "+hydra.callbacks.evil._target_=os.makedirs",
        f"+hydra.callbacks.evil.name={trap}",
        "hydra.sweep.dir=elsewhere",
        "hydra/launcher=basic",
        "++hydra.job.env_set.LD_PRELOAD=evil",
        "resume=elsewhere",
        "stage=predict",
    ]
    (run.run_dir / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump(["seed=3", *planted]))
    outcome = ctxlab("eval", f"run={run.run_dir}")
    assert outcome.status == 0
    assert not trap.exists()
    recorded = yaml.safe_load((outcome.run_dir / ".hydra" / "hydra.yaml").read_text())["hydra"]
    assert recorded["overrides"]["hydra"] == ["hydra.mode=RUN"]
    assert outcome.config.stage == "eval"


@pytest.mark.slow
def test_masked_secrets_are_not_taken_for_values(ctxlab):
    made = ctxlab("train", "tracking._target_=ctxlab.tracking.wandb.Wandb", "+tracking.api_key=0123456789", "seed=2")
    outcome = ctxlab("eval", f"run={made.run_dir}")
    assert outcome.status == 0
    assert "api_key" not in outcome.config.tracking
    assert outcome.config.seed == 2


def resumable(run: Run) -> None:
    (run.run_dir / "checkpoints" / "step-00000001").mkdir(parents=True)


@pytest.mark.parametrize(
    ("words", "before"),
    [
        (["model=tiny_llama"], "model=minilm"),
        (["model.path=owner/weights"], "model.path=null"),
        (["model.attention_dropout=0.5"], "model.attention_dropout=0.0"),
        (["seed=4"], "seed=3"),
        (["trainer.max_steps=5"], "trainer.max_steps=9"),
        (["trainer.max_flops=1e9"], "trainer.max_flops=null"),
        (["optimizer.lr=1"], "optimizer.lr="),
        (["tuning=head"], "tuning=full"),
        (["task.labels=[X]"], "task.labels=null"),
        (["task.outside_weight=0"], "task.outside_weight=1.0"),
        (["-m", "seed=3,4"], "seed=3"),
        (["~model.path"], "model.path=null"),
    ],
)
@pytest.mark.parametrize("stage", ["eval", "predict", "verify"])
def test_what_training_has_settled_is_refused_by_the_stages_after_it(ctxlab, run, stage, words, before):
    needed = ["input=a", "output=b"] if stage == "predict" else []
    outcome = ctxlab(stage, f"run={run.run_dir}", *needed, *words)
    assert outcome.status == 2
    assert outcome.err.count("\n") == 1
    asked = words[-1]
    assert f"{asked} cannot be changed: the run in {run.run_dir} was trained with {before}" in outcome.err
    assert outcome.calls == []


@pytest.mark.parametrize(
    ("word", "before"),
    [
        ("model=tiny_llama", "model=minilm"),
        ("data.train_file=other.jsonl", "data.train_file="),
        ("data=generated", "data=files"),
        ("data.max_documents=8", "data.max_documents=7"),
        ("context=512", "context=6000"),
        ("context=4096", "context=6000"),
        ("context.length=512", "context.length=6000"),
        ("strategy=truncate", "strategy=chunk"),
        ("strategy/positions=keep", "strategy/positions=tile"),
        ("task.outside_weight=0", "task.outside_weight=1.0"),
        ("optimizer.weight_decay=1", "optimizer.weight_decay=0.01"),
        ("tuning=head", "tuning=full"),
        ("seed=4", "seed=3"),
        ("trainer.tokens_per_step=9", "trainer.tokens_per_step=4096"),
    ],
)
def test_what_cannot_be_changed_half_way_is_refused_by_resume(ctxlab, run, word, before):
    resumable(run)
    outcome = ctxlab("train", f"resume={run.run_dir}", word)
    assert outcome.status == 2
    assert outcome.err.count("\n") == 1
    assert " cannot be changed: resume= continues" in outcome.err
    assert before in outcome.err
    assert outcome.calls == []


@pytest.mark.slow
def test_what_is_repeated_or_may_change_is_taken(ctxlab, run, monkeypatch):
    resumable(run)
    monkeypatch.chdir(run.cwd)
    same = ["model=minilm", "data.train_file=files/a.jsonl", "context=6000", "seed=3", "strategy/positions=tile"]
    open_ = ["trainer.max_steps=20", "trainer.precision=fp32", "optimizer.lr=1e-5", "scheduler=cosine", "tracking=none"]
    outcome = ctxlab("train", f"resume={run.run_dir}", *same, *open_)
    assert outcome.status == 0, outcome.err
    assert outcome.config.trainer.max_steps == 20
    assert outcome.config.optimizer.lr == 1e-5
    assert ctxlab("eval", f"run={run.run_dir}", "model=minilm", "seed=3", "data=generated").status == 0


@pytest.mark.slow
def test_a_repeated_group_does_not_undo_what_the_run_has_in_it(ctxlab):
    made = ctxlab("train", "model=minilm", "model.dropout=0.3", "seed=2")
    assert ctxlab("eval", f"run={made.run_dir}", "model=minilm").config.model.dropout == 0.3
    (made.run_dir / "checkpoints" / "step-00000001").mkdir(parents=True)
    assert ctxlab("train", f"resume={made.run_dir}", "model=minilm").config.model.dropout == 0.3


def test_nothing_is_settled_before_the_first_checkpoint(ctxlab, run):
    outcome = ctxlab("train", f"resume={run.run_dir}", "seed=4", "strategy=truncate")
    assert outcome.status == 0, outcome.err
    assert outcome.config.seed == 4


def test_options_of_the_users_own_are_found_again(ctxlab, tmp_path):
    folder = tmp_path / "it's mine"
    (folder / "experiment").mkdir(parents=True)
    (folder / "experiment" / "lucky.yaml").write_text("# @package _global_\nseed: 7\n")
    first = ctxlab("train", "--config-dir", str(folder), "+experiment=lucky", "task=ner")
    assert first.config.seed == 7
    shutil.copytree(first.run_dir, tmp_path / "run")
    for words in (("train", f"resume={tmp_path}/run"), ("eval", f"run={tmp_path}/run")):
        again = ctxlab(*words)
        assert (again.status, again.config.seed) == (0, 7), again.err
    moved = folder.rename(tmp_path / "moved")
    gone = ctxlab("train", f"resume={tmp_path}/run")
    assert gone.status == 2
    assert gone.err.strip() == (
        f"{tmp_path}/run was started with the options of {folder}, which is no longer there: say where they are now "
        "with --config-dir <folder>."
    )
    found = ctxlab("train", "--config-dir", str(moved), f"resume={tmp_path}/run")
    assert (found.status, found.config.seed) == (0, 7), found.err


@pytest.mark.parametrize(
    "words", [["--config-dir", "/gone"], ["hydra.searchpath=[file:///gone]"], ["hydra.searchpath=[pkg://conf,/gone]"]]
)
def test_a_folder_of_options_that_does_not_exist_is_named(ctxlab, words):
    outcome = ctxlab("train", *words, "task=ner")
    assert outcome.status == 2
    assert outcome.err.startswith("There is no folder /gone of options of your own: ")
