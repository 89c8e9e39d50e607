"""Which cases of a parametrised test are in the default suite: a few that cover. The others are in ``make test-slow``.

``@pytest.mark.covering()``
    In a fixed order, the fewest cases found in which every value of every parameter occurs; with names of parameters,
    every value of these.

``@pytest.mark.by_default(…)``
    The cases with these ids, or the first ones if a number is given.

All other cases are marked ``slow``. A case with a marker of its own is left as it is.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence

import pytest

EXAMPLES = [30, pytest.param(200, marks=pytest.mark.slow)]
"""Numbers of random examples for a test to draw."""

OWN = ("slow", "faults", "gpu", "network")
"""Markers of other suites."""


def covering(cases: Sequence[Mapping[str, Hashable]]) -> list[int]:
    """Return places of cases in which every value of every parameter occurs, in order; found greedily.

    The first case is one of them. A case is taken for the values that it adds, the earlier of two that add as many.
    """
    found: list[int] = []
    missing = {pair for case in cases for pair in case.items()}
    while missing:
        gains = [len(missing & set(case.items())) for case in cases]
        best = gains.index(max(gains))
        found.append(best)
        missing -= set(cases[best].items())
    return sorted(found)


def select(items: Iterable[pytest.Item], *, whole: bool) -> None:
    """Mark what is not of the default suite.

    Args:
        items: all tests that were collected.
        whole: whether all cases of each test are among them, so that an id without a case is a mistake.

    Raises:
        pytest.UsageError: for an id that no case has.
    """
    tests: dict[str, list[pytest.Function]] = {}
    for item in items:
        if isinstance(item, pytest.Function) and hasattr(item, "callspec"):
            tests.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for name, cases in tests.items():
        free = [case for case in cases if not any(case.get_closest_marker(mark) for mark in OWN)]
        kept = _kept(name, free, whole=whole)
        for place, case in enumerate(free):
            if place not in kept:
                case.add_marker(pytest.mark.slow)


def _kept(name: str, cases: Sequence[pytest.Function], *, whole: bool) -> set[int]:
    if not cases:
        return set()
    if (named := cases[0].get_closest_marker("by_default")) is not None:
        if isinstance(named.args[0], int):
            return set(range(named.args[0]))
        ids = [case.callspec.id for case in cases]
        if whole and (unknown := set(named.args) - set(ids)):
            raise pytest.UsageError(f"{name}: by_default names {sorted(unknown)}, which is no case: {ids}.")
        return {place for place, found in enumerate(ids) if found in named.args}
    if (named := cases[0].get_closest_marker("covering")) is not None:
        return set(covering([_values(case, named.args) for case in cases]))
    return set(range(len(cases)))


def _values(case: pytest.Function, names: Sequence[str]) -> dict[str, Hashable]:
    """Values may be anything, as a list: their ``repr`` stands for them."""
    return {name: repr(value) for name, value in case.callspec.params.items() if name in names or not names}
