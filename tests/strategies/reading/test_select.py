"""Kept sentences: which, how many, in what order; rankings against other libraries and hand-worked cases."""

import cProfile
import dataclasses
import math
import pstats
from itertools import pairwise

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics.pairwise import cosine_similarity

from ctxlab.core.errors import UserError
from ctxlab.core.types import ADDED, HEADING, SENTENCE, Document, Encoded
from ctxlab.models.loading.tiny import make_tokenizer
from ctxlab.strategies.reading.choosing.keeping import best_units, sentence_starts, terms_of
from ctxlab.strategies.reading.choosing.ranking import bm25, centrality, count_terms, textrank
from ctxlab.strategies.reading.select import METHODS, Select
from ctxlab.strategies.reading.truncate import Truncate
from ctxlab.tasks.summarization import Summarization
from ctxlab.text.bm25 import K1, B


def document(sentences, query=(), before=(101,), after=(102,)):
    """A document of the given sentences, each a list of token ids, marked as such."""
    ids = np.array([token for sentence in sentences for token in sentence], dtype=np.int64)
    marks = np.zeros(len(ids), dtype=np.int64)
    starts = np.cumsum([0, *map(len, sentences)])[:-1]
    marks[starts] = SENTENCE | HEADING
    labels = np.zeros(len(ids), dtype=np.int64)
    return Encoded(ids, np.arange(len(ids)), labels, before, after, tuple(query), marks)


def kept(part, encoded, length):
    """Document tokens of the only window, whose special tokens are checked."""
    windows = part.windows(encoded, length)
    if not len(encoded):
        assert windows == []
        return []
    (window,) = windows
    own = window.token_index[window.token_index != ADDED]
    assert tuple(window.input_ids) == (*encoded.before, *encoded.input_ids[own], *encoded.after)
    assert window.begins
    return own.tolist()


def sentences(most=12):
    return st.lists(st.lists(st.integers(5, 30), min_size=1, max_size=9), min_size=1, max_size=most)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([*METHODS]), sentences(), st.integers(1, 60), st.booleans(), st.integers(1, 9))
def test_the_context_is_filled_once_each_in_order(method, written, fits, marked, span):
    encoded = document(written)
    if not marked:
        encoded = Encoded(encoded.input_ids, encoded.word_ids, encoded.labels, (101,), (102,))
    part = Select(method, opening_tokens=3, sentence_tokens=span)
    own = kept(part, encoded, fits + 2)
    assert own == sorted(set(own))
    assert len(own) == min(fits, len(encoded))
    # All sentences whole but one, which lacks its end; of those left out none has a token.
    starts = [*sentence_starts(encoded, span).tolist(), len(encoded)]
    cut = 0
    for start, end in pairwise(starts):
        inside = [token for token in own if start <= token < end]
        assert inside == list(range(start, start + len(inside)))
        cut += 0 < len(inside) < end - start
    assert cut <= 1
    outputs = [np.arange(len(own) + 2, dtype=np.float32)[:, None] + 1]
    merged = part.merge(part.windows(encoded, fits + 2), outputs, len(encoded))
    assert np.flatnonzero(merged.seen).tolist() == own
    assert merged.outputs[own, 0].tolist() == list(range(2, len(own) + 2))
    assert not merged.outputs[~merged.seen].any()


@given(
    st.lists(st.tuples(st.integers(1, 6), st.integers(0, 4)), min_size=1, max_size=10),
    st.integers(1, 40),
)
def test_best_units_against_a_loop(units, room):
    sizes, scores = zip(*units, strict=True)
    starts = np.cumsum([0, *sizes])[:-1]
    chosen, left = [], room
    for unit in sorted(range(len(units)), key=lambda i: (-scores[i], i)):
        take = min(left, sizes[unit])
        chosen += range(starts[unit], starts[unit] + take)
        left -= take
    found = best_units(starts, np.array(scores, dtype=float), sum(sizes), room)
    assert found.tolist() == sorted(chosen)


