"""Damaged documents end in documents or in one sentence: no other exception, no hang, bounded memory."""

import bz2
import gzip
import json
import lzma
import random
import resource
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from ctxlab.core.errors import UserError
from ctxlab.data.formats.known import FORMATS
from ctxlab.data.parsing import documents_of, split_documents
from ctxlab.data.readers.read import READERS, read_file
from tests.contracts.task_runs import form, records, supports
from tests.faults import fuzzing
from tests.tasks.conftest import byte_level, word_piece

LIMIT_SECONDS = 10.0
"""For one file of at most some hundred kilobytes, on a busy machine."""

LIMIT_BYTES = 2**30
"""Address space that may be taken beyond what the process has when the test begins."""


class TooLongError(BaseException):
    """Not an Exception, so that nobody takes it for an error of the file."""


@contextmanager
def limited() -> Iterator[None]:
    """End the block after ``LIMIT_SECONDS``, and refuse it more memory than ``LIMIT_BYTES``."""

    def stop(number, frame):
        raise TooLongError

    before, (soft, hard) = signal.signal(signal.SIGALRM, stop), resource.getrlimit(resource.RLIMIT_AS)
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + LIMIT_BYTES, hard))
    signal.setitimer(signal.ITIMER_REAL, LIMIT_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.signal(signal.SIGALRM, before)


KINDS = ("encoder", "decoder")


@pytest.fixture(scope="module")
def tokenizers():
    encoder = word_piece()
    encoder.mask_token = "[MASK]"
    return {"encoder": encoder, "decoder": byte_level("<s> $A", add_prefix_space=False)}


def read(folder, seed, content, tokenizers):
    """Return the documents of a file, loaded and tokenised as a run does, for every kind of model."""
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    if seed.beside is not None:
        (folder / seed.beside[0]).write_bytes(seed.beside[1])
    (folder / seed.file).write_bytes(content)
    records = read_file(folder / seed.file, seed.task, [])
    found, errors = [], []
    for kind in KINDS:
        if not supports(seed.task, kind):
            continue
        task = form(seed.task, kind)
        try:
            documents = split_documents(task, documents_of(task, records, gold=seed.gold))
            if seed.gold:
                task.learn_labels(documents)
                task.check_labels(documents)
            task.prepare(tokenizers[kind])
            assert len(task.encode(documents, tokenizers[kind])) == len(documents)
            found += documents
        except UserError as error:
            errors.append(error)
    if errors and not found:
        raise errors[0]
    return found


def outcome(folder, seed, content, tokenizers):
    """Return ``documents`` or ``refused``; anything else is raised with the file that did it."""
    try:
        with limited():
            found = read(folder, seed, content, tokenizers)
    except UserError:
        return "refused"
    for document in found:
        document.id.encode()
        check(document.fields)
    return "documents"


def check(fields):
    """What holds for a document whatever its file was: tags and words agree, and places are inside of their texts."""
    if "tags" in fields:
        assert len(fields["tags"]) == len(fields["tokens"]) > 0
    if "offsets" in fields:
        assert [fields["text"][start:end] for start, end in fields["offsets"]] == fields["tokens"]
    for entity in fields.get("entities", ()):
        assert all(0 <= start < end <= len(fields["tokens"]) for start, end in entity["mentions"])
    for answer in fields.get("answers") or ():
        if isinstance(answer, dict) and "context" in fields:
            assert fields["context"][answer["start"] : answer["end"]] == answer["text"]


def fuzz(folder, count, run, tokenizers):
    seeds, found = fuzzing.seeds(), Counter()
    for number in range(count):
        draw = random.Random(f"{run}-{number}")
        seed = seeds[number % len(seeds)]
        damage, content = fuzzing.damaged(seed, draw)
        try:
            found[outcome(folder, seed, content, tokenizers)] += 1
        except BaseException as error:
            error.add_note(f"run {run}, input {number}: {damage} in {seed.form} of task={seed.task}, {seed.file}")
            raise
    return found


def test_whole_files_are_read(tmp_path, tokenizers):
    for seed in fuzzing.seeds():
        assert outcome(tmp_path / "f", seed, seed.content, tokenizers) == "documents", seed


def test_every_format_and_every_reader_has_a_file():
    rows = [(seed.task, row) for seed in fuzzing.seeds() for row in seed.rows if isinstance(row, dict)]
    unseen = [one.name for one in FORMATS if not any(task in one.tasks and one.recognises(row) for task, row in rows)]
    assert unseen == []
    names = [seed.file.partition(".")[2] for seed in fuzzing.seeds()]
    assert {READERS.get(f".{name.split('.')[0]}") for name in names} >= set(READERS.values())


def test_damaged_files_end_in_documents_or_a_sentence(tmp_path, tokenizers):
    found = fuzz(tmp_path / "f", 300, "fast", tokenizers)
    assert min(found.values()) > 30


@pytest.mark.faults
def test_ten_thousand_damaged_files(tmp_path, tokenizers, promise):
    found = fuzz(tmp_path / "f", 10_000, "long", tokenizers)
    assert found.total() == 10_000
    promise(
        "a damaged or hostile document ends in documents or in one sentence",
        f"10,000 files damaged in {len(fuzzing.BYTEWISE) + len(fuzzing.STRUCTURAL)} ways, from {len(fuzzing.seeds())} "
        f"whole ones in every format of every task, read and tokenised within {LIMIT_SECONDS:.0f} s and "
        f"{LIMIT_BYTES >> 30} GiB",
        f"{found['documents']:,} read, {found['refused']:,} refused by a sentence, no other exception",
    )


BOMBS = {
    "gzip": ("lm", "a.jsonl.gz", lambda: gzip.compress(b'{"text": "' + b"a " * 2**27 + b'"}')),
    "bzip2": ("lm", "a.jsonl.bz2", lambda: bz2.compress(b'{"text": "' + b"a" * 2**27 + b'"}')),
    "xz": ("lm", "a.jsonl.xz", lambda: lzma.compress(b'{"text": "' + b"a " * 2**26 + b'"}', preset=0)),
    "a tag for each of a thousand million characters": (
        "ner", "a.jsonl", lambda: json.dumps({"text": "ab", "label": {"PER": {"a": [[0, 10**9]]}}}).encode()),
    "a tag for each of a million million words": (
        "ner", "a.jsonl",
        lambda: json.dumps({"tokens": ["a"], "entities": [{"type": "X", "start": 0, "end": 10**12}]}).encode()),
    "brackets": ("lm", "a.json", lambda: b"[" * 10**6),
    "a cell": ("classification", "a.csv", lambda: b'text,label\n"' + b"(" * 10**6 + b'",x\n'),
    "lists in a cell": ("ner", "a.csv", lambda: b"tokens,tags\n" + b"[" * 10**5 + b"," + b"[" * 10**5 + b"\n"),
    "digits": ("lm", "a.json", lambda: b'{"text": ' + b"9" * 10**6 + b"}"),
}  # fmt: skip


@pytest.mark.by_default(1)
@pytest.mark.parametrize("name", BOMBS)
def test_a_small_file_does_not_fill_the_memory(name, tmp_path, tokenizers):
    task, file, content = BOMBS[name]
    assert outcome(tmp_path / "f", fuzzing.Seed(task, name, file, b""), content(), tokenizers) == "refused"


EVIDENCE = (3, [3], [{}], [{"start": 0}], [{"start": -1, "end": 1, "distance": 1}], [{"start": 0, "end": 1, "turn": 0}],
            [{"start": 0, "end": 10**9, "distance": 1, "turn": 0}], [{"start": "0", "end": "1", "distance": "2"}],
            [{"start": 10**9, "end": 10**9 + 1, "distance": 1}],
            [{"start": 0, "end": 1, "distance": 10**30, "turn": 0}])  # fmt: skip


@pytest.mark.parametrize("task", [name for name in fuzzing.ROWS if name not in ("probe", "qa", "relation")])
@pytest.mark.parametrize("probes", EVIDENCE, ids=str)
def test_evidence_is_checked_before_a_run_and_not_when_it_is_scored(task, probes, tmp_path, tokenizers):
    """Breakdowns read ``probes`` after training, which a wrong value would lose."""
    (row,) = records(task)[:1]
    holder = row["summaries"][0] if task == "summarization" else row
    holder["probes"] = probes
    content = (json.dumps(row) + "\n").encode()
    assert outcome(tmp_path / "f", fuzzing.Seed(task, "", "a.jsonl", b""), content, tokenizers) == "refused"


def parquet_that_is_not_utf8():
    """A table whose text has a byte that UTF-8 has nowhere."""
    table = pyarrow.table({"text": pyarrow.array([b"a \xff b"], pyarrow.binary()).cast(pyarrow.string(), safe=False)})
    buffer = BytesIO()
    pyarrow.parquet.write_table(table, buffer)
    return buffer.getvalue()


ONTONOTES = "#begin document (a); part 000\n" + "a 0 0 Ora NNP * - - - - (PERSON) -\n" * 5001
FOUND = {
    "half a character in an id": ("lm", "a.jsonl", lambda: rb'{"id": "\ud800", "text": "x"}'),
    "half a character in a dialogue's id": (
        "dialogue", "a.jsonl", lambda: rb'{"id": "\ud800", "instruction": "a", "output": "b"}' + b"\n"),
    "half a character in a type": (
        "ner", "a.jsonl", lambda: rb'{"text": "ab", "spans": [{"start": 0, "end": 2, "label": "\ud800"}]}'),
    "half a character in a relation": (
        "relation", "a.jsonl",
        lambda: rb'{"tokens": ["a", "b"], "entities": [{"mentions": [[0, 1]]}, {"mentions": [[1, 2]]}], '
        rb'"relations": [{"head": 0, "tail": 1, "label": "\ud800"}]}'),
    "a short row behind the first five thousand": ("ner", "a.conll", lambda: (ONTONOTES + "b c\n").encode()),
    "a table that is not UTF-8": ("lm", "a.parquet", parquet_that_is_not_utf8),
    "an example of spaCy with a number": ("ner", "a.json", lambda: b'[["a b", {"entities": [1]}], ["c", {}]]'),
    "mentions that are no list": ("ner", "a.jsonl", lambda: b'{"text": "ab", "label": {"PER": 3}}'),
    "words that are no pairs": (
        "ner", "a.jsonl",
        lambda: b'{"text": "ab", "spans": [], "offsets": [[0, "1"]]}'),
    "a span of a probe that is no list": (
        "probe", "a.jsonl", lambda: b'{"text": "ab", "question": "?", "answers": ["a"], "spans": true}'),
    "a probe that asks for a text": (
        "probe", "a.jsonl", lambda: b'{"text": "ab", "question": "?", "answers": ["a"], "asked": "x"}'),
}  # fmt: skip
"""What fuzzing found once: each ended in a traceback, some of them after training."""


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_is_refused(name, tmp_path, tokenizers):
    task, file, content = FOUND[name]
    assert outcome(tmp_path / "f", fuzzing.Seed(task, name, file, b""), content(), tokenizers) == "refused"
