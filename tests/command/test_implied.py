import shutil
from pathlib import Path

import pytest

from ctxlab.command.compose import compose
from ctxlab.command.implied import implied
from ctxlab.command.overrides import parse
from ctxlab.config import catalogue


def chosen(*words):
    return compose("train", words, with_hydra=True).hydra.runtime.choices


@pytest.mark.parametrize("key", ["train_file", "validation_file", "test_file"])
def test_a_file_means_files(key):
    assert chosen(f"data.{key}=mine.jsonl")["data"] == "files"


def test_paths_mean_the_hub_and_a_pretrained_model():
    choices = chosen("data.path=owner/corpus", "model.path=owner/model")
    assert (choices["data"], choices["model"]) == ("hub", "pretrained")


def test_what_the_user_chose_stays():
    assert chosen("data=files", "data.train_file=a", "data.validation_file=b")["data"] == "files"


def test_nothing_is_implied_without_the_key():
    assert chosen("data.max_documents=3")["data"] == "generated"


@pytest.mark.slow
def test_a_sweep_over_files_implies_the_group_once(ctxlab):
    for name in ("a.jsonl", "b.jsonl"):
        Path(name).touch()
    outcome = ctxlab("train", "-m", "data.train_file=a.jsonl,b.jsonl")
    assert [config.data.train_file for config, _ in outcome.calls] == ["a.jsonl", "b.jsonl"]


def test_a_new_option_says_in_its_own_file_what_means_it(monkeypatch, tmp_path):
    shutil.copytree(catalogue.conf_dir(), tmp_path / "conf")
    (tmp_path / "conf" / "data" / "mine.yaml").write_text(
        "# Mine\n# implied by data.folder, data.shelf\n_target_: ctxlab.data.sources.files.Files\nfolder: null\n"
    )
    monkeypatch.setattr(catalogue, "conf_dir", lambda: tmp_path / "conf")
    assert catalogue.implied()["data.shelf"] == ("data", "mine")
    assert implied(parse(["data.folder=a"])) == ["data=mine"]
    assert implied(parse(["data.folder=a", "data=files"])) == []
