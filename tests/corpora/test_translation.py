"""The built-in corpora of translation and summarization: facts at their distance, and gold that follows from them."""

import pytest

from ctxlab.corpora.grammar.names import names
from ctxlab.corpora.grammar.prose import LISTS
from ctxlab.corpora.translation import ENDINGS, render, translated
from ctxlab.data.sources.generated import Generated
from ctxlab.tasks.summarization import Summarization
from ctxlab.tasks.text.structure import sentence_places as spans
from ctxlab.tasks.text.words import words_of
from ctxlab.tasks.translation import Translation

TEXTS = {"translation": "source", "summarization": "document"}


def load(task, split="train", seed=1, **options):
    return [record.fields for record in Generated(**options).load(task, split, seed)]


def words(text):
    return words_of(text.replace("'s", " s").replace("-", ""))[0]


def test_the_ending_of_a_name_depends_on_an_earlier_fact():
    seen = set()
    for record in load(
        "translation", documents=4, words_per_document=600, ambiguous_share=0.5, evidence_distance=[16, 64, 256]
    ):
        for probe in record["probes"]:
            seen.add(probe["distance"])
            fact = record["source"][probe["start"] : probe["end"]]
            (name,) = [word for word in words(fact) if word in names("train")]
            assert probe["says"] in {name + ending for ending in ENDINGS.values()}
            assert words(record["target"]).count(probe["says"]) == 2
            first, second = [i for i, word in enumerate(words(record["source"])) if word == name]
            assert second - first == probe["distance"]
            assert first >= len(words(record["source"][: probe["start"]]))
    assert {16, 64, 256} <= seen


def test_translations_by_the_rules():
    """Word for word, with adjectives after their nouns, and capitals and punctuation in place."""
    every = {word.lower() for entries in LISTS.values() for entry in entries for word in entry.split()}
    assert len({translated(word) for word in every}) == len(every)
    given = render(['"', "The", "cold", "lamp", "of", "Balan", ",", "Monday"], {"Balan": "PER"})
    the, cold, lamp, of, monday = (translated(word) for word in ["the", "cold", "lamp", "of", "monday"])
    assert given == ['"', the.capitalize(), lamp, cold, of, "Balanael", ",", monday.capitalize()]
    for record in load("translation", documents=3, words_per_document=200, evidence_distance=[16]):
        assert len(record["source"].split()) == len(record["target"].split())
        assert len(spans(record["source"])) == len(spans(record["target"]))
        assert record["source"].count("\n\n") == record["target"].count("\n\n")
        Translation().parse(record, "here", gold=True)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_summaries_state_what_stands_at_its_distance(share):
    for record in load(
        "summarization", documents=4, words_per_document=600, evidence_distance=[16, 64, 256], ambiguous_share=share
    ):
        text, (*asked, whole) = record["document"], record["summaries"]
        assert [probe["distance"] for probe in whole["probes"]] == [16, 64, 256]
        assert whole["query"] is None
        assert whole["summary"] == " ".join(one["summary"] for one in asked)
        for one in asked:
            (probe,), (name,) = one["probes"], [w for w in words(one["query"]) if w in names("train")]
            told = text[probe["start"] : probe["end"]]
            (used,) = [word for word in words(told) if word in names("train")]
            assert told.replace(used, name) == one["summary"]
            assert (used == name) == (share == 0)
            assert probe["says"] in one["summary"]
            at = words(text[: probe["start"]] + told[: told.index(used)])
            assert len(at) == probe["distance"]
        assert len(Summarization().expand(Summarization().parse(record, "here", gold=True))) == 4
