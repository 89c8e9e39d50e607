"""``knowledge=markers``: what is written around mentions, and that places stay those of the document."""

import numpy as np
import pytest

from ctxlab.core.errors import UserError
from ctxlab.core.types import NO_LABEL, Document
from ctxlab.data.encode import fingerprint
from ctxlab.knowledge.markers import Markers
from ctxlab.models.tiny_bert import TinyBert
from ctxlab.tasks.ner import NER
from ctxlab.tasks.relation import Relation
from tests.stages.conftest import train

WORDS = ["In", "New", "York", "Ann", "left"]
ENTITIES = [
    {"type": "PLACE", "mentions": [[1, 3]]},
    {"type": "STATE_NAME", "mentions": [[2, 3]]},
    {"type": "PER", "mentions": [[3, 4]]},
]
PLAIN = {"before": "@ * {type} *", "after": "@"}


def encoded_with(**options):
    task = Relation(["in"])
    Markers(**{**PLAIN, **options}).teach(task)
    record = {"id": "d", "tokens": WORDS, "entities": ENTITIES, "relations": [{"head": 0, "tail": 2, "label": "in"}]}
    document = task.parse(record, "here", gold=True)
    tokenizer = TinyBert(vocabulary="letters").tokenizer()
    (encoded,) = task.encode([document], tokenizer)
    return task, document, tokenizer, encoded


def written(tokenizer, encoded):
    """The text of each word with what is around it."""
    texts = []
    for word in range(len(WORDS)):
        pieces = tokenizer.convert_ids_to_tokens(encoded.input_ids[encoded.word_ids == word])
        texts.append("".join(piece.removeprefix("##") for piece in pieces))
    return texts


def test_by_hand():
    """Nested mentions: the longer one is outside; where two mentions end at one word, the same sign is there once."""
    _, _, tokenizer, encoded = encoded_with()
    assert (np.diff(encoded.word_ids) >= 0).all()
    assert [text.lower() for text in written(tokenizer, encoded)] == [
        "in", "@*place*new", "@*statename*york@", "@*per*ann@", "left"
    ]  # fmt: skip


def test_names_and_closing_types():
    _, _, tokenizer, encoded = encoded_with(before="<{type}>", after="</{type}>", names={"PER": "human"})
    assert [text.lower() for text in written(tokenizer, encoded)] == [
        "in", "<place>new", "<statename>york</statename></place>", "<human>ann</human>", "left"
    ]  # fmt: skip


def test_the_state_of_a_mention_is_that_of_its_first_sign():
    task, document, tokenizer, encoded = encoded_with()
    found = np.flatnonzero(encoded.labels != NO_LABEL)
    assert encoded.word_ids[found].tolist() == [1, 2, 3]
    assert set(tokenizer.convert_ids_to_tokens(encoded.input_ids[found])) == {"@"}
    plain = Relation(["in"])
    keys = {fingerprint(one, [document], tokenizer) for one in (task, plain, encoded_with(after="#")[0])}
    assert len(keys) == 3


def test_the_asterisks_of_the_task_are_as_before():
    task = Relation(["in"], markers=True)
    record = {"id": "d", "tokens": WORDS, "entities": ENTITIES, "relations": []}
    tokenizer = TinyBert(vocabulary="letters").tokenizer()
    (encoded,) = task.encode([task.parse(record, "here", gold=True)], tokenizer)
    assert [text.lower() for text in written(tokenizer, encoded)] == ["in", "*new", "*york*", "*ann*", "left"]


def test_what_does_not_work_is_refused():
    with pytest.raises(UserError, match="documents of task=ner do not have: use task=relation"):
        Markers(**PLAIN).teach(NER(["LOC"]))
    with pytest.raises(UserError, match=r"task\.markers=true both write around mentions"):
        Markers(**PLAIN).teach(Relation(["in"], markers=True))
    with pytest.raises(UserError, match=r"do not say where the type is written: put \{type\}"):
        Markers("@", "@")


def test_a_run_is_trained_with_them(tmp_path):
    assert train(tmp_path / "run", "task=relation", "knowledge=markers", "strategy=chunk", "trainer.max_steps=2") == 0


def test_words_without_a_type_are_documents_too():
    task = Relation(["in"])
    Markers(**PLAIN).teach(task)
    (encoded,) = task.encode([Document("d", {"tokens": WORDS, "entities": []}, "here")], TinyBert().tokenizer())
    assert list(np.unique(encoded.word_ids)) == list(range(len(WORDS)))
