"""The types of the shared keys against the files that hold their values."""

import dataclasses

import pytest
from omegaconf import OmegaConf

from ctxlab.command.compose import compose
from ctxlab.config import catalogue, schema


def test_the_types_and_the_file_have_the_same_keys():
    written = [key.name for key in catalogue.keys(catalogue.option_file("trainer", "default"))]
    assert sorted(written) == sorted(field.name for field in dataclasses.fields(schema.TrainerConfig))


@pytest.mark.parametrize("stage", ["train", "eval", "predict", "verify"])
def test_a_stage_has_every_key_of_its_schema(stage):
    config = compose(stage)
    types = {
        "train": schema.RunConfig,
        "eval": schema.EvalConfig,
        "predict": schema.PredictConfig,
        "verify": schema.VerifyConfig,
    }
    assert OmegaConf.get_type(config) is types[stage]
    assert set(config) | {"run", "input", "output"} >= {field.name for field in dataclasses.fields(types[stage])}
    assert config.stage == stage
