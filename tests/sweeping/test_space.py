"""Spaces from files: their points against itertools, and mistakes with their file and line."""

import re
from itertools import product
from pathlib import Path

import pytest
import yaml

from ctxlab.command.compose import compose
from ctxlab.core.errors import UserError
from ctxlab.sweeping.space import read_space

TEXT = """\
# what is tried
optimizer:
  lr: {log: [1e-5, 1e-3]}
context.length: {choice: [512, 4096]}
"""


def test_keys_may_be_dotted_or_nested_and_under_space(tmp_path):
    path = tmp_path / "space.yaml"
    path.write_text(TEXT)
    found, source = read_space(str(path))
    assert found.names == ["optimizer.lr", "context.length"]
    assert found.size is None
    assert source.at("optimizer.lr") == f"{path}, line 3: optimizer.lr"
    path.write_text("space:\n" + "".join(f"  {line}\n" for line in TEXT.splitlines()))
    again, source = read_space(str(path))
    assert again == found
    assert source.at("context.length") == f"{path}, line 5: context.length"


def test_points_are_those_of_the_product_in_its_order():
    found, _ = read_space({"a": {"choice": ["x", "y"]}, "b": {"int": [1, 3]}, "c": {"choice": [True]}})
    expected = [dict(zip("abc", values, strict=True)) for values in product("xy", (1, 2, 3), ("true",))]
    assert [found.at(index) for index in range(found.size)] == expected
    assert found.words(expected[0]) == ["a=x", "b=1", "c=true"]
    assert found.values(expected[0]) == {"a": "x", "b": 1, "c": True}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("optimizer.lr: {log: [1e-5, 1e-3\n", ", line 2 is not YAML"),
        ("a: {choice: [1]}\nb: {choice: []}\n", ", line 2: b: choice needs a list"),
        ("a: {choice: [1]}\na: {choice: [2]}\n", ", line 2: a is there twice"),
        ("a: {lgo: [1, 2]}\n", ", line 1: a: there is no form 'lgo'; did you mean 'log'? Forms"),
        ("a: [1, 2]\n", ", line 1: a has no form: write a: {choice: [1, 2]}"),
        ("a: 3\n", ", line 1: a has no form"),
        ("task: {choice: [ner, qa]}\n", "task cannot be searched: scores of different tasks cannot be ranked"),
        ("hydra.run.dir: {choice: [a]}\n", "hydra.run.dir cannot be searched"),
        ("", "has no keys to search"),
        ("- a\n", "has no keys to search"),
    ],
)
def test_a_mistake_is_named_with_its_file_and_line(text, says, tmp_path):
    path = tmp_path / "space.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as refused:
        read_space(str(path))
    assert says in str(refused.value)
    assert str(path) in str(refused.value)


def test_a_missing_file_is_named_and_its_copy_is_read_instead(tmp_path):
    with pytest.raises(UserError, match=r"sweep.space=nowhere.yaml does not exist"):
        read_space("nowhere.yaml", fallback=tmp_path / "space.yaml")
    (tmp_path / "space.yaml").write_text("a: {choice: [1]}\n")
    assert read_space("nowhere.yaml", fallback=tmp_path / "space.yaml")[0].names == ["a"]


DOCS = (Path(__file__).parents[2] / "docs" / "sweep.md").read_text()


def test_the_page_shows_a_space_that_is_read_and_commands_that_compose():
    (text,) = re.findall(r"^```yaml\n(.*?)^```", DOCS, re.MULTILINE | re.DOTALL)
    assert len(read_space(yaml.safe_load(text))[0].names) == 5
    commands = re.findall(r"^ctxlab (sweep .*)$", DOCS, re.MULTILINE)
    assert len(commands) == 4
    for line in commands:
        if "resume=" not in line:
            compose("sweep", line.split()[1:])
