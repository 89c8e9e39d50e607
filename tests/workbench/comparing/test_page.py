"""``comparison.json`` is JSON that every program reads."""

import json

from ctxlab.workbench.comparing.page import finite


def test_what_is_no_number_is_null():
    nan, infinite = float("nan"), float("inf")
    tree = {"a": nan, "b": [1, -infinite, (0.5, nan)], "c": "nan", "d": None, "e": {"f": infinite, "g": True}}
    assert json.loads(json.dumps(finite(tree), allow_nan=False)) == {
        "a": None, "b": [1, None, [0.5, None]], "c": "nan", "d": None, "e": {"f": None, "g": True}
    }  # fmt: skip
