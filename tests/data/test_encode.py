import importlib
import logging
import multiprocessing
import shutil
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from ctxlab.core import folders
from ctxlab.core.cache import cache_dir
from ctxlab.core.folders import is_whole
from ctxlab.core.types import Document
from ctxlab.data.encode import encode_documents, fingerprint
from ctxlab.tasks.ner import NER


def make_tokenizer(first_id=4):
    special = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3}
    vocabulary = special | {letter: first_id + i for i, letter in enumerate("abcdefgh")}
    vocabulary |= {f"##{letter}": len(vocabulary) + first_id + i for i, letter in enumerate("abcdefgh")}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]")


@pytest.fixture
def tokenizer():
    return make_tokenizer()


def documents(count=5):
    rows = [(["ab", "c", "\t"] + ["d"] * i, ["B-X", "I-X", "O"] + ["O"] * i) for i in range(count)]
    return [Document(f"d{i}", {"tokens": t, "tags": g}, f"line {i}") for i, (t, g) in enumerate(rows)]


class Counted(NER):
    """Counts the documents that are tokenised rather than read from the cache."""

    def __init__(self):
        super().__init__(labels=["X"])
        self.count = 0

    def encode(self, docs, tokenizer):
        self.count += len(docs)
        return super().encode(docs, tokenizer)


def same(left, right):
    assert len(left) == len(right)
    for a, b in zip(left, right, strict=True):
        for name in ("input_ids", "word_ids", "labels"):
            x, y = getattr(a, name), getattr(b, name)
            assert x.dtype == y.dtype == np.int64
            np.testing.assert_array_equal(x, y)
        assert (a.before, a.after) == (b.before, b.after)
        assert all(type(i) is int for i in (*b.before, *b.after))


def entry(folder):
    (found,) = (folder / "encoded").glob("[!.]*")
    return found


def test_tokenised_once_and_the_same_again(tokenizer, tmp_path):
    plain = NER(labels=["X"])
    expected = plain.encode(documents(), tokenizer)
    task = Counted()
    same(expected, encode_documents(task, documents(), tokenizer, tmp_path))
    notes, task.notes = task.notes, []
    assert notes == plain.notes
    assert len(notes) == 1  # the tab is a word without tokens
    again = encode_documents(task, documents(), tokenizer, tmp_path)
    same(expected, again)
    assert task.count == 5
    assert task.notes == notes  # what was noted is not lost with the work
    assert again[0].input_ids.flags.writeable
    assert entry(tmp_path).name == fingerprint(task, documents(), tokenizer)
    assert [p.name for p in (tmp_path / "encoded").glob(".*")] == [".lock"]


def test_nothing_to_encode(tokenizer, tmp_path):
    assert encode_documents(Counted(), [], tokenizer, tmp_path) == []


def test_the_fingerprint_sees_every_part(tokenizer):
    task = NER(labels=["X"])
    base = documents()
    changed_tag = [*base[:-1], Document("d4", {**base[4].fields, "tags": ["O"] * 7}, "line 4")]
    other_task = NER(labels=["X"])
    other_task.name = "other"
    prints = {
        fingerprint(task, base, tokenizer),
        fingerprint(task, base[:-1], tokenizer),
        fingerprint(task, base[::-1], tokenizer),
        fingerprint(task, changed_tag, tokenizer),
        fingerprint(NER(labels=["X", "Y"]), base, tokenizer),
        fingerprint(other_task, base, tokenizer),
        fingerprint(task, base, make_tokenizer(first_id=5)),
    }
    assert len(prints) == 7
    assert fingerprint(NER(labels=["X"]), documents(), make_tokenizer()) in prints


def test_long_arrays_in_a_record_are_not_shortened_in_the_fingerprint(tokenizer):
    one, other = (np.zeros(5000, dtype=np.int64) for _ in range(2))
    other[2500] = 1  # numpy prints both alike
    prints = {fingerprint(NER(labels=["X"]), [Document("d", {"x": x}, "o")], tokenizer) for x in (one, other)}
    assert len(prints) == 2


