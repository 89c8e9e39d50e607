"""Sentences of other documents."""

from ctxlab.augment.distractors import Distractors
from ctxlab.core.augmentation import changed
from ctxlab.tasks.ner import NER
from tests.augment.documents import learned, ner, questions, texts
from tests.augment.test_mention_swap import documents


def sentences_of(document):
    tokens, starts = document.fields["tokens"], document.fields["sentence_starts"]
    ends = [*starts[1:], len(tokens)]
    return [" ".join(tokens[start:end]) for start, end in zip(starts, ends, strict=True)]


def test_at_dose_one_a_sentence_without_entity_stands_before_every_sentence():
    task, given = ner()
    augmentation = learned(Distractors(dose=1.0), task, given)
    free = {"it rained often and the streets were dark .", "nobody answered the letter about the storm ."}
    for document in given:
        new = changed(augmentation, document, task, 1, 0)
        found = sentences_of(new)
        assert found[1::2] == sentences_of(document)
        assert set(found[::2]) <= free
        assert [" ".join(new.fields["tokens"][at : at + 1]) for at in new.fields["global_words"]] == [
            document.fields["tokens"][at] for at in document.fields["global_words"]
        ]


def test_documents_whose_every_sentence_has_an_entity_lend_none():
    task, given = documents()
    augmentation = learned(Distractors(dose=1.0), task, given)
    assert all(changed(augmentation, one, task, 1, 0) is one for one in given)


def test_a_text_gets_whole_sentences_of_other_texts():
    task, given = texts()
    augmentation = learned(Distractors(dose=1.0), task, given)
    for place, document in enumerate(given):
        new = changed(augmentation, document, task, 1, 0).fields["text"]
        rest = new
        for sentence in document.fields["text"].split(" . "):
            assert sentence.rstrip(" .") in rest
            rest = rest[rest.index(sentence.rstrip(" .")) :]
        assert len(new) > len(document.fields["text"])
        others = " ".join(one.fields["text"] for i, one in enumerate(given) if i != place)
        assert all(word in f"{others} {document.fields['text']}" for word in new.split())


def test_what_is_added_to_a_context_does_not_hold_the_answer():
    task, given = questions(8)
    augmentation = learned(Distractors(dose=1.0), task, given)
    for document in given:
        new = changed(augmentation, document, task, 1, 0).fields
        (answer,) = new["answers"]
        before = document.fields["context"].count(answer["text"])
        assert new["context"].count(answer["text"]) == before
        first, second = new["text_starts"]
        assert (first, new["context"][second - 2 : second]) == (0, "\n\n")


def test_sentences_are_those_of_other_records():
    task = NER()
    words = [["one", "is", "here", "."], ["two", "is", "there", "."]]
    given = [
        task.parse({"id": name, "tokens": own * 3, "tags": ["O"] * 12, "sentence_starts": [0, 4, 8]}, "", gold=True)
        for name, own in zip("ab", words, strict=True)
    ]
    augmentation = learned(Distractors(dose=1.0), task, given)
    for document, own, other in zip(given, words, reversed(words), strict=True):
        assert changed(augmentation, document, task, 1, 0).fields["tokens"] == (other + own) * 3