def test_sentences_are_the_marked_ones_else_spans_of_equal_length():
    assert sentence_starts(document([[5, 6], [7], [8, 9]]), 2).tolist() == [0, 2, 3]
    late = document([[5, 6], [7], [8, 9]])
    late.marks[0] = 0
    assert sentence_starts(late, 2).tolist() == [0, 2, 3]
    late.marks[:] = HEADING
    assert sentence_starts(late, 2).tolist() == [0, 2, 4]


def counts_of(written):
    encoded = document(written)
    return count_terms(encoded.input_ids, sentence_starts(encoded, 1))


@settings(max_examples=200, deadline=None)
@given(sentences())
def test_centrality_is_the_sum_of_cosines_of_scikit_learn(written):
    vectors = TfidfVectorizer(analyzer=lambda sentence: sentence).fit_transform(written)
    cosines = cosine_similarity(vectors)
    np.testing.assert_allclose(centrality(counts_of(written)), cosines.sum(1) - 1, rtol=1e-9, atol=1e-9)


def graph(written):
    """The similarity of Mihalcea and Tarau, pair by pair."""
    made = networkx.Graph()
    made.add_nodes_from(range(len(written)))
    for i, one in enumerate(written):
        for j in range(i):
            size = math.log(len(one)) + math.log(len(written[j]))
            overlap = len(set(one) & set(written[j]))
            if overlap and size > 0:
                made.add_edge(i, j, weight=overlap / size)
    return made


@settings(max_examples=200, deadline=None)
@given(sentences())
def test_textrank_is_the_pagerank_of_networkx(written):
    expected = networkx.pagerank(graph(written), alpha=0.85, tol=1e-12, max_iter=1000)
    np.testing.assert_allclose(textrank(counts_of(written)), list(expected.values()), rtol=1e-6, atol=1e-9)


def test_textrank_of_three_sentences_by_hand():
    """The first sentence shares a term with both others, which share none: they score (1 − d)/3 + d·s/2, where s is its
    score."""
    scores = textrank(counts_of([[5, 6], [5, 7], [6, 8]]))
    middle = (0.15 / 3 + 2 * 0.85 * 0.15 / 3) / (1 - 0.85**2)
    np.testing.assert_allclose(scores, [middle, *([0.15 / 3 + 0.85 * middle / 2] * 2)], rtol=1e-8)


def test_bm25_by_hand():
    """Three sentences of 2, 3 and 1 tokens, 2 on average; term 5 in two of them, term 6 in one."""
    scores = bm25(counts_of([[5, 6], [5, 5, 7], [8]]), [5, 6, 6, 99])
    rare, common = math.log(1 + 2.5 / 1.5), math.log(1 + 1.5 / 2.5)
    first = (rare + common) * 1 * (K1 + 1) / (1 + K1)
    second = common * 2 * (K1 + 1) / (2 + K1 * (1 - B + B * 3 / 2))
    np.testing.assert_allclose(scores, [first, second, 0], rtol=1e-12)


def test_bm25_takes_the_query_else_the_opening():
    written = [[5, 6], [20, 21], [5, 9], [30, 31]]
    part = Select("bm25", opening_tokens=1)
    assert kept(part, document(written), 4 + 2) == [0, 1, 4, 5]
    assert kept(part, document(written, query=(31, 20)), 4 + 2) == [2, 3, 6, 7]


def test_lead_keeps_the_first_sentences():
    encoded = document([[5, 6, 7], [8, 9], [10, 11, 12, 13]])
    for length in range(3, 13):
        assert kept(Select("lead"), encoded, length) == kept(Truncate("head"), encoded, length)


def test_random_depends_on_the_document_and_the_seed_only():
    written = [[5 + i, 40 + i] for i in range(30)]
    order = [kept(Select("random", seed=seed), document(words), 12) for seed in (0, 1) for words in (written, written)]
    assert order[0] == order[1]
    assert order[2] == order[3]
    assert order[0] != order[2]
    written[29] = [99, 99]
    assert kept(Select("random"), document(written), 12) != order[0]


