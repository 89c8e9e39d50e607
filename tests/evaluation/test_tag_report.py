"""The report by tag and word, against scikit-learn, and beside the strict scores of the same tags."""

import numpy as np
import pytest
from sklearn import metrics

from ctxlab.core.types import Document, Prediction
from ctxlab.evaluation.metrics.entities import score
from ctxlab.evaluation.tag_report import tag_report

TAGS = ["O", *(f"{edge}-{kind}" for kind in ("LOC", "MISC", "ORG", "PER") for edge in "BI")]
"""The nine classes of the tutorials."""


def drawn(num=4000, seed=0):
    """Gold and given tags: most words are outside, and a tenth of the words is given another tag."""
    random = np.random.default_rng(seed)
    gold = random.choice(TAGS, size=num, p=[0.84, *[0.02] * 8])
    given = np.where(random.random(num) < 0.1, random.choice(TAGS, size=num), gold)
    return gold.tolist(), given.tolist()


def rows(gold, given):
    found = tag_report(gold, given)
    return {row[0]: dict(zip(found.columns[1:], row[1:], strict=True)) for row in found.rows}


def test_rows_and_averages_are_those_of_scikit_learn():
    gold, given = drawn()
    found = rows(gold, given)
    expected = metrics.classification_report(gold, given, output_dict=True, zero_division=0)
    for name in (*TAGS, "macro avg", "weighted avg"):
        theirs = expected[name]
        assert found[name] == pytest.approx(
            {**{k: theirs[k] for k in ("precision", "recall", "support")}, "f1": theirs["f1-score"]}
        )
    assert found["micro avg"]["f1"] == pytest.approx(metrics.accuracy_score(gold, given))
    inside = [tag for tag in TAGS if tag != "O"]
    for average in ("micro", "macro", "weighted"):
        expected = metrics.precision_recall_fscore_support(gold, given, labels=inside, average=average)[:3]
        row = found[f"{average} avg without O"]
        assert (row["precision"], row["recall"], row["f1"]) == pytest.approx(expected)


def test_supports_add_up_to_the_words_and_every_average_follows_from_the_rows():
    """Printed reports have contradicted themselves: a micro average that neither with nor without O has."""
    gold, given = drawn(seed=1)
    found = rows(gold, given)
    assert sum(found[tag]["support"] for tag in TAGS) == len(gold) == found["micro avg"]["support"]
    for beside, tags in (("", TAGS), (" without O", [tag for tag in TAGS if tag != "O"])):
        right = [found[tag]["recall"] * found[tag]["support"] for tag in tags]
        guessed = [r / found[tag]["precision"] for r, tag in zip(right, tags, strict=True)]
        gold_words = [found[tag]["support"] for tag in tags]
        implied = 2 * sum(right) / (sum(guessed) + sum(gold_words))
        assert found[f"micro avg{beside}"]["f1"] == pytest.approx(implied)
    assert found["micro avg"]["f1"] > found["micro avg without O"]["f1"] + 0.1


def test_a_model_that_finds_nothing_looks_good_by_word_only():
    gold = ["O"] * 95 + ["B-PER", "I-PER", "B-LOC", "O", "O"]
    nothing = ["O"] * 100
    found = score([Document("d", {"tokens": ["w"] * 100, "tags": gold}, "d")], [Prediction("d", nothing, [True] * 100)])
    assert found.metrics["f1"] == 0
    report = rows(gold, nothing)
    assert report["micro avg"]["f1"] == 0.97
    assert report["micro avg without O"]["f1"] == report["macro avg without O"]["f1"] == 0


def test_tags_that_are_only_given_have_a_row():
    assert rows(["O", "O"], ["O", "B-X"])["B-X"] == {"precision": 0, "recall": 0, "f1": 0, "support": 0}
