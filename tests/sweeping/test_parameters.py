"""Ranges and choices: what is refused, and words that Hydra's own parser reads as exactly the value."""

import math

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from ctxlab.sweeping.parameters import Choice, Range, parameter


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"log": ["1e-5", 1e-3]}, Range("k", 1e-5, 1e-3, log=True)),  # PyYAML reads 1e-5 as a text
        ({"uniform": [0, 0.5]}, Range("k", 0.0, 0.5)),
        ({"uniform": [0, 1], "step": 0.25}, Range("k", 0.0, 1.0, step=0.25)),
        ({"int": [1, 64], "log": True}, Range("k", 1, 64, whole=True, log=True)),
        ({"int": [2, 8], "step": 2}, Range("k", 2, 8, whole=True, step=2)),
        ({"choice": [512, "chunk", "1e-5"]}, Choice("k", (512, "chunk", 1e-5), ("512", "chunk", "1e-05"))),
    ],
)
def test_every_form_is_read(spec, expected):
    assert parameter("k", spec) == expected
    assert parameter("k", expected.form) == expected


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"lgo": [1, 2]}, "there is no 'lgo'; did you mean 'log'"),
        ({"log": [0, 1]}, "a log range begins above 0, and [0, 1] begins at 0"),
        ({"int": [0, 8], "log": True}, "a log range begins above 0"),
        ({"log": [1e-3, 1e-5]}, "give the smaller number first"),
        ({"uniform": [1, 1]}, "is no range"),
        ({"uniform": [1]}, "uniform needs two numbers"),
        ({"uniform": [0, math.inf]}, "uniform needs two numbers"),
        ({"int": [True, 3]}, "int needs two numbers"),
        ({"int": [1, 2.5]}, "int needs whole numbers"),
        ({"int": [1, 8], "step": 0.5}, "step=0.5 does not fit"),
        ({"uniform": [0, 1], "step": 2}, "step=2 does not fit"),
        ({"log": [1, 2], "step": 1}, "a log range has no step"),
        ({"choice": []}, "choice needs a list with at least one value"),
        ({"choice": "abc"}, "choice needs a list"),
        ({"choice": [1, 1]}, "choice has 1 twice"),
        ({"choice": [1], "step": 1}, "a choice has no step"),
        ({"choice": [1], "int": [1, 2]}, "give exactly one of"),
    ],
)
def test_what_is_no_range_and_no_choice_is_refused_with_the_fix(spec, says):
    with pytest.raises(ValueError, match=r".") as refused:
        parameter("k", spec)
    assert says in str(refused.value)


VALUES = [1, True, 0, False, None, "chunk", "a b", "ü", "${seed}", "it's", -3, 2.5e-05, [64, 512], [], [["a"], [1.5]]]


def test_hydra_reads_every_choice_as_its_value_and_one_is_not_true():
    """Optuna's own choices of 1, True, 0 and False are two, and its tuples come back as lists."""
    one = parameter("k", {"choice": VALUES})
    assert one.size == len(VALUES)
    for index, value in enumerate(VALUES):
        stored = one.at(index)
        read = OverridesParser.create().parse_override(one.word(stored)).value()
        expected = "\\${seed}" if value == "${seed}" else value
        assert (read, type(read)) == (expected, type(value))
        assert one.value(stored) is value


@pytest.mark.parametrize("number", [0.00012345678901234567, 1e-05, 3.0])
def test_hydra_reads_every_number_as_exactly_that(number):
    one = parameter("k", {"uniform": [0, 10]})
    assert OverridesParser.create().parse_override(one.word(number)).value() == number


def test_values_of_a_range_with_steps_are_counted_with_both_ends():
    assert [parameter("k", {"int": [2, 9], "step": 3}).at(index) for index in range(3)] == [2, 5, 8]
    assert parameter("k", {"uniform": [0, 0.3], "step": 0.1}).size == 4
    assert parameter("k", {"uniform": [0, 0.3]}).size is None
