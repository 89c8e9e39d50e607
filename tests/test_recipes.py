"""docs/extending.md as it stands: components added by the README's recipe alone, in the tree and as a plug-in.

The code is taken from the page; the oracle of the tagging metric is the page's own hand-worked case.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from ctxlab.config import catalogue

ROOT = catalogue.conf_dir().parent
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^`([\w/.]+)`\n\n```\w+\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
"""Path → content of every file that the page shows."""
ROWS = re.findall(r"^\| `(.+?)` \| `(.+?)` \|$", PAGE, re.MULTILINE)
TEST = "tests/evaluation/test_tagging.py"

TRAIN = ("train", "task=pos", "strategy/attention=blockwise", "strategy.attention.block=8", "model=tiny_bert",
         "context=64", "data.documents=2", "data.validation_documents=1", "data.test_documents=1",
         "data.words_per_document=40", "trainer.max_steps=1", "tracking=none", "hydra.run.dir=run")  # fmt: skip

LISTED = """
import sys
from ctxlab.cli import main

assert main(["train", "--help", "all"]) == 0
assert main(["completion", "query", "ctxlab train task=po"]) == 0
assert main(["completion", "query", "ctxlab train strategy/attention=blockw"]) == 0
assert main(["strategies"]) == 0
assert main(["strategies", "blockwise"]) == 0
heavy = {"torch", "transformers", "longlab"} & set(sys.modules)
assert not heavy, heavy
assert main(["train", "strategy/attention=blockwise", "strategy.attention.blok=8"]) == 2
assert main(["train", "strategy/attention=blockwise", "strategy.attention.block=small"]) == 2
heavy = {"torch", "transformers", "longlab"} & set(sys.modules)
assert not heavy, heavy
"""


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def run(code: str, folder: Path, path: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": path, "CTXLAB_TRACEBACK": "1", "CTXLAB_CACHE": str(folder / "cache")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder, env=environment)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done


def check_listing(done: subprocess.CompletedProcess[str]) -> None:
    for line in ("task=pos\n", "strategy/attention=blockwise\n"):  # what completion answers
        assert line in done.stdout
    assert "Parts of speech: one tag per word" in done.stdout
    assert "Blocks that do not overlap, and a few global tokens" in " ".join(done.stdout.split())
    assert "https://arxiv.org/abs/1801.10198" in done.stdout
    assert "did you mean 'strategy.attention.block'" in done.stderr
    assert "small" in done.stderr


def test_the_page_shows_every_file_that_it_moves():
    moved = [old for old, _ in ROWS if "/" in old]
    assert {*moved, "pyproject.toml", TEST} == set(FILES)


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """ctxlab and its configuration with the page's files in it, and nothing else changed."""
    root = tmp_path_factory.mktemp("tree")
    for name in ("ctxlab", "conf"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    before = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    added = {name: text for name, text in FILES.items() if name != "pyproject.toml"}
    assert not before & added.keys()
    write(root, added)
    return root


@pytest.mark.slow
def test_one_python_file_and_one_yaml_file_are_enough(copy):
    code = f"""{LISTED}
import pytest
assert main({[*TRAIN, "data=generated"]!r}) == 0
assert pytest.main(["-q", "-p", "no:cacheprovider", {TEST!r}]) == 0
"""
    done = run(code, copy, str(copy))
    check_listing(done)
    result = json.loads((copy / "run" / "result.json").read_text())
    assert result["task"] == "pos"
    assert result["primary_metric"] == "accuracy"
    assert 0 <= result["metrics"]["test"]["accuracy"] <= 1
    assert "1 passed" in done.stdout


@pytest.mark.slow
def test_a_plugin_brings_the_same_and_evaluates_from_its_own_configuration(tmp_path):
    declared = tomllib.loads(FILES["pyproject.toml"])["project"]
    points = declared["entry-points"]["ctxlab.plugins"]
    info = f"{declared['name']}-{declared['version']}.dist-info"
    places, changes = ([row for row in ROWS if ("/" in row[0]) is moved] for moved in (True, False))
    files = {new: FILES[old] for old, new in places}
    for old, new in changes:
        assert sum(old in text for text in files.values()) == 1
        files = {name: text.replace(old, new) for name, text in files.items()}
    folders = {Path(name).parent for name in files if name.endswith(".py")}
    write(tmp_path / "site", {
        **files,
        **{f"{folder}/__init__.py": "" for folder in folders},
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {declared['name']}\nVersion: {declared['version']}\n",
        f"{info}/entry_points.txt": "[ctxlab.plugins]\n" + "".join(f"{k} = {v}\n" for k, v in points.items()),
    })  # fmt: skip
    code = f"""{LISTED}
import ctxlab
assert main({[*TRAIN, "data=generated"]!r}) == 0
assert main(["eval", "run=run", "split=test", "tracking=none", "hydra.run.dir=again"]) == 0
assert ctxlab.load("run").predict(["The boat ."])[0]["tokens"] == ["The", "boat", "."]
"""
    check_listing(run(code, tmp_path, os.pathsep.join([str(tmp_path / "site"), str(ROOT)])))
    trained, again = (json.loads((tmp_path / name / "result.json").read_text()) for name in ("run", "again"))
    assert trained["metrics"]["test"] == again["metrics"]["test"]
    scores = (tmp_path / "again" / "scores" / "test.jsonl").read_text()
    assert list(json.loads(scores.splitlines()[0])["statistics"]) == ["longlab.sufficient.tagging"]
