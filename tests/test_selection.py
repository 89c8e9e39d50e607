"""The default suite keeps a case of every value, and what it does not keep is in the slow one."""

from itertools import product

import pytest

from tests.selection import covering

pytest_plugins = ["pytester"]


def as_cases(*axes):
    return [dict(enumerate(case)) for case in product(*axes)]


@pytest.mark.parametrize("axes", [["ab"], ["abc", "xy"], ["abcde", "xyz", "pq"], [""]])
def test_every_value_of_every_axis_occurs_in_as_few_as_can_be(axes):
    cases = as_cases(*axes)
    found = covering(cases)
    assert {pair for place in found for pair in cases[place].items()} == {
        pair for case in cases for pair in case.items()
    }
    assert len(found) == max(len(axis) for axis in axes)  # of a whole product no fewer can cover the longest axis
    assert found == sorted(set(found)) == covering(cases)


def test_pairs_that_do_not_all_exist_are_covered_too():
    cases = [{"task": task, "kind": kind} for task, kind in ["ae", "be", "bd", "cd"]]
    assert covering(cases) == [0, 2, 3]


MODULE = """
import pytest

@pytest.mark.covering()
@pytest.mark.parametrize("kind", ["e", "d"])
@pytest.mark.parametrize("task", ["a", "b", ["c"]])
def test_covered(task, kind): pass

@pytest.mark.covering("kind")
@pytest.mark.parametrize(("kind", "task"), ["ea", "eb", "da"])
def test_one_axis(task, kind): pass

@pytest.mark.by_default("b")
@pytest.mark.parametrize("task", ["a", "b", "c", pytest.param("d", marks=pytest.mark.faults)])
def test_named(task): pass

@pytest.mark.by_default(1)
@pytest.mark.parametrize("task", ["a", "b"])
def test_first(task): pass

@pytest.mark.parametrize("task", ["a", "b"])
def test_all(task): pass
"""

CONFTEST = """
import pytest
from tests.selection import select

@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    select(items, whole=not any("::" in word for word in config.args))
"""

INI = "[pytest]\nmarkers =\n    slow: a\n    faults: b\n    covering: c\n    by_default: d\n"


@pytest.fixture
def chosen(pytester, monkeypatch):
    """The tests of a module that are in a suite."""
    pytester.makepyfile(test_it=MODULE)
    pytester.makeconftest(CONFTEST)
    pytester.makeini(INI)

    def run(*words):
        out = pytester.runpytest_inprocess("--collect-only", "-q", "-p", "no:cacheprovider", *words).outlines
        return {line.split("::")[1].removeprefix("test_") for line in out if "::" in line}

    return run


def test_what_is_not_kept_is_slow_and_nothing_is_lost(chosen):
    default, slow = chosen("-m", "not slow and not faults"), chosen("-m", "slow")
    assert {name for name in default if name.startswith("one_axis")} == {"one_axis[e-a]", "one_axis[d-a]"}
    assert len([name for name in default if name.startswith("covered")]) == 3
    assert {name for name in default if not name.startswith(("one_axis", "covered"))} == {
        "named[b]", "first[a]", "all[a]", "all[b]"}  # fmt: skip
    assert not default & slow
    assert chosen("-m", "faults") == {"named[d]"}
    assert default | slow | {"named[d]"} == chosen()


def test_an_id_that_no_case_has_is_a_mistake(pytester, chosen):
    pytester.makepyfile(test_it=MODULE.replace('by_default("b")', 'by_default("x")'))
    result = pytester.runpytest_inprocess("--collect-only", "-q")
    result.stderr.fnmatch_lines(["*by_default names ?'x'?, which is no case*"])
