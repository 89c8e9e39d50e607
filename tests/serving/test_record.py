"""Every task takes the records of its own corpus, with gold, and most refuse a field that nobody reads."""

import pytest

from ctxlab.command.compose import compose
from ctxlab.config import catalogue
from ctxlab.config.build import build
from ctxlab.core.data import Source
from ctxlab.core.errors import UserError
from ctxlab.core.task import Task
from ctxlab.evaluation.answerer import Answerer
from ctxlab.serving.record import Watched, documents
from ctxlab.serving.refusal import Refusal

COPIED = ("relation",)
"""Tasks that copy a whole record, so that no field of it counts as unread."""


@pytest.mark.by_default(5)
@pytest.mark.parametrize("name", catalogue.options("task"))
def test_a_record_with_gold_is_taken_and_a_mistyped_field_refused(name):
    words = [f"task={name}", "data.documents=2", "data.validation_documents=2", "data.test_documents=2"]
    config = compose("train", words)
    record = build(config.data, Source).load(name, "test", 1)[0].fields
    for kind in ("encoder", "decoder", "encoder_decoder"):
        try:
            task = build(config.task, Task).for_kind(kind)
        except UserError:
            continue
        answerer = Answerer(task, lambda _: [], None)
        assert documents(answerer, dict(record))
        if name not in COPIED:
            with pytest.raises(Refusal, match="a field that task=") as caught:
                documents(answerer, {**record, "canary": "canary"})
            assert "canary" not in caught.value.sentence
        assert task.notes == []


@pytest.mark.by_default(2)
@pytest.mark.parametrize(
    "record",
    [
        {"turns": ["Hello.", "canary?"]},
        {"turns": ["Hello.", "canary?"], "candidates": []},
        {"turns": [], "candidates": ["canary", "b"]},
        {"turns": "canary", "candidates": ["canary", "b"]},
        {"turns": ["canary"], "candidates": "canary"},
        {"turns": [["canary"], {"canary": 1}], "candidates": ["a", "b"]},
    ],
)
def test_a_dialogue_without_candidates_or_turns_is_refused(record):
    task = build(compose("train", ["task=dialogue"]).task, Task).for_kind("encoder")
    with pytest.raises(Refusal) as caught:
        documents(Answerer(task, lambda _: [], None), record)
    assert (caught.value.status, "canary" in caught.value.sentence) == (422, False)


def test_a_copied_record_counts_as_read():
    one, other = Watched({"a": 1, "b": 2}), Watched({"a": 1, "b": 2})
    assert (one["a"], one.get("c"), "d" in one) == (1, None, False)
    assert list(one.asked) == ["a", "c", "d"]
    assert {**other} == {"a": 1, "b": 2}
    assert set(other.asked) == {"a", "b"}
