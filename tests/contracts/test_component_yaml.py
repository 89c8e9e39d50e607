"""Every YAML file of every group says what it is for, composes, and matches the class that it names."""

import inspect
from itertools import zip_longest

import pytest
from omegaconf import OmegaConf

from ctxlab.command.compose import compose
from ctxlab.config import annotations, catalogue
from ctxlab.config.build import locate

FILES = [(group, option) for group in catalogue.groups() for option in catalogue.options(group)]
WITHOUT_TARGET = {
    "context",
    "trainer",
    "experiment",
    "strategy",
    "probe",
    "sweep",
    "task/decoding",
    "task/members",
    "model/growth",
    "model/numbers",
    "device",
}
"""Groups of plain values, or that only compose parts; names of ``probe`` are those of classes, see its own tests."""

WITHIN = {"task/decoding": ["task=translation"], "task/members": ["task=multi"]}
"""What has to be chosen for a group to be there."""

STAGES = {
    "sweep": "sweep",
    "device": "plan",
    "perturb": "eval",
    "label": "label",
    "audit": "audit",
    "explanation": "explain",
    "compression": "compress",
    "export": "export",
    "runtime": "eval",
    "privacy": "predict",
    "drift": "monitor",
    "surge": "monitor",
}
"""Group → the stage that has it; all others are groups of ``train`` too."""


APART = {"experiment", "task/decoding", "task/members"}
"""Groups whose options choose those of other groups, or are there with some of these alone."""


def ids(pair):
    return "/".join(pair) if isinstance(pair, tuple) else pair


@pytest.mark.parametrize("pair", FILES, ids=ids)
def test_a_file_explains_itself_and_fits_its_class(pair):
    group, option = pair
    path = catalogue.option_file(group, option)
    assert path.read_text().splitlines()[0].startswith("# ")
    assert len(catalogue.summary(path)) >= 10
    assert [key.name for key in catalogue.keys(path) if not key.comment and key.value] == []
    content = catalogue.read(path)
    if "_target_" in content:
        parts = {name.split("/")[-1] for name, _ in catalogue.defaults(path, group)}
        assert_fits_its_class(group, content, parts | catalogue.lists(path).keys())
    else:
        assert group in WITHOUT_TARGET


def rows():
    """Every file in a command, few commands: one file of each group in each, but a preset apart from its parts.

    By default only the first file of a group of another stage, whose own tests compose what they use.
    """
    words = {group: [] for group in catalogue.groups()}
    for group, option in FILES:
        words[group].append([*WITHIN.get(group, ()), f"{'+' if group == 'experiment' else ''}{group}='{option}'"])
    parts = [group for group in words if group.startswith("strategy/")]
    others = [group for group in words if group not in {*APART, *STAGES, *parts}]
    for group in (one for one in words if one in {*APART, *STAGES}):
        for place, file in enumerate(words[group]):
            rest = place and group in STAGES
            yield pytest.param(STAGES.get(group, "train"), file, marks=pytest.mark.slow if rest else ())
    for groups in (others, parts):
        for row in zip_longest(*(words[group] for group in groups), fillvalue=()):
            yield "train", [word for file in row for word in file]


@pytest.mark.parametrize(
    ("stage", "words"), list(rows()), ids=lambda given: " ".join(given) if isinstance(given, list) else given
)
def test_files_compose(stage, words):
    OmegaConf.to_container(compose(stage, words), resolve=True)


def assert_fits_its_class(group, content, parts):
    """Every key is a parameter of the class, every parameter has a key, and every value has the annotated type."""
    target = locate(content["_target_"])
    parameters = inspect.signature(target).parameters
    label = set() if "name" in parameters else {"name"}
    assert set(content) - {"_target_", "defaults"} - label | parts == set(parameters)
    plain = {key: value for key, value in content.items() if "${" not in str(value) and value != "???"}
    annotations.check(target, plain, group)


@pytest.mark.parametrize("stage", [path.stem for path in sorted(catalogue.conf_dir().glob("*.yaml"))])
def test_primary_configs_explain_themselves(stage):
    path = catalogue.option_file("", stage)
    assert len(catalogue.header(path)) >= 2
    assert [key.name for key in catalogue.keys(path) if not key.comment] == []
