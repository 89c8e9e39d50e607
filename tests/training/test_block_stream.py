"""Steps of documents that stay in their file: a function of seed and block; an epoch has every document once."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ctxlab.core.errors import UserError
from ctxlab.core.types import NO_LABEL, Encoded
from ctxlab.data import streamed
from ctxlab.data.sources import files
from ctxlab.strategies.reading.chunk import Chunk
from ctxlab.training.block_stream import BlockStream
from tests.training.runs import make_job, stopped_and_resumed

NUM_BLOCKS, SIZE = 4, 6


class Numbers:
    """Blocks of numbered documents, in another order in every epoch; those of ``empty`` blocks have no label."""

    num_blocks = NUM_BLOCKS

    def __init__(self, empty=()):
        self.empty, self.read = set(empty), []

    def share(self, block):
        return 1 / NUM_BLOCKS

    def block(self, seed, epoch, block):
        self.read.append((epoch, block))
        order = np.random.default_rng((seed, epoch)).permutation(NUM_BLOCKS * SIZE)
        ids = [str(number) for number in order[block * SIZE : (block + 1) * SIZE]]
        label = NO_LABEL if block in self.empty else 0
        return SimpleNamespace(documents=[SimpleNamespace(id=name, label=label) for name in ids], notes=[])


def encode(documents):
    sizes = [20 + int(document.id) for document in documents]
    pairs = zip(documents, sizes, strict=True)
    return [Encoded(np.arange(n), np.arange(n), np.full(n, document.label)) for document, n in pairs], ["a note"]


def with_gold(item):
    return [place for place, labels in enumerate(item.labels) if (labels != NO_LABEL).any()]


def make(empty=(), seed=1, resample=lambda one, _: one):
    documents = Numbers(empty)
    return documents, BlockStream(documents, encode, Chunk().windows, resample, with_gold, 64, seed)


def named(stream, index, length=16):
    """The (document, window) pairs of each step."""
    epoch = stream.epoch(index, length)
    assert epoch.lengths == [len(item) for item in epoch.items]
    ids = stream.document_ids
    return [
        [(ids[epoch.items[i].document], epoch.items[i].windows[0].token_index.tolist()) for i in step]
        for step in epoch.steps
    ]


def test_every_token_is_in_one_step_of_an_epoch_and_a_step_in_its_budget():
    _, stream = make()
    for epoch in (0, 1, 2):
        steps = [step for block in range(NUM_BLOCKS) for step in named(stream, epoch * NUM_BLOCKS + block)]
        tokens = sorted((int(name), token) for step in steps for name, window in step for token in window)
        assert tokens == [(n, token) for n in range(NUM_BLOCKS * SIZE) for token in range(20 + n)]
        assert all(sum(len(window) for _, window in step) <= 64 for step in steps)


def test_a_block_is_the_same_whatever_was_read_before():
    _, stream = make()
    plans = [named(stream, index) for index in range(2 * NUM_BLOCKS)]
    for index, plan in enumerate(plans):
        documents, fresh = make()
        assert named(fresh, index) == plan
        assert documents.read == [divmod(index, NUM_BLOCKS)]  # nothing that came before is read again
    assert named(make(seed=2)[1], 0) != plans[0]


def test_another_length_does_not_read_the_block_again():
    documents, stream = make()
    stream.encoded(0)  # for notes, before the first step
    stream.epoch(0, 16)
    assert max(map(len, stream.epoch(0, 8).items)) <= 8
    assert documents.read == [(0, 0)]
    assert stream.notes == ["a note"]


def test_a_document_is_drawn_anew_in_every_epoch():
    drawn = []
    _, stream = make(resample=lambda one, seed: drawn.append(seed) or one)
    for index in range(2 * NUM_BLOCKS):
        stream.epoch(index, 16)
    assert len(set(drawn)) == len(drawn) == 2 * NUM_BLOCKS * SIZE
    again = []
    make(resample=lambda one, seed: again.append(seed) or one)[1].epoch(5, 16)
    assert again == drawn[5 * SIZE : 6 * SIZE]


def test_a_block_without_labels_is_passed_over():
    _, stream = make(empty=[1, 2])
    last = named(stream, 3)
    assert named(stream, 1) == named(stream, 2) == last
    assert named(make(empty=[3])[1], 3) == named(make()[1], 4)  # the first one of the next epoch
    with pytest.raises(UserError, match=r"context\.length=16"):
        make(empty=range(NUM_BLOCKS))[1].epoch(0, 16)


def test_epochs_count_the_share_of_the_documents():
    _, stream = make()
    one = stream.epoch(2, 16)
    assert one.share == 0.25
    assert one.steps_per_pass == 4 * len(one.steps)


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    """Some hundred short texts in five blocks."""
    monkeypatch.setattr(files, "STREAMED_BYTES", 1)
    monkeypatch.setattr(streamed, "BLOCK_BYTES", 3000)
    draw = np.random.default_rng(0)
    rows = [
        {"id": f"d{i}", "text": " ".join(draw.choice(["rain", "sun", "wind", "fog"], draw.integers(8, 40))),
         "label": "ab"[i % 2]}
        for i in range(120)
    ]  # fmt: skip
    for name, some in (("train", rows), ("dev", rows[:3])):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in some))
    return (f"data.train_file={tmp_path}/train.jsonl", f"data.validation_file={tmp_path}/dev.jsonl",
            "trainer.tokens_per_step=512", "task=classification")  # fmt: skip


@pytest.mark.slow
def test_a_budget_of_epochs_ends_after_so_many_passes(corpus, tmp_path):
    job = make_job(tmp_path / "run", *corpus, "trainer.max_epochs=2")
    blocks = job.documents.streamed.num_blocks
    assert blocks == 5
    state = job.run()
    assert state.epochs == pytest.approx(2.0)
    assert state.epoch in (2 * blocks - 1, 2 * blocks)
    assert job.watching.progress == sorted(job.watching.progress)
    assert job.watching.progress[-1] == 1.0
    whole = sum(len(job.trainer.job.stream.epoch(block, 64).steps) for block in range(2 * blocks))
    assert state.step == whole
    tokens = sum(sum(job.trainer.job.stream.epoch(block, 64).lengths) for block in range(2 * blocks))
    assert state.tokens == tokens


@pytest.mark.by_default(1)
@pytest.mark.parametrize(
    "options",
    [
        ("trainer.max_steps=12",),
        ("trainer.max_tokens=5000", "strategy=progressive", "context=64", "model.dropout=0.1"),
        ("trainer.max_steps=8", "task=mlm"),
    ],
)
def test_a_stopped_run_continues_to_the_bit(options, corpus, tmp_path):
    options = (*corpus, *options)
    whole = make_job(tmp_path / "whole", *options)
    whole.run()
    _, second = stopped_and_resumed(tmp_path / "cut", *options, stop_after=5)
    expected, found = whole.weights(), second.weights()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    states = whole.state.to_dict(), second.state.to_dict()
    for name in ("step", "epoch", "batch", "epochs", "tokens", "length", "loss_sum", "best_metric"):
        assert states[0][name] == states[1][name], name
    assert whole.state.epoch > 0


def test_reading_the_file_for_its_labels_shows_how_far_it_is(corpus, tmp_path, capsys):
    make_job(tmp_path / "run", *corpus, "trainer.max_steps=1")
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("read labels")]
    assert "120 documents" in lines[-1]
    assert "100%" in lines[-1]


@pytest.mark.slow
def test_resuming_does_not_read_the_file_for_its_labels(corpus, tmp_path, monkeypatch):
    make_job(tmp_path / "run", *corpus, "trainer.max_steps=2", stop_after=1).run()
    read, whole = [], streamed.StreamedDocuments.__iter__
    monkeypatch.setattr(streamed.StreamedDocuments, "__iter__", lambda self: read.append(1) or whole(self))
    job = make_job(tmp_path / "run", *corpus, "trainer.max_steps=2", resume=True)
    assert read == []
    assert job.bench.task.labels == ["a", "b"]
    make_job(tmp_path / "new", *corpus)
    assert read == [1]


def test_a_wrong_line_ends_the_run_with_its_place(corpus, tmp_path):
    path = tmp_path / "train.jsonl"
    lines = path.read_text().splitlines()
    lines[70] = '{"id": "x", "text": "fog"}'
    path.write_text("\n".join(lines) + "\n")
    job = make_job(tmp_path / "run", *corpus, "task.labels=[a,b]", "trainer.max_epochs=1")
    with pytest.raises(UserError, match=r"train\.jsonl line 71 has no field 'label'"):
        job.run()
