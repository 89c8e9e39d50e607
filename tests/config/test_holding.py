"""A plain value for a key that holds keys, of every stage, is led to these in one sentence."""

import pytest

from ctxlab.cli import main
from ctxlab.command import selected
from ctxlab.config import catalogue
from ctxlab.config.holding import FILES_TOO, check_value
from ctxlab.core.errors import UserError

HOLDING = sorted(
    (stage, key)
    for stage in catalogue.stages()
    for known in [selected.keys(stage, [])]
    for key in known
    if key not in FILES_TOO and any(other.startswith(f"{key}.") for other in known)
)


def test_the_stages_have_such_keys():
    assert {("compare", "budget"), ("serve", "serve.tls")} <= set(HOLDING)


@pytest.mark.covering
@pytest.mark.parametrize(("stage", "key"), HOLDING)
@pytest.mark.parametrize("value", [2, "x", None, [1]])
def test_a_plain_value_is_refused(stage, key, value):
    known = selected.keys(stage, [])
    first = next(one for one in known if one.startswith(f"{key}."))
    with pytest.raises(UserError, match=rf"{key}=y: {key} holds the keys .*; write {first}") as refusal:
        check_value(key, f"{key}=y", value, known)
    assert str(refusal.value).count(",") <= 5


def test_mappings_interpolations_files_of_keys_and_plain_keys_are_let_through():
    known = ["a", "a.b", "a.c", "d", "sweep.space", "sweep.space.e"]
    for key, value in (("a", {"b": 1}), ("a", "${d}"), ("d", 2), ("a.b", 2), ("sweep.space", "space.yaml")):
        check_value(key, "", value, known)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "model.growth=2"], "model.growth=2: model.growth holds the keys layers, ffn, place; write model.g"),
        (["train", "-m", "model.growth=1,2"], "model.growth=1,2: model.growth holds the keys"),
        (["compare", "budget=60", "context=512,1024"], "budget=60: budget holds the keys seconds, tokens, "),
        (["compress", "healing=null"], "healing=null: healing holds the keys "),
    ],
)
def test_on_the_command_line(words, said, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    assert capsys.readouterr().err.startswith(said)
    assert not list(tmp_path.iterdir())
