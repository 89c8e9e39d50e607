"""A check, its verdict and its row."""

import pytest

from ctxlab.verification.check import TOLERANCE, scientific, table, within


@pytest.mark.parametrize(
    ("deviation", "passed"), [(0.0, True), (TOLERANCE, True), (2 * TOLERANCE, False), (float("nan"), False)]
)
def test_within_the_tolerance(deviation, passed):
    assert within("name", "It proves.", deviation, "found").passed is passed


def test_a_table_has_a_row_for_each():
    checks = [within("one", "It proves.", 0.0, "a"), within("two", "It proves too.", 1.0, "b")]
    found = table(checks, "Title")
    assert [row[0] for row in found.rows] == ["one", "two"]
    assert [len(row) for row in found.rows] == [len(found.columns)] * 2
    assert found.rows[0][1] != found.rows[1][1]


def test_deviations_are_shown_however_small():
    assert [scientific(value) for value in (None, 0.0, 1.234e-9)] == ["–", "0", "1.2e-09"]
