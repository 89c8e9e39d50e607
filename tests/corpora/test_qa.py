"""The built-in corpus of question answering."""

import pytest

from ctxlab.corpora.grammar.names import names
from ctxlab.data.sources.generated import Generated
from ctxlab.tasks.qa import QA
from ctxlab.tasks.text.words import words_of


def load(split="train", seed=1, **options):
    return [record.fields for record in Generated(**options).load("qa", split, seed)]


def words(text):
    return words_of(text.replace("'s", " s"))[0]


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
        assert len(QA().expand(QA().parse(record, "here", gold=True))) == len(record["questions"])
