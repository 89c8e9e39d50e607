"""Every YAML file of every group: it says what it is for, composes, and fits the class that it names."""

import inspect

import pytest
from omegaconf import OmegaConf

from ctxlab.command.compose import compose
from ctxlab.config import annotations, catalogue
from ctxlab.config.build import locate

FILES = [(group, option) for group in catalogue.groups() for option in catalogue.options(group)]
COMPONENTS = [pair for pair in FILES if "_target_" in catalogue.read(catalogue.option_file(*pair))]
WITHOUT_TARGET = {"context", "trainer", "experiment", "strategy", "probe", "task/decoding"}
"""Groups of plain values, or that only compose parts; names of ``probe`` are those of classes, see its own tests."""

WITHIN = {"task/decoding": ["task=translation"]}
"""What has to be chosen for a group to be there."""


def ids(pair):
    return "/".join(pair) if isinstance(pair, tuple) else pair


@pytest.mark.parametrize("pair", FILES, ids=ids)
def test_the_first_line_says_what_it_is_for(pair):
    path = catalogue.option_file(*pair)
    first = path.read_text().splitlines()[0]
    assert first.startswith("# ")
    assert len(catalogue.summary(path)) >= 10


@pytest.mark.parametrize("pair", FILES, ids=ids)
def test_every_key_has_a_comment(pair):
    bare = [key.name for key in catalogue.keys(catalogue.option_file(*pair)) if not key.comment and key.value]
    assert bare == []


@pytest.mark.parametrize("pair", FILES, ids=ids)
def test_it_composes(pair):
    group, option = pair
    prefix = "+" if group == "experiment" else ""
    config = compose("train", [*WITHIN.get(group, ()), f"{prefix}{group}='{option}'"])
    OmegaConf.to_container(config, resolve=True)


@pytest.mark.parametrize("pair", COMPONENTS, ids=ids)
def test_keys_are_the_parameters_of_the_target(pair):
    """No key without effect, and no parameter that only a reader of the code would find."""
    content = catalogue.read(catalogue.option_file(*pair))
    parameters = inspect.signature(locate(content["_target_"])).parameters
    label = set() if "name" in parameters else {"name"}
    parts = {name.split("/")[-1] for name, _ in catalogue.defaults(catalogue.option_file(*pair), pair[0])}
    assert set(content) - {"_target_", "defaults"} - label | parts == set(parameters)


@pytest.mark.parametrize("pair", COMPONENTS, ids=ids)
def test_values_fit_the_annotations_of_the_target(pair):
    content = catalogue.read(catalogue.option_file(*pair))
    plain = {key: value for key, value in content.items() if "${" not in str(value) and value != "???"}
    annotations.check(locate(content["_target_"]), plain, pair[0])


@pytest.mark.parametrize("pair", FILES, ids=ids)
def test_only_groups_of_values_go_without_a_target(pair):
    assert pair in COMPONENTS or pair[0] in WITHOUT_TARGET


@pytest.mark.parametrize("stage", [path.stem for path in sorted(catalogue.conf_dir().glob("*.yaml"))])
def test_primary_configs_explain_themselves(stage):
    path = catalogue.option_file("", stage)
    assert len(catalogue.header(path)) >= 2
    assert [key.name for key in catalogue.keys(path) if not key.comment] == []
