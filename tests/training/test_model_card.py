"""A checkpoint says what it is, what plain loading leaves out, and how long its windows are."""

import json
import shutil

import pytest
import torch
from transformers import AutoModelForTokenClassification, AutoTokenizer

from ctxlab.training import checkpoint
from tests.training.runs import make_job

OPTIONS = ("trainer.max_steps=1", "strategy=hierarchical", "strategy.reading.window=32",
           "strategy/attention=local", "strategy.attention.window=4")  # fmt: skip


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    run = tmp_path_factory.mktemp("run")
    job = make_job(run, *OPTIONS)
    job.run()
    return checkpoint.find(run, "latest"), job.bench.tokenizer


def test_the_card_says_what_plain_loading_leaves_out(saved):
    text = (saved[0] / "README.md").read_text(encoding="utf-8")
    assert 'ctxlab.load("<run directory>"' in text
    assert "runs dense attention" in text
    assert "the attention pattern `local`" in text
    assert "the reading `hierarchical`" in text
    assert "at most\n32 tokens" in text
    assert "BertForTokenClassification.from_pretrained" in text


def test_the_card_is_under_a_checksum(saved):
    folder = saved[0]
    assert "README.md" in json.loads((folder / "manifest.json").read_text())
    text = (folder / "README.md").read_text(encoding="utf-8")
    (folder / "README.md").write_text(text + " ", encoding="utf-8")
    assert checkpoint.fault(folder) == "README.md is damaged (its checksum does not match)"
    (folder / "README.md").write_text(text, encoding="utf-8")
    assert checkpoint.fault(folder) is None


def test_a_checkpoint_without_a_card_is_still_whole(saved, tmp_path):

    folder = tmp_path / "old"
    shutil.copytree(saved[0], folder)
    (folder / "README.md").unlink()
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["README.md"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert checkpoint.fault(folder) is None


def test_the_saved_tokenizer_is_as_long_as_a_window_and_the_one_in_memory_unlimited(saved):
    folder, tokenizer = saved
    assert AutoTokenizer.from_pretrained(folder).model_max_length == 32
    assert tokenizer.model_max_length > 10**9


def test_plain_loading_runs_dense_attention_as_the_card_says(saved):
    folder = saved[0]
    plain = AutoModelForTokenClassification.from_pretrained(folder).eval()
    dense = AutoModelForTokenClassification.from_pretrained(folder, attn_implementation="eager").eval()
    tokens = torch.arange(5, 37)[None]
    with torch.no_grad():
        assert torch.allclose(plain(tokens).logits, dense(tokens).logits, atol=1e-5)
    assert "ctxlab" not in plain.config._attn_implementation
    assert plain.config.ctxlab["attention"]["name"] == "local"
