"""What a command is called by while its stage runs."""

import sys

import pytest
import yaml
from hydra._internal.hydra import Hydra
from hydra.types import RunMode

from ctxlab.config.catalogue import conf_dir
from ctxlab.core import invocation


def commands():
    """Words that the fake stage ``train`` saw, of each call."""
    return sys.modules["ctxlab.stages.train"].commands


def test_a_stage_knows_the_exact_words_and_no_secret(ctxlab, monkeypatch):
    monkeypatch.setenv("MY_API_KEY", "0123456789abcdef")
    given = ["task=ner", "context=600", "task.labels=[a b,{}]", "tracking._target_=ctxlab.tracking.wandb.Wandb"]
    words = [word.format("0123456789abcdef") for word in given] + ["+tracking.api_key=hushhush1"]
    assert ctxlab("train", *words).status == 0
    shown = [word.format("***") for word in given] + ["+tracking.api_key=***"]
    assert commands() == [["ctxlab", "train", *shown]]
    assert invocation.command() == []


def test_after_a_failure_they_are_gone(ctxlab):
    assert ctxlab("train", "seed=13").status == 1
    assert invocation.command() == []


@pytest.fixture
def composed(monkeypatch):
    """Modes in which Hydra composed, of each time."""
    modes, compose = [], Hydra.compose_config

    def noted(app, *args, **kwargs):
        modes.append(kwargs["run_mode"])
        return compose(app, *args, **kwargs)

    monkeypatch.setattr(Hydra, "compose_config", noted)
    return modes


def test_a_command_is_composed_once(ctxlab, composed):
    assert ctxlab("train", "seed=1").status == 0
    assert composed == [RunMode.RUN]


@pytest.mark.slow
def test_a_mode_on_the_command_line_or_in_a_file_of_the_users_counts(ctxlab, composed, tmp_path):
    assert ctxlab("train", "hydra.mode=RUN").status == 0
    assert len(composed) == 2
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "twice.yaml").write_text(
        "# @package _global_\nhydra: {mode: MULTIRUN, sweeper: {params: {seed: '1,2'}}}\n"
    )
    commands().clear()
    ctxlab("train", "--config-dir", str(tmp_path), "+experiment=twice")
    assert len(commands()) == 2


def test_no_file_of_ours_sets_the_mode():
    named = [path for path in conf_dir().rglob("*.yaml") if "hydra" in (found := yaml.safe_load(path.read_text()) or {})
             and "mode" in (found["hydra"] or {})]  # fmt: skip
    assert named == []
