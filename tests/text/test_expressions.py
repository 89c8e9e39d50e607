"""The language of task=code: the values of Python, which evaluates the same texts here, and limits on all others."""

import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxlab.text.expressions import (
    DEEPEST,
    LARGEST,
    LONGEST,
    ExpressionError,
    definitions,
    parse,
    run,
    tokens,
)

FILE = """
# what is known
let a = 7
let b = -3  # below 0
def f(x) = x * 3 + a
def g(x, y) = f(x) - y // 2

let c = g(a, b) % 5
"""


class Python:
    """The same definitions in Python."""

    a, b = 7, -3

    @staticmethod
    def f(x):
        return x * 3 + 7

    @staticmethod
    def g(x, y):
        return (x * 3 + 7) - y // 2


NAMES = {"a": 7, "b": -3, "f": Python.f, "g": Python.g, "c": Python.g(7, -3) % 5}


def extended(parts):
    signs = st.sampled_from(["+", "-", "*", "//", "%"])
    return st.one_of(
        st.tuples(parts, signs, parts).map(" ".join),
        parts.map("({})".format),
        parts.map("-{}".format),
        parts.map("f({})".format),
        st.tuples(parts, parts).map(lambda pair: f"g({pair[0]}, {pair[1]})"),
    )


SUMS = st.recursive(st.one_of(st.integers(0, 99).map(str), st.sampled_from("abc")), extended, max_leaves=12)
SIGNS = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
TEXTS = st.one_of(SUMS, st.tuples(SUMS, SIGNS, SUMS).map(" ".join))


@given(text=TEXTS)
def test_values_are_those_of_python(text):
    """Oracle: Python itself, on texts that only this test makes."""
    try:
        expected = eval(text, {"__builtins__": {}}, dict(NAMES))
    except ZeroDivisionError:
        with pytest.raises(ExpressionError, match="divides by 0"):
            run(parse(text), definitions(FILE))
        return
    found = outcome(text)
    limited = isinstance(found, str) and ("deep" in found or "not below" in found)
    assert limited or (type(found), found) == (type(expected), expected)


def outcome(text):
    """The value, or why there is none."""
    try:
        return run(parse(text), definitions(FILE))
    except ExpressionError as error:
        return str(error)


@given(text=st.text("0123456789ab f(),+-*/%<>=!_#'\"\\.[]{}\n é٣", max_size=60))
def test_any_other_text_is_refused_in_one_clause(text):
    assert "\n" not in str(outcome(text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "ends too early"),
        ("1 +", "ends too early"),
        ("1 < 2 < 3", "not expected"),
        ("(1", "not closed"),
        ("f(1 2)", "not separated"),
        ("f(1,)", "stands where a value is expected"),
        ("2 ** 3", "stands where a value is expected"),
        ("__import__('os')", "no part of the language"),
        ("a.b", "no part of the language"),
        ("d", "d is not defined"),
        ("f", "f is a function"),
        ("a(1)", "a is no function"),
        ("g(1)", "takes 2 arguments, and 1 are given"),
        ("(1 < 2) + 1", "truth value"),
        ("1 // (a - 7)", "divides by 0"),
        ("9" * 30, "not below"),
        ("999999999 * 999999999 * 999", "not below"),
        ("(" * (DEEPEST + 1) + "1" + ")" * (DEEPEST + 1), "levels deep"),
        ("-" * (DEEPEST + 1) + "1", "levels deep"),
        ("1" + " + 1" * LONGEST, "characters"),
    ],
)
def test_what_has_no_value_says_why(text, message):
    with pytest.raises(ExpressionError, match=message):
        run(parse(text), definitions(FILE))


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("let a = a", "levels deep"),
        ("def f(x) = f(x + 1)\nlet a = f(0)", "levels deep"),
        ("\n".join(f"def f{i}(x) = f{i + 1}(x) + f{i + 1}(x)" for i in range(30)) + "\ndef f30(x) = x\nlet a = f0(1)",
         "steps"),
    ],
)  # fmt: skip
def test_what_would_not_end_ends(file, message):
    """Also under a low recursion limit of Python's, of which one level of the language takes few."""
    started = time.perf_counter()
    with pytest.raises(ExpressionError, match=message):
        run(parse("a"), definitions(file))
    assert time.perf_counter() - started < 2
    assert sys.getrecursionlimit() >= 1000


def test_the_deepest_expression_that_is_allowed_runs():
    assert run(parse("(" * (DEEPEST - 1) + "a" + ")" * (DEEPEST - 1)), definitions("let a = 5")) == 5
    chain = "\n".join(f"def f{i}(x) = (((f{i + 1}(((x))))))" for i in range(DEEPEST - 1))
    assert run(parse("f0(1)"), definitions(f"{chain}\ndef f{DEEPEST - 1}(x) = x")) == 1
    assert run(parse(str(LARGEST - 1)), {}) == LARGEST - 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("x = 3", "line 2 .*neither a comment"),
        ("let f(x) = 3", "neither a comment"),
        ("def f = 3", "neither a comment"),
        ("def f(x, x) = 3", "different names"),
        ("def f(1) = 3", "different names"),
        ("let a = 3", "line 2 defines a again"),
        ("let b = 3 +", "line 2 .*ends too early"),
        ("import os", "neither a comment"),
    ],
)
def test_a_bad_line_is_named(line, message):
    with pytest.raises(ExpressionError, match=message):
        definitions(f"let a = 1\n{line}\n")


def test_tokens_ignore_blanks():
    assert tokens(" f( a,2 )>=  3") == tokens("f(a, 2) >= 3")
