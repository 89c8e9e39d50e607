"""The built-in corpora of recommendation and dialogue: the evidence lies a known number of words back."""

from itertools import pairwise

import pytest

from ctxlab.corpora.grammar.names import names
from ctxlab.corpora.recommendation import PARAGRAPH
from ctxlab.data.sources.generated import Generated
from ctxlab.tasks.text.words import words_of

TASKS = ("recommendation", "dialogue")


def load(task, split="train", seed=1, **options):
    return [record.fields for record in Generated(**options).load(task, split, seed)]


def history(record):
    """The texts that come before the choice."""
    return record["history"] if "history" in record else [turn["text"] for turn in record["turns"][:-1]]


def words(text):
    return words_of(text.replace("'s", " s"))[0]


def told(record):
    """The evidence sentences, each with the number of words after it in the history."""
    joined = PARAGRAPH.join(history(record))
    starts = [joined.index(text) for text in history(record)]
    for probe in record["probes"]:
        offset = starts[probe["turn"]] if "turn" in probe else 0
        yield joined[offset + probe["start"] : offset + probe["end"]], joined[offset + probe["end"] :], probe


@pytest.mark.parametrize("task", TASKS)
def test_candidates_differ_and_stand_in_any_order(task):
    places = set()
    for record in load(task, documents=30, words_per_document=100, evidence_distance=[16]):
        assert len(set(record["candidates"])) == 10
        labels = record.get("labels") or [int(text == record["turns"][-1]["text"]) for text in record["candidates"]]
        assert sum(labels) in ((1, 2) if task == "recommendation" else (1,))
        places.add(labels.index(1))
    assert len(places) > 5


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_the_next_turn_is_the_fact_of_the_one_that_was_asked_for(share):
    distances = set()
    for record in load("dialogue", documents=20, words_per_document=300, evidence_distance=[32, 200],
                       ambiguous_share=share):  # fmt: skip
        ((fact, behind, probe),) = told(record)
        question, answer = (turn["text"] for turn in record["turns"][-2:])
        (name,) = {*words(fact)} & {*names("train")}
        assert name in question
        key = [word for word in words(answer.removesuffix(", I think.")) if word != "."][-1]
        assert key in words(fact)
        rest = words(fact)[words(fact).index(name) :]
        assert probe["distance"] == len(rest) + len(words(behind.removesuffix(question)))
        distances.add(probe["distance"])
        speakers = [turn["speaker"] for turn in record["turns"]]
        assert all(a != b for a, b in pairwise(speakers))
        others = {*words(" ".join(history(record)))} & {*names("train")} - {name}
        assert len(others) == share
    assert distances == {32, 200}


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_the_history_decides_what_is_chosen(share):
    distances = set()
    for record in load("recommendation", documents=20, words_per_document=300, evidence_distance=[32, 200],
                       ambiguous_share=share):  # fmt: skip
        found = list(told(record))
        chosen = [text for text, label in zip(record["candidates"], record["labels"], strict=True) if label]
        others = [text for text, label in zip(record["candidates"], record["labels"], strict=True) if not label]
        assert len(found) == len(chosen) + share
        tastes = found[int(share) :]
        for candidate in chosen:
            assert any({*words(sentence)[-4:]} & {*words(candidate.strip("."))} - {"the"} for sentence, _, _ in tastes)
        if share:
            (byline, _, _), (speciality, _, _) = found[:2]
            assert {*words(byline)} & {*words(speciality)} & {*names("train")}
            (wrong,) = [s for s in " ".join(record["history"]).split(".") if "one subject of" in s or "only about" in s
                        if s.strip() + "." != speciality]  # fmt: skip
            assert any(wrong.split()[-1] in text for text in others)
        distances.add(found[0][2]["distance"])
        at = words(found[0][0])
        assert min(abs(found[0][2]["distance"] - len(words(found[0][1])) - n) for n in range(len(at) + 1)) == 0
    assert distances == {32, 200}
