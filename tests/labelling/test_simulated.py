"""Active learning on hidden labels: how many are needed for the same score. The model is scikit-learn's."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from ctxlab.labelling.active import Active
from tests.labelling.guesses import ONE, classified, pool

ENOUGH, ROUND = 0.95, 8
"""Score to be reached, and labels of each round."""


def needed(strategy: str, seed: int) -> int:
    """Labels until the score is reached; the hidden ones are the sides of a plane through a cube of ten dimensions."""
    draw = np.random.default_rng(seed)
    points = draw.uniform(-1, 1, size=(400, 10))
    hidden = (points @ np.random.default_rng(99).normal(size=10) > 0.3).astype(int)
    known = [*np.flatnonzero(hidden)[:3], *np.flatnonzero(1 - hidden)[:3]]
    while True:
        model = LogisticRegression(C=100).fit(points[known], hidden[known])
        if model.score(points, hidden) >= ENOUGH:
            return len(known)
        rest = np.setdiff1d(np.arange(len(points)), known)
        rows = model.predict_proba(points[rest])
        guesses = [classified(str(place), [*row, 0.0]) for place, row in zip(rest, rows, strict=True)]
        queue = Active(strategy, count=ROUND, seed=seed).label(pool(ONE, guesses)).lines
        known += [int(line["id"]) for line in queue]


@pytest.mark.slow
def test_the_least_sure_documents_need_fewer_labels_than_random_ones():
    """About 40 against 80 labels."""
    counts = {name: np.mean([needed(name, seed) for seed in range(4)]) for name in ("margin", "entropy", "random")}
    assert counts["margin"] == counts["entropy"]  # of two classes the order is the same
    assert counts["margin"] < 0.7 * counts["random"], counts
