"""Paths that do not exist: the message names the nearest one that does."""

from pathlib import Path

import pytest

from ctxlab.core.errors import UserError
from ctxlab.core.paths import check_output, check_there


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    Path("data/train.jsonl").touch()


@pytest.mark.parametrize("text", ["data", "data/train.jsonl", "s3://bucket/x", "data/*.txt", "${oc.env:HOME}/x"])
def test_existing_paths_and_values_that_are_no_path_pass(text):
    check_there("input", text)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("data/trian.jsonl", "data/train.jsonl"),
        ("nowhere/at/all.jsonl", str(Path())),
        ("  ", "input="),
        ("data/zzzz", "data"),
    ],
)
def test_a_missing_path_is_refused_with_the_nearest(text, named):
    with pytest.raises(UserError, match=r"^input=") as caught:
        check_there("input", text)
    assert named in str(caught.value)


def test_home_is_known(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    check_there("input", "~/data")


def test_output_replaces_nothing_unasked():
    assert check_output("data/new.jsonl", overwrite=False) == Path("data/new.jsonl")
    assert check_output("data/train.jsonl", overwrite=True) == Path("data/train.jsonl")
    with pytest.raises(UserError, match="overwrite=true"):
        check_output("data/train.jsonl", overwrite=False)
    with pytest.raises(UserError, match="nowhere"):
        check_output("nowhere/new.jsonl", overwrite=True)
