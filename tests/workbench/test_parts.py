"""Building the parts from the configuration."""

from pathlib import Path

import pytest

from ctxlab.command.compose import compose
from ctxlab.config.keys.run import TrainerConfig
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


@pytest.mark.by_default(2)
@pytest.mark.parametrize(
    ("stage", "values", "expected"),
    [
        ("train", {}, None),
        ("train", {"resume": "there"}, Start(Path("there"), "latest")),
        ("eval", {"run": "there", "checkpoint": "latest"}, Start(Path("there"), "latest")),
        ("verify", {"run": "there"}, Start(Path("there"), "best")),
        ("verify", {}, None),
    ],
)
def test_a_run_that_is_started_from(stage, values, expected):
    config = compose(stage, [])
    for key, value in values.items():
        config[key] = value
    assert make_parts(config, Path("run")).start == expected


def test_a_fold_is_held_out_where_it_is_asked_for():
    assert made().hold_out is None
    held = made("folds=5", "fold=2").hold_out
    assert (held.num_folds, held.fold) == (5, 2)


def test_the_configuration_is_kept_resolved_for_trackers_alone():
    parts = made("context=384", "strategy=chunk")
    assert parts.origin.config["context"]["length"] == 384
    assert "${" not in str(parts.origin.config)
