"""The types of the shared keys against the files that hold their values."""

import dataclasses

import pytest
from omegaconf import OmegaConf

from ctxlab.command.compose import compose
from ctxlab.config import catalogue
from ctxlab.config.keys.run import RunConfig, TrainerConfig
from ctxlab.config.schema import SCHEMAS

SCHEMAS_OF = {name.removesuffix("_schema"): kind for name, kind in SCHEMAS.items() if kind is not RunConfig}
"""Schemas of the stages but ``train``."""


def test_the_types_and_the_file_have_the_same_keys():
    written = [key.name for key in catalogue.keys(catalogue.option_file("trainer", "default"))]
    assert sorted(written) == sorted(field.name for field in dataclasses.fields(TrainerConfig))


@pytest.mark.parametrize("stage", ["train", *SCHEMAS_OF])
def test_a_stage_has_every_key_of_its_schema(stage):
    config, kind = compose(stage), SCHEMAS_OF.get(stage, RunConfig)
    assert OmegaConf.get_type(config) is kind
    assert set(config) | {"run", "input", "output"} >= {field.name for field in dataclasses.fields(kind)}
    assert config.stage == stage
