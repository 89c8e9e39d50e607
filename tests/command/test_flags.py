"""Flags and overrides in any order; what each flag takes is read off Hydra's own parser."""

import pytest
from hydra._internal.utils import get_args_parser

from ctxlab.command import flags
from ctxlab.core.errors import UserError


def test_the_flags_are_those_of_hydra_with_their_short_forms():
    declared = {}
    for action in get_args_parser()._actions:
        long = next((word for word in action.option_strings if word.startswith("--")), None)
        short = next((word for word in action.option_strings if not word.startswith("--")), "")
        if long:
            declared[long] = short
    assert flags.SWITCHES.items() <= declared.items()
    assert flags.VALUED.items() <= declared.items()
    assert declared.keys() == flags.SWITCHES.keys() | flags.VALUED.keys()


@pytest.mark.parametrize(
    ("words", "expected", "overrides"),
    [
        (["seed=1", "-m", "context=64"], ["--multirun"], ["seed=1", "context=64"]),
        (["--cfg", "job", "seed=1"], ["--cfg", "job"], ["seed=1"]),
        (["seed=1", "-c=all"], ["--cfg", "all"], ["seed=1"]),
        (["--info", "seed=1"], ["--info", "all"], ["seed=1"]),
        (["--info", "defaults", "seed=1"], ["--info", "defaults"], ["seed=1"]),
        (["-cd", "mine", "--resolve", "-c", "job"], ["--config-dir", "mine", "--resolve", "--cfg", "job"], []),
        ([], [], []),
    ],
)
def test_flags_are_told_from_overrides(words, expected, overrides):
    found = flags.split(words)
    assert (found.flags, found.overrides) == (expected, overrides)
    assert found.names == {word for word in expected if word.startswith("--")}


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--experimental-rerun", "job.pickle"], "--experimental-rerun"),
        (["--config-name", "other"], "--config-name"),
        (["--shell-completion", "install=bash"], "--shell-completion"),
        (["--cfg"], "--cfg"),
        (["--cfg", "jobs"], "job, hydra or all"),
        (["--resolve"], "--cfg"),
        (["--run", "--multirun"], "--multirun and --run"),
        (["--multirunn"], "--multirun"),
        (["--seed", "2"], "seed=2"),
    ],
)
def test_a_flag_that_cannot_be_is_refused_with_what_to_write(words, named):
    with pytest.raises(UserError, match=named):
        flags.split(words)
