"""Documents that stay in their file, against the same file read whole."""

import json

import pytest

from ctxlab.core.errors import UserError
from ctxlab.data import streamed
from ctxlab.data.sources import files
from ctxlab.data.sources.files import Files
from ctxlab.data.splits import HoldOut, load_documents
from ctxlab.tasks.classification import Classification
from ctxlab.tasks.lm import LM
from ctxlab.tasks.ner import NER

LABELS = ("news", "mail", "novel")


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(files, "STREAMED_BYTES", 1)
    monkeypatch.setattr(streamed, "BLOCK_BYTES", 400)


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.fixture
def corpus(tmp_path):
    rows = [{"id": f"d{i}", "text": "word " * (i % 7 + 1), "label": LABELS[i % 3]} for i in range(80)]
    return write(tmp_path / "train.jsonl", rows), write(tmp_path / "dev.jsonl", rows[:4])


def load(task, *paths, streams=True, seed=1, hold_out=None):
    return load_documents(Files(*paths), task, seed, hold_out, streams=streams)


def test_all_documents_are_those_of_the_whole_file(corpus):
    whole, found = load(Classification(), *corpus, streams=False), load(Classification(), *corpus)
    assert found.train == []
    assert list(found.streamed) == whole.train
    assert list(found.streamed) == whole.train  # again
    assert len(found.streamed) == len(whole.train) == 80
    assert found.validation == whole.validation
    assert "train.jsonl" in found.notes[0]
    one, other = Classification(), Classification()
    one.learn_labels(whole.train)
    other.learn_labels(found.streamed)
    assert one.labels == other.labels == sorted(LABELS)


@pytest.mark.parametrize("seed", [1, -2, 2**64])
def test_an_epoch_has_every_document_once_and_orders_differ(corpus, seed):
    documents = load(LM(), *corpus).streamed
    count = documents.num_blocks
    assert 8 < count < 20
    epochs = [[[d.id for d in documents.block(seed, epoch, i).documents] for i in range(count)] for epoch in (0, 1)]
    for epoch in epochs:
        assert sorted(name for block in epoch for name in block) == sorted(f"d{i}" for i in range(80))
    assert set(map(frozenset, epochs[0])) != set(map(frozenset, epochs[1]))  # blocks are mixed anew
    assert sum(map(documents.share, range(count))) == pytest.approx(1.0)
    again = load(LM(), *corpus).streamed
    assert [d.id for d in again.block(seed, 1, 5).documents] == epochs[1][5]  # whatever was read before
    assert [d.id for d in again.block(seed + 1, 1, 5).documents] != epochs[1][5]


def test_some_lines_are_held_out_and_not_trained_on(corpus):
    found = load(Classification(), corpus[0])
    names = [document.id for document in found.validation]
    assert len(names) == 8
    assert set(names).isdisjoint(document.id for document in found.streamed)
    assert len(found.streamed) == 72
    assert "8 of 80" in found.notes[-1]
    whole = load(Classification(), corpus[0], streams=False)
    assert names == [document.id for document in whole.validation]  # the same as of the whole file
    folded = load(Classification(), corpus[0], hold_out=HoldOut(2, 0))
    assert [document.id for document in folded.streamed] == [document.id for document in found.streamed]
    assert {d.id for d in (*folded.validation, *folded.test)} == set(names)


def test_a_tenth_of_a_large_file_is_not_held_out(corpus, monkeypatch):
    monkeypatch.setattr("ctxlab.data.splits.HELD_OUT_BYTES", 200)
    assert 1 <= len(load(Classification(), corpus[0]).validation) <= 4


def test_a_line_that_is_wrong_is_named_by_file_line_and_field(tmp_path):
    rows = [{"id": i, "text": "some words here", "label": "ab"[i % 2]} for i in range(60)]
    rows[41] = {"id": 41, "text": "some words here"}
    task = Classification(labels=["a", "b"])
    documents = load(task, write(tmp_path / "a.jsonl", rows), write(tmp_path / "b.jsonl", rows[:2])).streamed
    with pytest.raises(UserError, match=r"a\.jsonl line 42 has no field 'label'"):
        read_all(documents)
    documents = load(NER(labels=["PER"]), write(tmp_path / "n.jsonl", tagged("LOC"))).streamed
    with pytest.raises(UserError, match=r"'LOC' of n\.jsonl line 31 .*task\.labels=\[LOC,PER\]"):
        read_all(documents)


def read_all(documents):
    return [documents.block(1, 0, block) for block in range(documents.num_blocks)]


def tagged(name):
    rows = [{"id": i, "tokens": ["Ada", "sang"], "tags": ["B-PER", "O"]} for i in range(60)]
    rows[30]["tags"][0] = f"B-{name}"
    return rows


def test_notes_belong_to_a_block_and_not_to_the_task(tmp_path):
    rows = [{"id": i, "text": "" if i % 2 else "some words here"} for i in range(60)]
    task = LM()
    documents = load(task, write(tmp_path / "a.jsonl", rows), write(tmp_path / "b.jsonl", rows[:1])).streamed
    read = documents.block(1, 0, 0)
    assert ["blank texts" in note for note in read.notes] == [True]
    assert documents.block(1, 0, 0).notes == read.notes
    assert task.notes == []


@pytest.mark.parametrize("task", [LM(), Classification()])
def test_small_files_and_tasks_that_collect_are_read_whole(task, corpus, monkeypatch):
    assert load(task, *corpus).streamed is not None
    monkeypatch.setattr(type(task), "streams", False)
    assert load(task, *corpus).streamed is None
    monkeypatch.setattr(type(task), "streams", True)
    monkeypatch.setattr(files, "STREAMED_BYTES", 1 << 20)
    assert Files(*corpus).stream(task.name, "train") is None
    assert Files(None, corpus[1]).stream(task.name, "train") is None
