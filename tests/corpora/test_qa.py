"""The built-in corpus of question answering."""

import pytest

from ctxlab.core.errors import UserError
from ctxlab.corpora.grammar.names import names
from ctxlab.data.sources.generated import Generated
from ctxlab.tasks.qa import QA
from ctxlab.tasks.text.words import words_of


def load(split="train", seed=1, **options):
    return [record.fields for record in Generated(**options).load("qa", split, seed)]


def words(text):
    return words_of(text.replace("'s", " s"))[0]


def test_documents_are_a_function_of_seed_split_and_index():
    assert load(documents=3) == load(documents=5)[:3]
    assert load(documents=1) != load(documents=1, seed=2)


@pytest.mark.parametrize("length", [20, 21, 57, 300, 3000])
@pytest.mark.parametrize("share", [0.0, 1.0])
def test_length_is_exact(length, share):
    for record in load(documents=20, words_per_document=length, evidence_distance=[1, 8], ambiguous_share=share):
        assert abs(len(words(record["context"])) - length) <= record["context"].count("-")
        assert record["questions"]


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_answers_stand_once_at_their_distance(share):
    for record in load(documents=4, words_per_document=600, evidence_distance=[16, 64, 256], ambiguous_share=share):
        context, (*asked, unstated) = record["context"], record["questions"]
        assert [probe["distance"] for probe in record["probes"]] == [16, 64, 256]
        for question, probe in zip(asked, record["probes"], strict=True):
            (answer,) = question["answers"]
            assert answer == {"text": context[probe["start"] : probe["end"]], "answer_start": probe["start"]}
            assert len(words(context[: probe["start"]])) == probe["distance"]
            (name,) = [word for word in words(question["question"]) if word in names("train")]
            assert words(context).count(name) == 1
        assert unstated["answers"] == []
        (name,) = [word for word in words(unstated["question"]) if word in names("train")]
        assert words(context).count(name) == 1
        assert unstated["question"] not in [question["question"] for question in asked]


def test_no_name_is_in_two_splits():
    found = {split: {w for r in load(split) for w in words(r["context"])} for split in ("train", "validation", "test")}
    for split, used in found.items():
        for other in found:
            assert bool(used & set(names(other))) == (split == other)


def test_every_document_is_one_that_the_task_reads():
    for record in load(documents=3, words_per_document=200):
        assert len(QA().expand(QA().parse(record, "here", gold=True))) == len(record["questions"])


def test_a_distance_that_never_fits_is_refused():
    with pytest.raises(UserError, match="evidence_distance"):
        load(words_per_document=50, evidence_distance=[100])
