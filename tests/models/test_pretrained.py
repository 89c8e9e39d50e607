"""The name of the user's own model in reports."""

import pytest

from ctxlab.models.minilm import MiniLM
from ctxlab.models.pretrained import Pretrained


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("owner/weights", "weights"),
        ("plain", "plain"),
        ("here", "here"),
        ("./here/", "here"),
        ("here/..", "home"),
        (".", "home"),
        ("run/checkpoints/step-00000003", "run/step-00000003"),
    ],
)
@pytest.mark.parametrize("source", [Pretrained, MiniLM])
def test_a_model_is_called_by_its_path(source, path, name, tmp_path, monkeypatch):
    home = tmp_path / "home"
    (home / "here").mkdir(parents=True)
    (home / "run" / "checkpoints" / "step-00000003").mkdir(parents=True)
    monkeypatch.chdir(home)
    assert source(path).name == name


def test_a_name_that_was_given_stands():
    assert Pretrained("owner/weights", name="mine").name == "mine"
