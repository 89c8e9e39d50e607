"""The built-in corpus of relations."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctxlab.core.errors import UserError
from ctxlab.corpora.grammar.names import names
from ctxlab.corpora.relation import RELATIONS
from ctxlab.data.sources.generated import Generated
from ctxlab.tasks.relation import Relation


def load(split="train", seed=1, **options):
    return [record.fields for record in Generated(**options).load("relation", split, seed)]


@settings(max_examples=12, deadline=None)
@given(st.integers(20, 400), st.sampled_from([0.0, 0.3, 1.0]), st.integers(0, 2**70))
def test_length_gold_and_distances_are_exact(length, share, seed):
    distance = min(16, max(length - 24, 1))
    if distance + 24 > length:
        share = 0.0
    for record in load(
        seed=seed, documents=1, words_per_document=length, evidence_distance=[distance], ambiguous_share=share
    ):
        tokens, entities = record["tokens"], record["entities"]
        assert len(tokens) == length
        assert record["relations"]
        called = [{tokens[start] for start, _ in entity["mentions"]} for entity in entities]
        assert all(len(one) == 1 and one <= set(names("train")) for one in called)
        assert len(set().union(*called)) == len(entities)
        mentioned = sorted(start for entity in entities for start, _ in entity["mentions"])
        assert mentioned == [i for i, token in enumerate(tokens) if token in names("train")]
        for fact in record["relations"]:
            kinds = tuple(entities[fact[end]]["type"] for end in ("head", "tail"))
            assert kinds == RELATIONS[fact["label"]][:2]
        for probe in record["probes"]:
            fact = record["relations"][probe["relation"]]
            ((head, _),), ((tail, _),) = (entities[fact[end]]["mentions"] for end in ("head", "tail"))
            assert abs(head - tail) == probe["distance"] >= distance
        if share == 1.0:
            assert len(record["probes"]) == len(record["relations"])
        Relation().parse(record, "here", gold=True)


def test_the_linking_object_occurs_once_in_each_of_the_two_sentences():
    for record in load(documents=3, words_per_document=300, evidence_distance=[40], ambiguous_share=1.0):
        tokens, starts = record["tokens"], [*record["sentence_starts"], 300]
        for probe in record["probes"]:
            fact = record["relations"][probe["relation"]]
            sentences = []
            for end in ("head", "tail"):
                at = record["entities"][fact[end]]["mentions"][0][0]
                first = max(i for i, start in enumerate(starts) if start <= at)
                sentences.append(set(tokens[starts[first] : starts[first + 1]]))
            assert sentences[0] & sentences[1] - {"The", "the", ".", "for", "its", "sign", "was", "had", "of"}


def test_a_distance_that_never_fits_is_refused():
    with pytest.raises(UserError, match="evidence_distance"):
        load(words_per_document=50, evidence_distance=[100], ambiguous_share=0.5)
    assert load(words_per_document=50, evidence_distance=[100], ambiguous_share=0.0, documents=1)
