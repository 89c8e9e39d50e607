"""Values checked against type annotations; the expected verdicts are worked out by hand."""

from collections.abc import Sequence
from typing import Literal

import pytest

from ctxlab.config.annotations import check, check_values
from ctxlab.core.errors import UserError


class Component:
    def __init__(self, rate: float, size: int | None, rule: Literal["a", "b"], names: Sequence[str], on: bool) -> None:
        """Nothing."""


GOOD = {"rate": 0.5, "size": 3, "rule": "a", "names": ["x"], "on": True}


@pytest.mark.parametrize(
    ("change", "fits"),
    [
        ({}, True),
        ({"rate": 2}, True),
        ({"rate": True}, False),
        ({"rate": "0.5"}, False),
        ({"size": None}, True),
        ({"size": 1.5}, False),
        ({"size": True}, False),
        ({"rule": "c"}, False),
        ({"names": ("x",)}, True),
        ({"names": "x"}, False),
        ({"on": 1}, False),
        ({"another": object()}, True),
    ],
)
def test_a_value_fits_or_is_named(change, fits):
    if fits:
        check(Component, GOOD | change, "part")
        return
    ((name, value),) = change.items()
    with pytest.raises(UserError, match=f"part.{name}={value} "):
        check(Component, GOOD | change, "part")


def test_a_list_within_a_union():
    check_values({"x": list[int] | None}, {"x": [1]}, "")
    with pytest.raises(UserError, match=r"^x=3 "):
        check_values({"x": list[int] | None}, {"x": 3}, "")
