"""Texts that Hydra reads as they are."""

from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from ctxlab.config.quoting import quoted


@given(st.text(st.characters(exclude_characters="\n\r\0$", exclude_categories=["Cs"]), min_size=1))
def test_any_text_comes_back(text):
    value = OverridesParser.create().parse_override(f"run={quoted(text)}").value()
    assert value == text
