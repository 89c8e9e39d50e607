"""Completion as the shells ask for it."""

import os
import shutil
import subprocess
import sys

import pytest

from ctxlab.command.completion import query
from ctxlab.command.compose import compose
from ctxlab.config import catalogue


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ctxlab tr", ["train"]),
        ("ctxlab --v", ["--version"]),
        ("ctxlab completion b", ["bash"]),
        ("ctxlab train --mul", ["--multirun"]),
        ("ctxlab train --cfg ", ["job", "hydra", "all"]),
        ("ctxlab train --info def", ["defaults", "defaults-tree"]),
        ("ctxlab train stra", ["strategy=", "strategy/", "strategy."]),
        ("ctxlab train context=1", ["context=1024", "context=16384"]),
        ("ctxlab train -m context=512,1", ["context=512,1024", "context=512,16384"]),
        ("ctxlab train +exp", ["+experiment="]),
        ("ctxlab train trainer.max_s", ["trainer.max_steps=", "trainer.max_seconds="]),
        ("ctxlab train trainer.precision=b", ["trainer.precision=bf16"]),
        ("ctxlab predict overwrite=", ["overwrite=true", "overwrite=false"]),
        ("ctxlab eval split=t", ["split=train", "split=test"]),
        ("ctxlab train data=files data.tr", ["data.train_file="]),
        ("ctxlab train optimizer=sgd optimizer.mom", ["optimizer.momentum="]),
        ("ctxlab train optimizer=adamw optimizer.mom", []),
        ("ctxlab train nothing_like_it", []),
        ("ctxlab nowhere con", []),
        ("ctxlab train resume=", []),
    ],
)
def test_answers(ctxlab, line, expected):
    assert query(line) == expected


@pytest.mark.parametrize(("word", "expected"), [("tr", ["tracking=", "tracking."]), ("+exp", []), ("out", ["output="])])
def test_a_stage_without_a_task_has_its_own_keys_only(word, expected):
    assert query(f"ctxlab report {word}") == expected


@pytest.mark.by_default(1)
@pytest.mark.parametrize("stage", ["train", "eval", "predict", "verify"])
def test_the_keys_are_those_that_hydra_composes(ctxlab, stage):
    """The quick reading of ``conf/`` against the real composition."""
    from omegaconf import OmegaConf

    def leaves(node, prefix=""):
        for key in node:
            child = node._get_node(key)
            if OmegaConf.is_dict(child) and not child._is_none() and not child._is_missing():
                yield from leaves(child, f"{prefix}{key}.")
            elif key != "_target_":
                yield f"{prefix}{key}"

    chosen = {"strategy": "chunk", "optimizer": "sgd", "data": "files"}
    composed = set(leaves(compose(stage, [f"{group}={option}" for group, option in chosen.items()])))
    quick = {key for key, entry in catalogue.tree(stage, chosen).items() if entry.value}
    assert quick == composed


def test_the_defaults_are_those_that_hydra_composes():
    choices = compose("eval", with_hydra=True).hydra.runtime.choices
    for group, option in catalogue.defaults(catalogue.option_file("", "eval")):
        assert choices[group] == option


@pytest.mark.by_default(3)
@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("line", "replies"),
    [
        ("ctxlab train trainer.max_st", "trainer.max_steps="),
        ("ctxlab train context=40", "4096"),  # bash itself breaks words at the equals sign
        ("ctxlab train -m strategy=chunk,den", "chunk,dense"),
        ("ctxlab tra", "train"),
        ("ctxlab report mine", "mine1/ mine2/"),
        ("ctxlab report o", "output= outputs/"),
        ("ctxlab report mine1/", "mine1/inner/"),
        ("ctxlab train mine", ""),
    ],
)
def test_bash(tmp_path, line, replies):
    program = tmp_path / "ctxlab"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m ctxlab.cli "$@"\n')
    program.chmod(0o755)
    script = f"""
eval "$(ctxlab completion bash)"
COMP_LINE='{line}' COMP_POINT={len(line)}
_ctxlab 2>/dev/null
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    environment = os.environ | {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PYTHONPATH": str(catalogue.conf_dir().parent),
    }
    for name in ("mine1/inner", "mine2", "outputs"):
        (tmp_path / "here" / name).mkdir(parents=True)
    ended = subprocess.run(
        ["bash", "--norc", "-c", script],
        capture_output=True, text=True, env=environment, timeout=60, cwd=tmp_path / "here",
    )  # fmt: skip
    assert sorted(ended.stdout.split()) == sorted(replies.split())
    assert ended.stderr == ""
