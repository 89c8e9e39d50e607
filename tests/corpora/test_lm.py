"""The built-in language modelling corpus."""

from itertools import pairwise

import pytest

from ctxlab.corpora.grammar.names import names
from ctxlab.data.sources.generated import Generated
from ctxlab.tasks.text.words import words_of


def load(split="train", seed=1, task="lm", **options):
    return [record.fields for record in Generated(**options).load(task, split, seed)]


def words(text):
    """Words as the grammar counts them: ``'s`` is one, and names with a hyphen are not used."""
    return words_of(text.replace("'s", " s"))[0]


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_probes_repeat_a_word_at_their_distance(share):
    distances = set()
    for record in load(documents=3, words_per_document=600, evidence_distance=[16, 256], ambiguous_share=share):
        text, probes = record["text"], record["probes"]
        assert probes
        for probe in probes:
            key = text[probe["start"] : probe["end"]]
            before = words(text[: probe["start"]])
            assert before[-probe["distance"]] == key
            # The name in its sentence is that of the first sentence, and occurs nowhere else.
            sentence = text[: probe["start"]].rsplit(".", 1)[1]
            (name,) = [word for word in words(sentence) if word in names("train")]
            assert words(text).count(name) == 2
            assert name in words(text[: probe["start"]])[-probe["distance"] - 12 : -probe["distance"]]
            distances.add(probe["distance"])
    assert distances == {16, 256}


def test_probes_are_in_order_and_apart():
    for record in load(documents=3):
        assert all(a["end"] < b["start"] for a, b in pairwise(record["probes"]))


def test_no_article_gives_a_key_away():
    for record in load(documents=5, ambiguous_share=0.5):
        for probe in record["probes"]:
            assert record["text"][: probe["start"]].split()[-1] not in ("a", "an")


def test_paragraphs_and_punctuation():
    (record,) = load(documents=1)
    paragraphs = record["text"].split("\n\n")
    assert 10 < len(paragraphs) < 100
    assert all(paragraph[0].isupper() or paragraph[0] == '"' for paragraph in paragraphs)
    assert " ." not in record["text"]
    assert " ," not in record["text"]
    assert all(paragraph.count('"') % 2 == 0 for paragraph in paragraphs)
