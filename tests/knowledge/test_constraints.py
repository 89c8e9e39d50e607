"""Constrained decoding of tags, against trying all sequences of tags."""

import copy
import pickle
from itertools import pairwise, product

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ctxlab.core.errors import UserError
from ctxlab.core.types import NO_LABEL, Document, Encoded, Merged
from ctxlab.evaluation.evaluator import _decoding
from ctxlab.knowledge.constraints import Constraints
from ctxlab.knowledge.none import NoKnowledge
from ctxlab.tasks.classification import Classification
from ctxlab.tasks.ner import NER
from ctxlab.tasks.records.bio import repair

UNTIMED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

TYPES = ["LOC", "PER"]


def taught(*forbid, labels=TYPES) -> NER:
    task = NER(labels)
    Constraints(forbid).teach(task)
    return task


def decoded(task, outputs, seen=None):
    """The prediction for words of two tokens each, of which the first decides."""
    count = len(outputs)
    seen = np.ones(count, np.bool_) if seen is None else np.asarray(seen, np.bool_)
    places = np.arange(count).repeat(2)
    encoded = Encoded(places, places, labels=np.full(2 * count, NO_LABEL))
    both = np.stack([outputs, -outputs], axis=1).reshape(2 * count, -1).astype(np.float32)
    document = Document("a", {"tokens": ["w"] * count}, "a")
    return task.decode(document, encoded, Merged(both, seen.repeat(2)))


OUTPUTS = st.integers(1, 4).flatmap(lambda count: arrays(np.float32, (count, 5), elements=st.floats(-5, 5, width=32)))
RULES = st.lists(st.tuples(*[st.sampled_from(["O", "B-LOC", "I-LOC", "B-PER", "I-PER"])] * 2).filter(
    lambda pair: pair != ("O", "O")), max_size=4)  # fmt: skip


@UNTIMED
@given(OUTPUTS, RULES, st.data())
def test_no_allowed_sequence_is_more_probable(outputs, forbid, data):
    seen = data.draw(st.lists(st.booleans(), min_size=len(outputs), max_size=len(outputs)))
    task = taught(*map(list, forbid))
    answer = decoded(task, outputs, seen).answer

    def probability(tags):
        shares = torch.tensor(outputs, dtype=torch.float64).softmax(dim=-1)
        own = [shares[i, task.labels.index(tag)].item() if seen[i] else float(tag == "O") for i, tag in enumerate(tags)]
        return np.prod(own)

    def allowed(tags):
        return not repair(tags)[1] and not any(pair in forbid for pair in pairwise(tags))

    assert allowed(answer)
    best = max(probability(tags) for tags in product(task.labels, repeat=len(outputs)) if allowed(tags))
    assert probability(answer) == pytest.approx(best, rel=1e-9)


def test_a_likely_entity_wins_over_a_likely_beginning():
    """Alone the words are O and I-PER, which is repaired to an entity of one word; together they are B-PER I-PER."""
    shares = np.array([[0.5, 0.0, 0.0, 0.45, 0.05], [0.1, 0.0, 0.0, 0.1, 0.8]]) + 1e-9
    assert decoded(NER(TYPES), np.log(shares)).answer == ["O", "B-PER"]
    found = decoded(taught(), np.log(shares))
    assert found.answer == ["B-PER", "I-PER"]
    assert dict(found.counts) == {"words": 2, "forbidden before": 1, "words changed": 1, "forbidden after": 0}


def test_a_rule_of_the_user():
    shares = np.array([[0.1, 0.0, 0.0, 0.9, 0.0], [0.2, 0.8, 0.0, 0.0, 0.0]]) + 1e-9
    assert decoded(taught(), np.log(shares)).answer == ["B-PER", "B-LOC"]
    assert decoded(taught(["B-PER", "B-LOC"]), np.log(shares)).answer == ["B-PER", "O"]


def test_what_it_changed_is_a_table_over_documents():
    predictions = [decoded(taught(), np.eye(5)[[0, 4]]), decoded(taught(), np.eye(5)[[3, 4, 0]])]
    (table,) = _decoding(predictions)
    assert (table.name, list(table.columns)) == (
        "decoding",
        ["documents", "words", "forbidden before", "words changed", "forbidden after"],
    )
    assert list(table.rows[0][:3]) == [2, 5, 1]
    assert _decoding([decoded(NER(TYPES), np.eye(5))]) == []


def test_a_taught_task_can_be_copied_and_sent_to_processes():
    task = taught(["B-PER", "B-LOC"])
    for other in (copy.deepcopy(task), pickle.loads(pickle.dumps(task))):
        assert decoded(other, np.eye(5)[[0, 4]]).answer == decoded(task, np.eye(5)[[0, 4]]).answer


@pytest.mark.parametrize(
    ("forbid", "message"),
    [
        ([["B-PERS", "B-LOC"]], r"knowledge.forbid has the label 'B-PERS'; did you mean 'B-PER'\? Labels: O, B-LOC"),
        ([["B-PER"]], r"knowledge.forbid has \['B-PER'\], which is not a pair of labels: write knowledge.forbid=\[\["),
        (["B-PER"], "knowledge.forbid has 'B-PER', which is not a pair"),
        ([["O", 3]], "which is not a pair"),
        ([["O", "O"]], r"knowledge.forbid has \[O, O\], after which"),
    ],
)
def test_a_bad_rule_is_refused(forbid, message):
    with pytest.raises(UserError, match=message):
        taught(*forbid)


def test_no_knowledge_leaves_the_task_as_it_is():
    task = NER(TYPES)
    before = dict(vars(task))
    NoKnowledge().teach(task)
    assert vars(task) == before


def test_tasks_without_labels_of_words_are_refused():
    with pytest.raises(UserError, match=r"needs one label per word, which task=classification does not predict"):
        Constraints().teach(Classification(["a", "b"]))


def test_labels_that_are_not_bio_need_a_rule():
    task = NER(TYPES)
    task.labels = ["NOUN", "VERB"]
    with pytest.raises(UserError, match="forbids nothing: the labels NOUN, VERB are not BIO"):
        Constraints().teach(task)
    with pytest.raises(UserError, match="leaves no sequence of more than 2 labels"):
        Constraints([["NOUN", "VERB"], ["VERB", "NOUN"], ["NOUN", "NOUN"], ["VERB", "VERB"]]).teach(task)
    Constraints([["NOUN", "VERB"]]).teach(task)
