"""The command line as a user sees it."""

import importlib
import io
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ctxlab.cli import main
from ctxlab.command import help as help_page
from ctxlab.config import catalogue

PACKAGE_PARENT = str(catalogue.conf_dir().parent)


def one_line(text: str) -> str:
    assert text.count("\n") == 1
    assert "Traceback" not in text
    return text


def test_version(ctxlab):
    from importlib.metadata import version

    assert ctxlab("--version").out == f"ctxlab {version('ctxlab')}\n"


@pytest.mark.by_default(25)
@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["trian"], ["'trian'", "'train'", "eval, predict, train"]),
        (["task=ner"], ["ctxlab train task=ner"]),
        (["--hlep"], ["--hlep", "'--help'"]),
        (["train", "--hlep"], ["--hlep", "'--help'"]),
        (["train", "task=nre"], ["task=nre", "'ner'", "Choices: ", "ner"]),
        (["train", "contxt=4096"], ["contxt", "'context'", "trainer"]),
        (["train", "trainer.max_step=5"], ["trainer.max_step", "'trainer.max_steps'", "save_every_steps"]),
        (["train", "trainr.max_steps=5"], ["trainr", "'trainer'"]),
        (["train", "strategy/attention=locl"], ["strategy/attention=locl", "'local'", "full"]),
        (["train", "strategy/atention=local"], ["strategy/atention", "'strategy/attention'"]),
        (["train", "strategy.attention=local"], ["strategy/attention=local"]),
        (["train", "optimizer.learning_rate=1"], ["optimizer.learning_rate", "lr"]),
        (["train", "hydra.rn.dir=x"], ["hydra.rn", "'run'"]),
        (["train", "context=abc"], ["context=abc", "4096", "16"]),
        (["train", "context=4k"], ["context=4k", "number of tokens"]),
        (["train", "context=0"], ["context=0", "16"]),
        (["train", "context=-5"], ["context=-5", "number of"]),
        (["train", "context=4096.5"], ["context=4096.5", "number of"]),
        (["train", "context=[512,1024]"], ["context=[512, 1024]"]),
        (["train", "context.length=3"], ["context.length=3", "16"]),
        (["train", "context=512,1024"], ["context=512,1024", "-m"]),
        (["train", "task=null"], ["task=null", "ner"]),
        (["train", "task=7"], ["task=7", "ner"]),
        (["train", "task=../data/files"], ["../data/files"]),
        (["train", "+context=512"], ["write context=512 without the plus"]),
        (["train", "nonsense"], ["nonsense", "key=value"]),
        (["train", "a={b"], ["a={b"]),
        (["train", "seed=abc"], ["seed=abc", "whole number"]),
        (["train", "seed=-1"], ["seed=-1", "0"]),
        (["train", "trainer.max_seconds=soon"], ["trainer.max_seconds=soon", "a number"]),
        (["train", "trainer.max_steps=0"], ["trainer.max_steps=0", "1"]),
        (["train", "trainer.precision=fp8"], ["trainer.precision=fp8", "bf16"]),
        (["train", "trainer.early_stopping_patience=2"], ["early_stopping_patience=2", "eval_every_steps"]),
        (["train", "seed=${nowhere}"], ["nowhere"]),
        (["train", "stage=eval"], ["stage=eval", "ctxlab train"]),
        (["train", "--cfg"], ["--cfg", "value"]),
        (["train", "--cfg", "job", "-m", "seed=1,2"], ["--cfg", "--multirun"]),
        (["train", "--cfg", "jobs"], ["--cfg jobs", "hydra"]),
        (["train", "--resolve"], ["--resolve", "--cfg job"]),
        (["train", "--experimental-rerun", "x.pickle"], ["--experimental-rerun", "pickle"]),
        (["train", "resume=nowhere"], ["resume=nowhere", "directory of a training run"]),
        (["train", "run=somewhere"], ["run=", "resume="]),
        (["eval", "resume=somewhere"], ["resume=", "run="]),
        (["eval", "run=nowhere"], ["run=nowhere"]),
        (["predict"], ["input="]),
        (["completion", "fish"], ["fish", "bash"]),
        (["completion"], ["bash"]),
        (["train", "-m", "task=ner,nre"], ["'nre'", "'ner'"]),
        (["train", "-m", "seed=1,2", "trainer.max_step=3,4"], ["trainer.max_step", "'trainer.max_steps'"]),
        (["train", "-m", "context=512,abc"], ["abc"]),
        (["train", "-m", "context=glob(9*)"], ["glob(9*)", "4096"]),
    ],
)
def test_a_mistake_gets_one_line_and_status_2_and_leaves_nothing(ctxlab, tmp_path, words, parts):
    outcome = ctxlab(*words)
    assert outcome.status == 2
    assert outcome.calls == []
    for part in parts:
        assert part in one_line(outcome.err)
    assert list((tmp_path / "work").iterdir()) == []


