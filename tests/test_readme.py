"""The commands in the README are valid."""

import re
import subprocess
from pathlib import Path

import pytest

from ctxlab.command.compose import compose
from ctxlab.config.catalogue import options
from ctxlab.config.limits import validate

REPOSITORY = Path(__file__).resolve().parent.parent
README = (REPOSITORY / "README.md").read_text()
BLOCKS = re.findall(r"^```\w*\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
COMMANDS = [line for block in BLOCKS for line in block.splitlines() if line.startswith("ctxlab ")]
INLINE = re.findall(r"`(ctxlab train [^`]+)`", README)


@pytest.mark.parametrize("line", [c for c in dict.fromkeys(COMMANDS + INLINE) if "<" not in c and "--help" not in c])
def test_train_commands_compose(line):
    _, stage, *words = line.split("#")[0].split()
    single = [re.sub(r"=([^,\[]+),\S+", r"=\1", word) for word in words if word != "-m"]
    validate(compose(stage, single))


def test_there_are_commands_to_check():
    assert len(COMMANDS) >= 4


def test_the_table_of_strategies_names_every_preset_and_no_other():
    table = README.split("| to | `strategy=` |")[1].split("\n\n")[0]
    named = set(re.findall(r"`(\w+)`", table))
    assert named == set(options("strategy"))


def test_make_targets_of_the_readme_exist():
    listed = subprocess.run(["make", "help"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    for target in {*re.findall(r"`make ([a-z-]+)", README), *re.findall(r"^make ([a-z-]+) +#", README, re.MULTILINE)}:
        assert f"make {target} " in listed, target