def flip_a_bit(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("harm", [flip_a_bit, truncate, Path.unlink, lambda p: p.write_text("")])
@pytest.mark.parametrize("name", ["documents.arrow", "notes.json", "manifest.json"])
def test_a_broken_entry_is_rebuilt(tokenizer, tmp_path, harm, name, caplog):
    task = Counted()
    expected = list(encode_documents(task, documents(), tokenizer, tmp_path))  # read before the file is harmed
    (path,) = entry(tmp_path).glob(name)
    harm(path)
    with caplog.at_level(logging.WARNING):
        same(expected, encode_documents(task, documents(), tokenizer, tmp_path))
    if name != "manifest.json" or task.count > 5:
        assert "broken" in caplog.text
        assert task.count == 10
    same(expected, encode_documents(task, documents(), tokenizer, tmp_path))
    assert task.count <= 10  # mended for good


def test_an_entry_of_too_few_documents_is_rebuilt(tokenizer, tmp_path):
    task = Counted()
    expected = encode_documents(task, documents(), tokenizer, tmp_path)
    encode_documents(task, documents(2), tokenizer, tmp_path / "other")
    shutil.rmtree(entry(tmp_path))
    shutil.copytree(entry(tmp_path / "other"), tmp_path / "encoded" / fingerprint(task, documents(), tokenizer))
    same(expected, encode_documents(task, documents(), tokenizer, tmp_path))


def test_a_cache_that_cannot_be_written_is_said_once(tokenizer, tmp_path, caplog):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    task = Counted()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            same(
                NER(labels=["X"]).encode(documents(), tokenizer),
                encode_documents(task, documents(), tokenizer, blocked),
            )
    assert task.count == 10
    assert len([r for r in caplog.records if "cannot be written" in r.message]) == 1
    assert blocked.read_text() == "not a folder"


def test_a_full_disk_leaves_no_partial_entry(tokenizer, tmp_path, monkeypatch):
    def full(*_args, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folders, "checksums", full)
    assert len(encode_documents(Counted(), documents(), tokenizer, tmp_path)) == 5
    assert [path.name for path in (tmp_path / "encoded").iterdir()] == [".lock"]


def test_many_writers_at_once(tokenizer, tmp_path):
    expected = NER(labels=["X"]).encode(documents(), tokenizer)
    gate, results = threading.Barrier(6), []

    def work():
        gate.wait()
        results.append(encode_documents(Counted(), documents(), make_tokenizer(), tmp_path))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 6
    for result in results:
        same(expected, result)
    task = Counted()
    same(expected, encode_documents(task, documents(), tokenizer, tmp_path))
    assert task.count == 0
    assert is_whole(entry(tmp_path))


@pytest.mark.slow
def test_processes_give_the_same(tokenizer, tmp_path):
    many = documents(40)
    task = NER(labels=["X"])
    result = encode_documents(task, many, tokenizer, tmp_path, num_workers=2)
    same(NER(labels=["X"]).encode(many, tokenizer), result)
    assert task.notes
    assert not multiprocessing.active_children()


def test_where_the_cache_is(monkeypatch, tmp_path):
    monkeypatch.setenv("CTXLAB_CACHE", str(tmp_path))
    assert cache_dir() == tmp_path
    monkeypatch.delenv("CTXLAB_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert cache_dir() == tmp_path / "x" / "ctxlab"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_dir() == Path.home() / ".cache" / "ctxlab"


def test_documents_of_a_plugin_task_are_encoded_again_when_its_file_changes(tmp_path, monkeypatch, tokenizer):
    file = tmp_path / "of_a_plugin.py"
    file.write_text("from ctxlab.tasks.ner import NER\nclass Mine(NER):\n    pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    task = importlib.import_module("of_a_plugin").Mine(labels=["X"])
    before = fingerprint(task, documents(), tokenizer)
    assert fingerprint(task, documents(), tokenizer) == before
    file.write_text(file.read_text() + "# another way to encode\n")
    assert fingerprint(task, documents(), tokenizer) != before
    monkeypatch.delitem(sys.modules, "of_a_plugin")
