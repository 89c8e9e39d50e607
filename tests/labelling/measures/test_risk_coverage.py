"""Risk–coverage curves against the definition, computed over thresholds by brute force."""

import numpy as np
import pytest

from ctxlab.core.labelling import Judged
from ctxlab.labelling.measures.risk_coverage import curve, running_errors


def test_errors_are_those_above_each_threshold():
    rng = np.random.default_rng(0)
    sure, right = rng.permutation(100) / 100, rng.random(100) < 0.7
    judged = [Judged(float(one), bool(ok)) for one, ok in zip(sure, right, strict=True)]
    table = curve(judged, "documents")
    assert [row[0] for row in table.rows] == [k / 10 for k in range(1, 11)]
    for _, accepted, confidence, error in table.rows:
        above = sure >= confidence
        assert accepted == above.sum()
        assert error == pytest.approx((~right[above]).mean())
    assert table.rows[-1][-1] == pytest.approx((~right).mean())
    assert running_errors([Judged(0.9, True), Judged(0.1, False), Judged(0.5, False)]) == [0, 1 / 2, 2 / 3]


def test_few_and_none():
    assert [row[1] for row in curve([Judged(0.5, True)] * 3, "x").rows] == [1, 1, 1, 2, 2, 2, 3, 3, 3, 3]
    assert curve([], "x").rows == []