def test_a_run_gets_its_configuration_and_a_directory_of_its_own(ctxlab):
    outcome = ctxlab("train", "context=6000", "trainer.max_steps=3")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.config.context.length == 6000
    assert outcome.config.trainer.max_steps == 3
    assert outcome.config.stage == "train"
    assert "hydra" not in outcome.config
    folder = outcome.run_dir.relative_to(Path.cwd())
    assert re.fullmatch(r"outputs/train/ner-longformer-6000/\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d-[a-z2-9]{6}", str(folder))
    present = {str(path.relative_to(outcome.run_dir)) for path in outcome.run_dir.rglob("*") if path.is_file()}
    assert {"config.yaml", ".hydra/config.yaml", ".hydra/overrides.yaml", ".hydra/hydra.yaml", "train.log"} <= present


def test_the_trainer_section_becomes_the_dataclass(ctxlab):
    from omegaconf import OmegaConf

    from ctxlab.config.keys.run import TrainerConfig

    trainer = OmegaConf.to_object(ctxlab("train", "trainer.clip_norm=2").config.trainer)
    assert isinstance(trainer, TrainerConfig)
    assert trainer.clip_norm == 2.0
    assert trainer.save_every_steps == 100


@pytest.mark.slow
def test_flags_may_come_after_overrides(ctxlab):
    assert ctxlab("train", "context=512", "--cfg", "job").out == ctxlab("train", "--cfg=job", "context=512").out


@pytest.mark.by_default(2)
@pytest.mark.parametrize(
    ("words", "part"), [(["--version"], "Hydra 1."), (["--info", "defaults-tree"], "ner"), (["--hydra-help"], "hydra")]
)
def test_hydra_flags_for_information_are_passed_on(ctxlab, words, part):
    shown = ctxlab("train", *words)
    assert shown.status == 0
    assert part in shown.out
    assert shown.calls == []


def test_cfg_prints_the_job_and_runs_nothing(ctxlab, tmp_path):
    shown = ctxlab("train", "context=512", "seed=7", "--cfg", "job")
    assert shown.status == 0
    assert "length: 512\n" in shown.out
    assert "seed: 7\n" in shown.out
    assert shown.calls == []
    assert list((tmp_path / "work").iterdir()) == []
    trainer = ctxlab("train", "--cfg", "job", "-p", "trainer").out
    assert trainer.startswith("# @package trainer\n")
    assert "tokens_per_step: 4096\n" in trainer


@pytest.mark.by_default(1)
@pytest.mark.parametrize(
    ("seed", "status", "part"), [(13, 1, "unlucky"), (17, 1, "nonsense"), (15, 2, "No space left")]
)
def test_a_failing_stage_leaves_a_sentence_and_its_traceback_in_the_log(ctxlab, seed, status, part):
    import json

    outcome = ctxlab("train", f"seed={seed}")
    assert outcome.status == status
    assert part in one_line(outcome.err)
    assert ("CTXLAB_TRACEBACK=1" in outcome.err) == (status == 1)
    failure = json.loads((outcome.run_dir / "failure.json").read_text())
    assert part in failure["error"]
    assert failure["type"] == {13: "RuntimeError", 15: "OSError", 17: "ConfigAttributeError"}[seed]
    assert "Traceback (most recent call last)" in (outcome.run_dir / "train.log").read_text()


