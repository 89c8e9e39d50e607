"""Composing a configuration."""

from copy import deepcopy

from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from ctxlab.command.compose import compose, register


def test_hydra_does_not_copy_the_store_and_composing_leaves_it_as_it_is():
    register()
    store = ConfigStore.instance()
    assert deepcopy(store) is store
    before = OmegaConf.to_yaml(store.load("run_schema.yaml").node)
    config = compose("train", ["task=ner"])
    values = (config.seed, config.trainer.max_steps)
    config.seed, config.trainer.max_steps = 99, 7
    again = compose("train", ["task=ner"])
    assert (again.seed, again.trainer.max_steps) == values
    assert OmegaConf.to_yaml(store.load("run_schema.yaml").node) == before
