"""Hydra's part of a configuration: what is allowed stays so, and what would act is refused (more in tests/faults)."""

import pytest

from ctxlab.command.compose import compose
from ctxlab.config import catalogue
from ctxlab.core.errors import UserError

FINE = (
    ["hydra.job_logging.root.level=DEBUG"],
    ["hydra.verbose=true"],
    ["hydra.run.dir=anywhere/else", "hydra.output_subdir=.records"],
    ["hydra.sweep.subdir=${hydra.job.override_dirname}"],
    ["hydra.job_logging.handlers.file.filename='${hydra.runtime.output_dir}/my.log'"],
    ["+hydra.job.env_set.OMP_NUM_THREADS=2"],
    ["hydra/job_logging=default", "hydra/hydra_logging=none"],
)


@pytest.mark.by_default(3)
@pytest.mark.parametrize("stage", catalogue.stages())
def test_every_stage_passes(stage):
    assert compose(stage, [], with_hydra=True).hydra.job.config_name == stage


@pytest.mark.by_default(3)
@pytest.mark.parametrize("words", FINE, ids=str)
def test_what_people_set_is_allowed(words):
    assert compose("train", words).stage == "train"


@pytest.mark.by_default(2)
@pytest.mark.parametrize(
    ("word", "part"),
    [
        ("+hydra.callbacks.mine._target_=os.getcwd", "hydra.callbacks.mine._target_=os.getcwd is refused"),
        ("hydra.job_logging.handlers.file.class=os.mkdir", "handlers.file.class=os.mkdir is refused"),
        ("hydra.output_subdir=../x", "hydra.output_subdir=../x is refused"),
        ("strategy.name=other", "strategy.name=other cannot be set"),
        ("+hydra.job.env_set.LD_PRELOAD=x", "LD_PRELOAD is refused"),
    ],
)
def test_the_key_is_named(word, part):
    with pytest.raises(UserError) as caught:
        compose("train", [word])
    assert part in str(caught.value)
