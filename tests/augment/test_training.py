"""Training with changed documents: resumed to the bit, the same bits without a share, nothing else changed."""

import json
import re

import numpy as np
import pytest
import torch
from tokenizers import normalizers

from ctxlab.core.errors import UserError
from ctxlab.data import streamed
from ctxlab.data.sources import files
from ctxlab.models.tiny_bert import TinyBert
from tests.training.runs import make_job, stopped_and_resumed

SWAP = ("augment=mention_swap", "augment.share=0.7", "augment.dose=0.5", "data.words_per_document=60")


def tokens(job, epoch):
    items = job.trainer.job.stream.epoch(epoch, 64).items
    return [np.concatenate([window.input_ids for window in item.windows]) for item in items]


def same(one, other):
    return len(one) == len(other) and all(map(np.array_equal, one, other))


@pytest.mark.slow
def test_a_resumed_run_is_the_same(tmp_path):
    options = (*SWAP, "trainer.max_steps=5", "trainer.tokens_per_step=512")
    whole = make_job(tmp_path / "whole", *options)
    whole.run()
    assert whole.state.epoch >= 1  # so that several draws of a document were seen
    _, second = stopped_and_resumed(tmp_path / "cut", *options, stop_after=3)
    expected, found = whole.weights(), second.weights()
    assert all(torch.equal(expected[key], found[key]) for key in expected)
    (note,) = [note for note in whole.trainer.notes(whole.state) if note.startswith("augment=")]
    assert re.search(r"augment=mention_swap: [1-6] of 6 training documents were changed and tokenised anew", note)


def test_every_epoch_draws_anew_and_the_same_for_the_same_epoch(tmp_path):
    job, again = (make_job(tmp_path / name, *SWAP, "trainer.max_steps=1") for name in ("a", "b"))
    plain = make_job(tmp_path / "c", "data.words_per_document=60", "trainer.max_steps=1")
    first, second = tokens(job, 0), tokens(job, 1)
    assert not same(first, second)
    assert not same(first, tokens(plain, 0))
    assert same(tokens(again, 1), second)
    assert same(tokens(again, 0), first)


@pytest.mark.slow
def test_without_a_share_the_weights_are_those_without_augmentation(tmp_path):
    runs = [
        make_job(tmp_path / str(i), "trainer.max_steps=2", *options)
        for i, options in enumerate(((), ("augment=typos", "augment.share=0"), ("augment=typos", "augment.share=1")))
    ]
    for run in runs:
        run.run()
    plain, none, all_of_them = (run.weights() for run in runs)
    assert all(torch.equal(plain[key], none[key]) for key in plain)
    assert not all(torch.equal(plain[key], all_of_them[key]) for key in plain)
    documents = [[one.fields for one in run.documents.validation] for run in runs]
    assert documents[0] == documents[1] == documents[2]


def test_documents_of_a_large_file_are_changed_before_they_are_tokenised(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "STREAMED_BYTES", 1)
    monkeypatch.setattr(streamed, "BLOCK_BYTES", 400)
    words = "the big house was very empty and it rained often near Port Brisk".split()  # noqa: SIM905
    record = {"tokens": words * 2, "tags": (["O"] * 11 + ["B-LOC", "I-LOC"]) * 2}
    file = tmp_path / "train.jsonl"
    file.write_text("".join(json.dumps({"id": str(i), **record}) + "\n" for i in range(8)))
    options = (f"data.train_file={file}", f"data.validation_file={file}", "data=files", "trainer.max_steps=1")
    jobs = {
        share: make_job(tmp_path / str(share), *options, "augment=synonyms", f"augment.share={share}", "augment.dose=1")
        for share in (0, 1)
    }
    blocks = jobs[0].documents.training.num_blocks
    for number in (0, blocks, blocks + 1):
        plain, changed = tokens(jobs[0], number), tokens(jobs[1], number)
        assert not same(plain, changed)
        assert same(changed, tokens(jobs[1], number))


@pytest.mark.by_default(1)
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("augment=synonyms", "task.language=de"), "augment=synonyms finds no words to change in the 6 documents"),
        (("augment=case", "augment.to=lower", "data.language=zh"), "augment=case finds no words to change"),
        (("augment=mention_swap", "task=classification"), "augment=mention_swap needs documents with mentions"),
        (
            ("augment=typos", "task=lm", "model=tiny_gpt2"),
            "augment=typos changes the text of documents, and of task=lm",
        ),
    ],
)
def test_what_would_change_nothing_is_refused(tmp_path, options, said):
    with pytest.raises(UserError, match=said):
        make_job(tmp_path / "run", *options)


def test_a_tokenizer_that_writes_the_change_alike_is_named(tmp_path, monkeypatch):
    made = TinyBert.tokenizer

    def lower(self):
        tokenizer = made(self)
        tokenizer.backend_tokenizer.normalizer = normalizers.Lowercase()
        return tokenizer

    monkeypatch.setattr(TinyBert, "tokenizer", lower)
    with pytest.raises(UserError, match="augment=case changes words of the 6 documents but no token"):
        make_job(tmp_path / "run", "augment=case", "augment.dose=1")
