"""The built-in corpora of classification and inference: one sentence decides the label, or two at a distance."""

from collections import Counter

import pytest

from ctxlab.corpora.classification import VERDICTS
from ctxlab.corpora.grammar.names import names
from ctxlab.corpora.nli import LABELS
from ctxlab.data.sources.generated import Generated
from ctxlab.tasks.text.words import words_of

TASKS = {"classification": "text", "nli": "premise"}


def load(task, split="train", seed=1, **options):
    return [record.fields for record in Generated(**options).load(task, split, seed)]


def words(text):
    return words_of(text.replace("'s", " s"))[0]


def told(record, task):
    """The sentences that decide the label, in the order of the record."""
    text = record[TASKS[task]]
    return [text[probe["start"] : probe["end"]] for probe in record["probes"]]


NAMES = frozenset(names("train"))


def name_in(sentence):
    return [word for word in words(sentence) if word in NAMES]


@pytest.mark.parametrize("task", TASKS)
def test_classes_take_turns(task):
    counts = Counter(record["label"] for record in load(task, documents=30, words_per_document=100))
    assert set(counts) == set(VERDICTS if task == "classification" else LABELS)
    assert set(counts.values()) == {10}


def test_one_verdict_decides_the_class():
    places = set()
    for record in load("classification", documents=30, words_per_document=400, ambiguous_share=0.0):
        (sentence,) = told(record, "classification")
        (name,) = name_in(sentence)
        templates = [t.replace("<x>", name).replace(" .", ".").lower() for t in VERDICTS[record["label"]]]
        assert sentence.lower() in templates
        assert len(name_in(record["text"])) == 1
        assert record["probes"][0]["distance"] == 0
        places.add(record["probes"][0]["start"] * 4 // len(record["text"]))
    assert places == {0, 1, 2, 3}


def test_an_ambiguous_class_needs_two_sentences():
    """Several persons are judged differently, and the second sentence names the one that matters."""
    distances = set()
    for record in load(
        "classification", documents=30, words_per_document=300, ambiguous_share=1.0, evidence_distance=[16, 128]
    ):
        verdict, subject = told(record, "classification")
        assert name_in(verdict) == name_in(subject)
        (name,) = name_in(verdict)
        found = words(record["text"])
        first, second = (i for i, word in enumerate(found) if word == name)
        assert second - first == record["probes"][0]["distance"] == record["probes"][1]["distance"]
        distances.add(second - first)
        assert len(set(name_in(record["text"]))) == 3
    assert distances == {16, 128}


def test_a_premise_says_one_thing_of_the_person():
    for record in load("nli", documents=30, words_per_document=300, ambiguous_share=0.0):
        (fact,) = told(record, "nli")
        (name,) = name_in(fact)
        assert name_in(record["premise"]) == name_in(record["hypothesis"]) == [name]
        key, said = words(fact)[-2], words(record["hypothesis"].removesuffix(" alone.").removesuffix(" only."))
        asked = [word for word in said if word not in ".,"][-1]
        assert (record["label"] == "entailment") == (asked == key)
        before = words(record["premise"][: record["probes"][0]["start"]])
        assert record["probes"][0]["distance"] - 1 == len(before) + words(fact).index(name)


def test_an_ambiguous_premise_has_another_name():
    for record in load("nli", documents=20, words_per_document=300, ambiguous_share=1.0, evidence_distance=[16, 128]):
        fact, alias = told(record, "nli")
        (other,) = name_in(fact)
        (name,) = name_in(record["hypothesis"])
        assert other != name
        assert set(name_in(alias)) == {name, other}
        assert abs(record["probes"][0]["distance"] - record["probes"][1]["distance"]) in (16, 128)


@pytest.mark.parametrize("task", TASKS)
def test_a_distance_shorter_than_a_sentence_is_made_longer(task):
    for record in load(task, documents=6, words_per_document=30, ambiguous_share=1.0, evidence_distance=[1]):
        assert len(record["probes"]) == 2
        assert abs(len(words(record[TASKS[task]])) - 30) <= record[TASKS[task]].count("-")
