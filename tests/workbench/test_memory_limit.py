"""Amounts of memory as people write them."""

import pytest

from ctxlab.core.errors import UserError
from ctxlab.workbench.memory_limit import parse_bytes


@pytest.mark.parametrize(("text", "number"), [("8GB", 8e9), ("1.5 gib", 1.5 * 2**30), ("500", 500), (None, None)])
def test_amounts_of_memory(text, number):
    assert parse_bytes(text) == number


@pytest.mark.parametrize("text", ["much", "8 giga", "0GB", "-1GB"])
def test_what_is_no_amount_of_memory_is_refused(text):
    with pytest.raises(UserError, match="is not an amount of memory"):
        parse_bytes(text)
