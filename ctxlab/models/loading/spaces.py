"""Spaces before words for byte-level tokenizers, which treat the space before a word as part of it."""

import json
from typing import Any

from tokenizers import Regex, normalizers

ONE_SPACE = r"\A  "
"""Two spaces at the start of a text that begins with a space, to be replaced by one.

Not ``^``, which here matches the start of every line, so that indented lines would lose a space."""


def begin_words_with_a_space(tokenizer: Any) -> None:
    """Make a byte-level ``tokenizer`` add a space before each text; other tokenizers are unchanged.

    Words are tokenised one by one: without the space, each would be read as the end of a longer word. Offsets still
    refer to the original text.
    """
    backend = tokenizer.backend_tokenizer
    state = json.loads(backend.to_str())
    _keep_first_letters(backend, state["post_processor"])
    splitter = state["pre_tokenizer"] or {}
    if splitter.get("type") == "ByteLevel":
        backend.pre_tokenizer.add_prefix_space = True
        tokenizer.add_prefix_space = True
        return
    inside = any(part["type"] == "ByteLevel" for part in splitter.get("pretokenizers", ()))
    if inside and json.dumps(ONE_SPACE) not in json.dumps(state["normalizer"]):
        # Other splitters run before it, and its own space would be added before every piece (digits of a number).
        before = [] if backend.normalizer is None else [backend.normalizer]
        one = [normalizers.Prepend(" "), normalizers.Replace(Regex(ONE_SPACE), " ")]
        backend.normalizer = normalizers.Sequence([*before, *one])


def _keep_first_letters(backend: Any, state: dict[str, Any] | None) -> None:
    """Configure offset trimming for the added space, so that it does not cut off the first letter."""
    steps = [] if state is None else state.get("processors", [state])
    trimming = [step for step in steps if "add_prefix_space" in step]
    if state is None or not trimming:
        return
    for step in trimming:
        step["add_prefix_space"] = True
    processor = backend.post_processor
    processor.__setstate__(json.dumps(state).encode())  # the library's way to build one from its description
    backend.post_processor = processor