def test_the_most_central_sentence_is_kept():
    written = [[50, 51, 52], [5, 6, 7], [60, 61, 62], [5, 6, 8], [5, 7, 9]]
    for method in ("centrality", "textrank"):
        assert kept(Select(method), document(written), 5) == [3, 4, 5]


@pytest.mark.parametrize("method", METHODS)
def test_a_window_is_filled_from_twenty_thousand_tokens(method):
    """In few calls a sentence; comparing a thousand of them pair by pair would take half a million."""
    rng = np.random.default_rng(0)
    ids = rng.zipf(1.3, 20_000) % 8000 + 5
    marks = np.zeros(len(ids), dtype=np.int64)
    marks[rng.choice(len(ids), 1000, replace=False)] = SENTENCE
    encoded = Encoded(ids, np.arange(len(ids)), np.zeros_like(ids), (1,), (2,), marks=marks)
    profile = cProfile.Profile()
    assert len(profile.runcall(kept, Select(method), encoded, 4096)) == 4094
    assert pstats.Stats(profile).total_calls < 200_000


def test_a_document_is_ranked_once():
    part, encoded = Select(), document([[5, 6], [6, 7], [7, 8]])
    first = kept(part, encoded, 4)
    part.method = "refuses"
    assert kept(part, encoded, 4) == first
    with pytest.raises(KeyError):
        kept(part, document([[5, 6], [6, 7], [7, 9]]), 4)


def test_a_document_without_tokens_has_no_window():
    assert kept(Select(), document([]), 10) == []
    assert not Select.contiguous
    assert not Select.covers
    assert Select().longest(77) == 77


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "lexrank"}, "method=lexrank is not one of centrality, textrank, bm25, lead, random"),
        ({"opening_tokens": 0}, "opening_tokens=0 must be at least 1"),
        ({"sentence_tokens": 0}, "sentence_tokens=0 must be at least 1"),
        ({"seed": -1}, "seed=-1 must be 0 or more"),
    ],
)
def test_options_that_make_no_sense(options, words):
    with pytest.raises(UserError, match=words):
        Select(**options)


def test_no_room_beside_the_special_tokens():
    with pytest.raises(UserError, match=r"use context.length=3 or more"):
        Select().windows(document([[5, 6]]), 2)


def test_unknown_characters_are_distinguished_by_their_text():
    """With a tokenizer without Chinese every character is one unknown token, and still the relevant sentence is
    kept."""
    text = "山上有很多树木和花草。" * 3 + "青龙港的灯塔照亮海面。" + "冬天的雪下得很大很久。" * 3
    task = Summarization(output="extract")
    task.for_kind("encoder")
    record = {"id": "1", "document": text, "summaries": [{"query": "青龙港的灯塔在哪里？", "summary": "x"}]}
    (part,) = task.expand(task.parse(record, "here", gold=True))
    (encoded,) = task.encode([part], make_tokenizer())
    for method in ("bm25", "textrank", "centrality"):
        (window,) = Select(method).windows(encoded, 11)
        kept = text[encoded.starts[window.token_index[0]] : encoded.ends[window.token_index[-1]]]
        assert (kept == "青龙港的灯塔照亮海面。") == (method == "bm25")
    known = dataclasses.replace(encoded, terms=np.zeros(0, np.int64), query_terms=())
    assert Select("bm25").windows(known, 11)[0].token_index[0] == 0  # all sentences alike


def test_terms_of_known_tokens_are_their_ids():
    (part,) = Summarization(output="extract").expand(
        Document("1", {"document": "a b. C d.", "asked": [{"id": "1"}]}, "o")
    )
    (encoded,) = Summarization(output="extract").encode([part], make_tokenizer())
    assert len(encoded.terms) == 0
    assert terms_of(encoded).tolist() == encoded.input_ids.tolist()
