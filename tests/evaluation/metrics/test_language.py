"""Perplexity, bits per character and their breakdowns, by hand."""

import math

import numpy as np
import pytest

from ctxlab.core.errors import UserError
from ctxlab.core.types import Document, Prediction
from ctxlab.evaluation.metrics import language, masked
from ctxlab.tasks.forms.vocabulary import TokenScores


def scores_of(nll, *, seen=None, correct=None, characters=None, position=None, num_tokens=None):
    count = len(nll)
    characters = np.asarray(characters or [4] * count)
    ends = np.cumsum(characters) + 1
    return TokenScores(
        np.asarray(nll, np.float32),
        np.asarray(correct or [False] * count),
        np.asarray(seen or [True] * count),
        np.asarray(position or range(1, count + 1)),
        characters,
        ends - characters,
        ends,
        num_tokens or count + 1,
    )


def score(*answers, probes=(), module=language):
    documents = [Document(f"d{i}", {"text": "", "probes": probes}, "o") for i in range(len(answers))]
    return module.score(documents, [Prediction("d", answer, answer.seen.tolist()) for answer in answers])


def table(scores, name):
    (found,) = [t for t in scores.tables if t.name == name]
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


def test_figures_by_hand():
    found = score(scores_of([1, 2, 3], characters=[1, 2, 3], correct=[True, False, False]), scores_of([4]))
    assert found.metrics == pytest.approx(
        {
            "loss": 2.5,
            "perplexity": math.exp(2.5),
            "perplexity_seen": math.exp(2.5),
            "accuracy": 0.25,
            "bits_per_character": 10 / math.log(2) / 10,
        }
    )
    assert (found.coverage_labels, found.notes) == (1.0, [])


def test_two_bits_for_two_characters():
    found = score(scores_of([2 * math.log(2)], characters=[2]))
    assert found.metrics["bits_per_character"] == pytest.approx(1)


def test_what_was_not_read_counts_and_is_said():
    found = score(scores_of([1, 1, 7, 7], seen=[True, True, False, False]))
    assert found.metrics["perplexity"] == pytest.approx(math.exp(4))
    assert found.metrics["perplexity_seen"] == pytest.approx(math.e)
    assert found.coverage_labels == 0.5
    assert "2 of 4 tokens (50.0%) were never read" in found.notes[0]
    whole, read = table(found, "overall")
    assert (whole["tokens"], whole["read"]) == (4, "50.0%")
    assert (read["tokens"], read["perplexity"]) == (2, pytest.approx(math.e))


def test_nothing_read_has_no_figure_of_its_own():
    found = score(scores_of([7, 7], seen=[False, False]))
    assert "perplexity_seen" not in found.metrics
    assert len(table(found, "overall")) == 1


def test_by_position_and_length():
    found = score(
        scores_of([1, 1, 3], position=[1, 255, 256], num_tokens=257), scores_of([5], position=[300_000], num_tokens=9)
    )
    rows = {row["tokens into the document"]: row for row in table(found, "by_position")}
    assert {name: row["tokens"] for name, row in rows.items()} == {"1–256": 2, "257–512": 1, "over 131,072": 1}
    assert rows["1–256"]["perplexity"] == pytest.approx(math.e)
    assert rows["1–256"]["low"] is None, "only one document has tokens there"
    lengths = {row["tokens"]: (row["documents"], row["asked"]) for row in table(found, "by_length")}
    assert lengths == {"1–256": (1, 1), "257–512": (1, 3)}


def test_words_that_evidence_decides():
    # Tokens of four characters from 1 on: the probe at 5 to 12 is two of them, the one at 13 to 15 a third.
    probes = ({"start": 5, "end": 12, "distance": 20}, {"start": 13, "end": 15, "distance": 600})
    answer = scores_of([1, 2, 3, 4], correct=[False, True, False, True])
    near, far = table(score(answer, probes=probes), "by_evidence")
    assert (near["words"], near["accuracy"], near["nats a word"]) == (1, 0, 5)
    assert (far["words to the evidence"], far["accuracy"], far["nats a word"]) == ("513–2,048", 1, 4)


def test_only_masked_parts_of_a_probe_count():
    probes = ({"start": 5, "end": 12, "distance": 20}, {"start": 100, "end": 102, "distance": 20})
    (row,) = table(score(scores_of([1, 2]), probes=probes, module=masked), "by_evidence")
    assert (row["words"], row["nats a word"]) == (1, 2)


def test_masked_tokens_have_a_pseudo_perplexity():
    found = score(scores_of([1, 3], seen=[True, False]), module=masked)
    assert set(found.metrics) == {"loss", "pseudo_perplexity", "pseudo_perplexity_seen", "accuracy"}
    assert found.metrics["pseudo_perplexity"] == pytest.approx(math.exp(2))


def test_an_exploded_perplexity_is_finite():
    assert math.isfinite(score(scores_of([5000])).metrics["perplexity"])


def test_documents_of_one_token_have_no_score():
    with pytest.raises(UserError, match="none has two tokens"):
        score(scores_of([]))
