"""Expressions over a long file: what counts as right, which windows learn what, and bad records."""

import numpy as np
import pytest

from ctxlab.core.errors import UserError
from ctxlab.core.types import GeneratedTokens, Merged
from ctxlab.data.sources.generated import Generated
from ctxlab.evaluation.metrics import code as metric
from ctxlab.runtime.forward import window_targets
from ctxlab.strategies.reading.chunk import Chunk
from ctxlab.tasks.code import Code
from ctxlab.text.expressions import definitions, parse, run
from tests.tasks.conftest import byte_level

FILE = "let town = 6 # the age of the town\n# nothing\ndef time(x) = x * 2 # the fee of the time"
RECORD = {"id": "1", "file": FILE, "description": "the age plus 1", "expression": "town + 1"}


@pytest.fixture(scope="module")
def tokenizer():
    return byte_level("$A", add_prefix_space=False)


def task(tokenizer, **options):
    made = Code(**options).for_kind("decoder")
    made.prepare(tokenizer)
    return made


def told(made, tokenizer, record, text):
    """The prediction of a model that writes ``text``."""
    document = made.parse(record, "here", gold=True)
    (encoded,) = made.encode([document], tokenizer)
    written = np.asarray(tokenizer(f" {text}", add_special_tokens=False).input_ids, np.int64)
    merged = Merged(
        np.zeros((len(encoded), 0), np.float32), np.ones(len(encoded), bool), [GeneratedTokens(written, -1.0)]
    )
    return document, made.decode(document, encoded, merged)


@pytest.mark.parametrize(
    ("text", "accuracy", "exact", "parses"),
    [
        ("town + 1", 1, 1, 1),
        ("town+1", 1, 1, 1),
        ("1 + town", 1, 0, 1),
        ("7", 1, 0, 1),
        ("town + 2", 0, 0, 1),
        ("time(town)", 0, 0, 1),
        ("village + 1", 0, 0, 1),
        ("7 > 6", 0, 0, 1),
        ("town +", 0, 0, 0),
        ("", 0, 0, 0),
        ("town + 1\nand more", 1, 1, 1),
    ],
)
def test_the_value_decides(text, accuracy, exact, parses, tokenizer):
    made = task(tokenizer)
    document, prediction = told(made, tokenizer, RECORD, text)
    found = metric.score([document], [prediction]).metrics
    assert found == {"accuracy": accuracy, "exact_match": exact, "parses": parses}


def test_a_truth_value_is_no_number(tokenizer):
    """1 == True in Python."""
    document, prediction = told(task(tokenizer), tokenizer, {**RECORD, "expression": "town > 5"}, "1")
    assert metric.score([document], [prediction]).metrics["accuracy"] == 0


def test_a_line_has_the_value(tokenizer):
    made = task(tokenizer)
    for text, value in (("time(4)", 8), ("time(", None)):
        document, prediction = told(made, tokenizer, RECORD, text)
        assert made.record(document, prediction) == {"id": "1", "expression": text, "value": value, "share_read": 1.0}


def test_a_window_without_all_that_is_needed_learns_to_say_none(tokenizer):
    made = task(tokenizer, decoding={"max_new_tokens": 16})
    probes = [
        {"start": FILE.index(part), "end": FILE.index(part) + len(part), "distance": 9} for part in ("town", "time(x)")
    ]
    (encoded,) = made.encode([made.parse({**RECORD, "probes": probes}, "here", gold=True)], tokenizer)
    for length, expected in ((400, "town + 1"), (80, "none")):
        windows = Chunk().windows(encoded, length)
        written = {tokenizer.decode(target[:-1].tolist()).strip() for target in window_targets(encoded, windows)}
        assert written == {expected}


def test_what_was_not_read_is_not_covered(tokenizer):
    made = task(tokenizer)
    probes = [{"start": 0, "end": 12, "distance": 0}]
    document = made.parse({**RECORD, "probes": probes}, "here", gold=True)
    (encoded,) = made.encode([document], tokenizer)
    seen = np.arange(len(encoded)) > 5
    prediction = made.decode(document, encoded, Merged(np.zeros((len(encoded), 0), np.float32), seen))
    found = metric.score([document], [prediction])
    assert (found.coverage_labels, found.metrics["accuracy"]) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"file": "let a = 1\nb = 2"}, "The field 'file' of f.jsonl line 3 cannot be used: line 2"),
        ({"expression": "town +"}, "The field 'expression' of f.jsonl line 3 cannot be used: it ends too early"),
        ({"expression": "city"}, "The field 'expression' of f.jsonl line 3 cannot be used: city is not defined"),
        ({"description": 3}, "The field 'description' of f.jsonl line 3"),
        ({"probes": [{"start": 0, "end": 9999, "distance": 0}]}, "probes"),
    ],
)
def test_a_bad_record_is_named(change, message):
    with pytest.raises(UserError, match=message):
        Code().parse(RECORD | change, "f.jsonl line 3", gold=True)


def test_parts_are_not_joined():
    with pytest.raises(UserError, match=r"task.combine=join"):
        Code(combine="join")


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_generated_evidence_is_what_the_expression_needs(share):
    """Oracle: without the probed lines the expression has no value, and with them alone it has the same one."""
    source = Generated(20, words_per_document=200, ambiguous_share=share, evidence_distance=[64])
    for record in (one.fields for one in source.load("code", "train", seed=3)):
        file, probes = record["file"], record["probes"]
        lines = [file[one["start"] : one["end"]] for one in probes]
        assert len(lines) == (2 if share else 1)
        value = run(parse(record["expression"]), definitions(file))
        assert run(parse(record["expression"]), definitions("\n".join(lines))) == value
        for line in lines:
            with pytest.raises(ValueError, match="not defined"):
                run(parse(record["expression"]), definitions(file.replace(line, "#")))
        assert {one["distance"] for one in probes} == ({64} if share else {0})
        names = {line.split()[1].partition("(")[0] for line in lines}
        assert not any(name in record["description"] for name in names)
