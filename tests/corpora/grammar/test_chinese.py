"""The small Chinese grammar; what it shares with the English ones is tested in ``tests/contracts``."""

import pytest

from ctxlab.core.errors import UserError
from ctxlab.corpora.grammar.chinese import AGAIN, FACTS, FILLERS, SHORT, VERDICTS, names
from ctxlab.data.sources.generated import Generated
from ctxlab.text.units import num_words


def load(task, split="train", seed=1, **options):
    return [r.fields for r in Generated(language="zh", **options).load(task, split, seed)]


def test_no_name_occurs_in_two_splits_or_in_the_prose():
    pools = [set(names(split)) for split in ("train", "validation", "test")]
    assert sum(map(len, pools)) == len(set().union(*pools))
    prose = "".join([*FILLERS, *SHORT, *(fact for _, *facts in FACTS for fact in facts), *AGAIN.values()])
    assert not any(name in prose for pool in pools for name in pool)


def test_answers_stand_once_at_their_distance():
    for record in load("qa", documents=6, words_per_document=600, evidence_distance=[16, 64, 256]):
        *asked, unstated = record["questions"]
        assert unstated["answers"] == []
        assert [probe["distance"] for probe in record["probes"]] == [16, 64, 256]
        for question, probe in zip(asked, record["probes"], strict=True):
            start = question["answers"][0]["answer_start"]
            assert record["context"][start:].startswith(question["answers"][0]["text"])
            assert num_words(record["context"][:start]) == probe["distance"]


def test_a_key_comes_again_at_its_distance():
    for record in load("lm", documents=4, words_per_document=600, ambiguous_share=0.4, evidence_distance=[16, 64]):
        assert record["probes"]
        for probe in record["probes"]:
            key = record["text"][probe["start"] : probe["end"]]
            before = num_words(record["text"][: probe["start"]])
            places = [i for i in range(probe["start"]) if record["text"].startswith(key, i)]
            assert before - probe["distance"] in {num_words(record["text"][:place]) for place in places}


def test_a_verdict_is_that_of_the_person_who_matters():
    for record in load(
        "classification", documents=9, words_per_document=300, ambiguous_share=1.0, evidence_distance=[32]
    ):
        verdict, subject = (record["text"][p["start"] : p["end"]] for p in record["probes"])
        name = next(name for name in names("train") if name in subject)
        assert any(form.replace("<x>", name) == verdict for form in VERDICTS[record["label"]])


def test_entities_are_names_and_summaries_are_sentences_of_the_document():
    for record in load("ner", documents=4, words_per_document=600, ambiguous_share=0.3, evidence_distance=[32]):
        for probe in record["probes"]:
            assert record["tags"][probe["start"]].startswith("B-")
            assert "".join(record["tokens"][probe["start"] : probe["start"] + 2]) in names("train")
    for record in load("summarization", documents=2, words_per_document=400, evidence_distance=[16, 64]):
        *single, whole = record["summaries"]
        assert whole["summary"] == "".join(one["summary"] for one in single)
        assert all(one["summary"] in record["document"] for one in single)


def test_other_languages_and_tasks_are_refused_by_name():
    with pytest.raises(UserError, match=r"data.language=fr has no grammar: use en or zh"):
        Generated(language="fr")
    with pytest.raises(UserError, match=r"no Chinese grammar for task=nli .there are: classification, lm"):
        load("nli")
