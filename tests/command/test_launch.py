"""What a command is called by while its stage runs."""

import sys

from ctxlab.core import invocation


def commands():
    """Words that the fake stage ``train`` saw, of each call."""
    return sys.modules["ctxlab.stages.train"].commands


def test_a_stage_knows_the_exact_words_and_no_secret(ctxlab, monkeypatch):
    monkeypatch.setenv("MY_API_KEY", "0123456789abcdef")
    given = ["task=ner", "context=600", "task.labels=[a b,{}]", "tracking._target_=ctxlab.tracking.wandb.Wandb"]
    words = [word.format("0123456789abcdef") for word in given] + ["+tracking.api_key=hushhush1"]
    assert ctxlab("train", *words).status == 0
    shown = [word.format("***") for word in given] + ["+tracking.api_key=***"]
    assert commands() == [["ctxlab", "train", *shown]]
    assert invocation.command() == []


def test_after_a_failure_they_are_gone(ctxlab):
    assert ctxlab("train", "seed=13").status == 1
    assert invocation.command() == []
