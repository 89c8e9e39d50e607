"""The tree tells: a folder of components lists components and nothing else, and each has its YAML file."""

from pathlib import Path

import pytest

import ctxlab
from ctxlab.config import catalogue

PACKAGE = Path(ctxlab.__file__).parent

FOLDERS = {
    "task": "tasks",
    "model": "models",
    "objective": "objectives",
    "optimizer": "optim/optimizers",
    "scheduler": "optim/schedules",
    "tuning": "optim/tuning",
    "data": "data/sources",
    "probe": "corpora/probes",
    **{
        f"strategy/{part}": f"strategies/{part}"
        for part in ("reading", "positions", "attention", "memory", "curriculum")
    },
}
"""Where the components of a group lie."""


def modules(folder: str) -> set[str]:
    return {path.stem for path in (PACKAGE / folder).glob("*.py")} - {"__init__"}


@pytest.mark.parametrize(("group", "folder"), FOLDERS.items())
def test_a_folder_of_components_lists_components_and_nothing_else(group, folder):
    targets = {
        target.rsplit(".", 2)[1]
        for option in catalogue.options(group)
        if (target := catalogue.read(catalogue.option_file(group, option)).get("_target_"))
    }
    assert modules(folder) == (targets or set(catalogue.options(group)))


def test_every_group_with_classes_is_looked_at():
    """But trackers, beside which the log and the display lie."""
    targets = {
        group
        for group in catalogue.groups()
        if any("_target_" in catalogue.read(catalogue.option_file(group, name)) for name in catalogue.options(group))
    }
    assert targets - {"tracking"} <= set(FOLDERS)


def test_the_stages_are_the_commands():
    assert modules("stages") == set(catalogue.stages()) == {path.stem for path in catalogue.conf_dir().glob("*.yaml")}


def test_every_task_has_a_grammar():
    assert set(catalogue.options("task")) <= modules("corpora")
