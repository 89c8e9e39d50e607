"""Directories without a key."""

import pytest

from ctxlab.command.positional import rewrite
from ctxlab.core.errors import UserError


def test_words_without_an_equals_sign_are_directories_of_the_stages_that_take_some(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lr=1").mkdir()
    words = ["outputs", "tracking=wandb", "a b", "lr=1", "~tracking", "it's"]
    assert rewrite("report", words) == ["tracking=wandb", "~tracking", r"runs=['outputs','a b','lr=1','it\'s']"]
    assert rewrite("train", words) == words
    assert rewrite("report", ["output=page"]) == ["output=page"]


@pytest.mark.parametrize("word", ["run=outputs", "resume=outputs", "dir=outputs"])
def test_the_key_of_another_stage_is_led_to_the_right_form(word):
    with pytest.raises(UserError, match="without a key, as in ctxlab report outputs"):
        rewrite("report", [word])
