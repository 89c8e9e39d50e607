"""Named corpora of classification: their evidence determines the class, at the distance that they say."""

import re

import pytest

from ctxlab.cli import main
from ctxlab.core.errors import UserError
from ctxlab.corpora.grammar.names import names
from ctxlab.corpora.named import emotion, intent, routing, sentiment
from ctxlab.data.sources.generated import Generated, corpora_by_name
from ctxlab.tasks.classification import Classification

SENTENCES = {"emotion": emotion.FEELINGS, "intent": intent.INTENTS, "routing": routing.MATTERS,
             "sentiment": sentiment.OPINIONS}  # fmt: skip

PLACES = {"digits", "layout", "tones"}
"""Corpora of words, pixels or samples that have numbers, which have tests of their own."""


def load(corpus, split="train", documents=24, **options):
    given = {"words_per_document": 126, "evidence_distance": [16, 40], "ambiguous_share": 0.5, "corpus": corpus}
    source = Generated(documents, documents, documents, **(given | options))
    return [record.fields for record in source.load("classification", split, 1)]


def pattern(template):
    words = [r"(\w+)" if word == "<x>" else re.escape(word) for word in template.split(" ")]
    return re.compile(r"\s?".join(words), re.IGNORECASE)


def test_every_corpus_of_texts_is_tested():
    assert sorted(SENTENCES) == [name for name in corpora_by_name() if name not in PLACES]


@pytest.mark.parametrize("corpus", SENTENCES)
def test_the_evidence_states_the_class_and_nothing_else_of_that_name_does(corpus):
    """Oracle: the sentences of every class, searched for as patterns in the text."""
    for record in load(corpus):
        text, first = record["text"], record["probes"][0]
        piece = text[first["start"] : first["end"]]
        stating = {label for label, some in SENTENCES[corpus].items() for one in some if pattern(one).fullmatch(piece)}
        assert stating == {record["label"]}
        Classification().parse({"id": "a"} | record, "here", gold=True)
    assert len({record["label"] for record in load(corpus)}) == len(SENTENCES[corpus])


@pytest.mark.parametrize("corpus", SENTENCES)
def test_names_of_splits_are_apart_and_documents_a_function_of_seed_split_and_index(corpus):
    assert load(corpus)[:3] == load(corpus, documents=3)
    for split in ("train", "validation", "test"):
        words = set(re.findall(r"\w+", " ".join(record["text"] for record in load(corpus, split))))
        assert words & set(names(split))
        for other in {"train", "validation", "test"} - {split}:
            assert not words & set(names(other))


def test_every_turn_is_a_text_with_its_history_and_the_last_feeling_of_its_speaker():
    """Oracle: the turns read one after the other, with the feelings found in them by pattern."""
    records = load("emotion", documents=60)
    apart, changed, distances = 0, 0, []
    for start in range(0, len(records), emotion.TURNS):
        conversation, history, felt = records[start : start + emotion.TURNS], "", {}
        for number, record in enumerate(conversation):
            assert record["text"].startswith(history)
            history = record["text"]
            lines = history.split("\n")
            assert len(lines) == number + 1
            speaker, _, said = lines[-1].partition(": ")
            found = [label for label, some in emotion.FEELINGS.items() for one in some if pattern(one).search(said)]
            changed += bool(found) and speaker in felt
            felt |= {speaker: found[0]} if found else {}
            assert record["label"] == felt[speaker]
            assert len(re.findall(r"\w+|[^\w\s]", history.replace("'s", " s").replace("-", ""))) == 21 * (number + 1)
            (probe,) = record["probes"]
            name = max(history.find(word, probe["start"], probe["end"]) for word in names("train"))
            after = re.findall(r"\w+|[^\w\s]", history[name:].replace("'s", " s").replace("-", ""))
            assert len(after) == probe["distance"]
            distances.append(probe["distance"])
        assert len(felt) == 2
        apart += len(set(felt.values())) == 2
    assert changed
    assert 0 < apart < len(records) // emotion.TURNS
    assert max(distances) > 2 * 21  # the evidence of some turn stands in another one, not in the last


@pytest.mark.parametrize(
    ("corpus", "task", "options", "said"),
    [
        (
            "feelings",
            "classification",
            {},
            r"there is no corpus 'feelings'; corpora: digits, emotion, intent, layout",
        ),
        ("intents", "classification", {}, r"did you mean 'intent'\?"),
        ("intent", "ner", {}, r"data.corpus=intent has documents for task=classification, not for task=ner"),
        ("intent", "classification", {"language": "zh"}, r"has no documents in data.language=zh"),
        ("emotion", "classification", {"words_per_document": 100}, r"leaves 16 words .*: give at least 120"),
    ],
)
def test_what_cannot_be_is_refused(corpus, task, options, said):
    with pytest.raises(UserError, match=said):
        Generated(1, corpus=corpus, **options).load(task, "train", 1)


@pytest.mark.parametrize("name", ["sentiment", "intent", "emotion", "routing"])
def test_the_names_that_people_type_are_led_to_the_task_and_the_corpus(name, capsys):
    assert main(["train", f"task={name}"]) == 2
    said = capsys.readouterr().err
    assert f"write task=classification (data.corpus={name} is its built-in corpus)." in said
    assert len(said.strip().splitlines()) == 1
