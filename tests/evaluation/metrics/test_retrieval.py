"""Figures of retrieval against scikit-learn and plain Python, and BM25 and the blend beside them."""

import math

import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from ctxlab.core.types import Document, Prediction
from ctxlab.evaluation.metrics.retrieval import score, standard
from ctxlab.tasks.records.rankings import ALL, Found
from ctxlab.tasks.retrieval import DOCUMENT, QUERY

WORDS = [f"word{i}" for i in range(40)]


def made(num_queries, num_texts, seed=1, candidates=None):
    """Queries with random scores and relevant documents, over random texts."""
    random = np.random.default_rng(seed)
    texts = [" ".join(random.choice(WORDS, 30)) for _ in range(num_texts)]
    names = [f"d{i}" for i in range(num_texts)]
    documents = [
        Document(f"document {n}", {"role": DOCUMENT, "text": t, "document": n}, n)
        for n, t in zip(names, texts, strict=True)
    ]
    predictions = [Prediction(d.id, None, [True]) for d in documents]
    rows = []
    for query in range(num_queries):
        scores = random.normal(size=num_texts)
        order = np.argsort(-scores)
        gold = tuple(random.choice(names, random.integers(1, 4), replace=False).tolist())
        text = " ".join(random.choice(WORDS, 4))
        fields = {"role": QUERY, "text": text, "relevant": gold, "candidates": candidates or (ALL,), "probes": []}
        documents.append(Document(f"q{query}", fields, "here"))
        found = Found(tuple(names[i] for i in order), tuple(scores[order]), 300, 1.0, True)
        predictions.append(Prediction(f"q{query}", found, [True]))
        rows.append((text, gold, scores))
    return documents, predictions, rows, texts, names


def bm25(query, texts):
    """Okapi BM25, k1 1.2 and b 0.75, word by word."""
    split = [text.split() for text in texts]
    average = sum(map(len, split)) / len(split)
    found = []
    for words in split:
        total = 0.0
        for word in query.split():
            containing = sum(word in other for other in split)
            idf = math.log(1 + (len(split) - containing + 0.5) / (containing + 0.5))
            count = words.count(word)
            total += idf * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * len(words) / average))
        found.append(total)
    return np.asarray(found)


def figures(rows, names, scores_of):
    """Recall at 1, 5, 10, MRR by counting, and nDCG at 10 by scikit-learn; ties are broken as documented."""
    found = {}
    gold = np.asarray([[name in wanted for name in names] for _, wanted, _ in rows], float)
    scores = np.asarray([scores_of(row) for row in rows]) - 1e-9 * gold
    ranks = (scores[:, :, None] < scores[:, None, :]).sum(2) + 1
    for k in (1, 5, 10):
        found[f"recall_at_{k}"] = ((ranks <= k) * gold).sum(1) / gold.sum(1)
    found["mrr"] = 1 / np.where(gold > 0, ranks, 10**6).min(1)
    return {name: float(value.mean()) for name, value in found.items()} | {"ndcg_at_10": ndcg_score(gold, scores, k=10)}


def test_figures_are_those_of_scikit_learn():
    documents, predictions, rows, texts, names = made(60, 25)
    found = score(documents, predictions).metrics
    lexical = {id(row): bm25(row[0], texts) for row in rows}
    systems = {
        "": lambda row: row[2],
        "bm25_": lambda row: lexical[id(row)],
        "blend_": lambda row: standard(row[2]) + standard(lexical[id(row)]),
    }
    for prefix, scores_of in systems.items():
        for name, value in figures(rows, names, scores_of).items():
            assert found[f"{prefix}{name}"] == pytest.approx(value, abs=1e-9), (prefix, name)
    assert len(found) == 15


def test_a_relevant_document_comes_last_among_equals_and_unread_ones():
    documents, predictions, *_ = made(1, 4)
    fields = documents[-1].fields | {"relevant": ("d2",)}
    documents[-1] = Document("q", fields, "here")
    predictions[-1] = Prediction("q", Found(("d2", "d0", "d1", "d3"), (-1.0,) * 4, 300, 0.0, False), [False])
    found = score(documents, predictions)
    assert found.metrics["mrr"] == pytest.approx(1 / 4)
    assert found.coverage_labels == 0