@pytest.mark.slow
def test_the_traceback_is_shown_on_request(ctxlab, monkeypatch):
    monkeypatch.setenv("CTXLAB_TRACEBACK", "1")
    shown = ctxlab("train", "seed=13").err
    assert "Traceback (most recent call last)" in shown
    assert "RuntimeError: unlucky number" in shown


@pytest.mark.by_default(2)
@pytest.mark.parametrize(("seed", "status"), [(14, 2), (16, 130)])
def test_a_mistake_of_the_stage_and_ctrl_c_at_its_start_leave_nothing(ctxlab, seed, status):
    outcome = ctxlab("train", f"seed={seed}")
    assert outcome.status == status
    assert one_line(outcome.err)
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.slow
def test_a_call_leaves_the_process_as_it_was(ctxlab):
    before = (list(sys.argv), dict(os.environ), list(logging.getLogger().handlers), logging.getLogger().level)
    for seed in (1, 13, 14):
        ctxlab("train", f"seed={seed}")
    assert before == (list(sys.argv), dict(os.environ), list(logging.getLogger().handlers), logging.getLogger().level)


def test_every_flag_of_hydra_is_known():
    from hydra._internal.utils import get_args_parser

    from ctxlab.command.flags import SWITCHES, VALUED

    for action in get_args_parser()._actions:
        if action.option_strings:
            long = action.option_strings[0]
            assert long in (SWITCHES if action.nargs == 0 else VALUED)
            assert (SWITCHES | VALUED)[long] == (action.option_strings[1:] or [""])[0]


def _python(code: str) -> str:
    environment = os.environ | {"PYTHONPATH": PACKAGE_PARENT}
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment, timeout=60
    ).stdout


def test_help_and_completion_import_nothing_heavy():
    code = """
import sys
from ctxlab.cli import main
for words in ("--help", "help train", "train task=qa strategy=yarn --help", "train -h all", "completion --help"):
    main(words.split())
main(["completion", "query", "ctxlab train trainer.max_"]); main(["strategies"]); main(["strategies", "yarn"])
print("LOADED", sorted({"torch", "transformers", "hydra", "omegaconf", "numpy", "rich"} & set(sys.modules)))
"""
    assert _python(code).splitlines()[-1] == "LOADED []"


def test_running_hydra_imports_no_torch_before_the_stage():
    code = """
import sys
from ctxlab.cli import main
status = main(["train", "context=6000", "--cfg", "job"])
for word in ("optimizer.lr=-1", "optimizer.lr=x", "data.train_file=nowhere.jsonl", "optimizer._target_=nowhere.Adam",
             "trainer.max_steps=0", "lr=1"):
    assert main(["train", word]) == 2
heavy = {"torch", "transformers", "accelerate", "datasets", "evaluate", "wandb"}
print("LOADED", status, sorted(heavy & set(sys.modules)))
"""
    assert _python(code).splitlines()[-1] == "LOADED 0 []"


def test_the_module_runs_as_a_program(tmp_path):
    environment = os.environ | {"PYTHONPATH": PACKAGE_PARENT}
    command = [sys.executable, "-m", "ctxlab.cli", "train", "task=nre"]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=60)
    assert ended.returncode == 2
    assert "'ner'" in one_line(ended.stderr)
    assert ended.stdout == ""
    assert importlib.import_module("ctxlab.cli").main(["--version"]) == 0


def test_a_terminal_that_lacks_characters_gets_them_spelled(monkeypatch):
    monkeypatch.setattr(help_page, "overview", lambda: "docs → 北京\n")
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="gbk"))
    assert main(["--help"]) == 0
    assert raw.getvalue().decode("gbk") == "docs → 北京\n"
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    assert main(["--help"]) == 0
    assert raw.getvalue() == b"docs -> \\u5317\\u4eac\n"
