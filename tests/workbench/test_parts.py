"""The one place where configuration becomes parts."""

from pathlib import Path

import pytest

from ctxlab.command.compose import compose
from ctxlab.config.schema import TrainerConfig
from ctxlab.core.errors import UserError
from ctxlab.strategies.attention.local import Local
from ctxlab.strategies.reading.chunk import Chunk
from ctxlab.workbench.parts import Start, make_parts


def made(*words, stage="train"):
    return make_parts(compose(stage, words), Path("run"))


def test_values_reach_their_parts():
    parts = made("context=384", "seed=5", "data_seed=6", "trainer.max_steps=7", "strategy/attention=local",
                 "strategy.attention.window=30", "optimizer.lr=0.25", "task=qa", "model=tiny_t5")  # fmt: skip
    assert (parts.length, parts.seed, parts.data_seed) == (384, 5, 6)
    assert isinstance(parts.trainer, TrainerConfig)
    assert parts.trainer.max_steps == 7
    assert isinstance(parts.strategy.attention, Local)
    assert (parts.task.name, parts.model.name, parts.optimizer.lr) == ("qa", "tiny_t5", 0.25)
    assert isinstance(made("strategy=chunk").strategy.reading, Chunk)
    assert (parts.origin.stage, parts.origin.run_dir, parts.origin.group) == ("train", Path("run"), "")


def test_a_run_that_is_started_from():
    assert made().start is None
    assert made("resume=there").start == Start(Path("there"), "latest")
    assert made("run=there", "checkpoint=latest", stage="eval").start == Start(Path("there"), "latest")
    assert made("run=there", stage="verify").start == Start(Path("there"), "best")
    assert made(stage="verify").start is None


def test_a_fold_is_held_out_where_it_is_asked_for():
    assert made().hold_out is None
    held = made("folds=5", "fold=2").hold_out
    assert (held.num_folds, held.fold) == (5, 2)


def test_no_secret_is_in_what_trackers_are_given():
    config = compose("train", ["tracking=wandb", "+tracking.api_key=hushhush"])
    assert "hushhush" in str(config)
    with pytest.raises(UserError):
        make_parts(config, Path("run"))  # it is no key of the tracker
    del config.tracking.api_key
    config.data.path = "https://user:hushhush@host/x" if "path" in config.data else None
    assert "hushhush" not in str(make_parts(config, Path("run")).origin.config)
