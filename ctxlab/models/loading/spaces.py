"""Byte-level tokenizers take the space in front of a word for a part of it."""

import json
from typing import Any

from tokenizers import Regex, normalizers

ONE_SPACE = r"\A  "
"""What is made one space again, as text that begins with a space has got a second one.

Not ``^``, which here is the beginning of every line, so that indented ones would lose a space."""


def begin_words_with_a_space(tokenizer: Any) -> None:
    """Make a byte-level ``tokenizer`` put a space in front of what it is given; others are left alone.

    Words come one by one: without it, each would be read as the end of a longer word. Offsets stay those of the text
    as it was given.
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
        # Others have cut before it, and its own space would come in front of every cut (digits of a number).
        before = [] if backend.normalizer is None else [backend.normalizer]
        one = [normalizers.Prepend(" "), normalizers.Replace(Regex(ONE_SPACE), " ")]
        backend.normalizer = normalizers.Sequence([*before, *one])


def _keep_first_letters(backend: Any, state: dict[str, Any] | None) -> None:
    """Tell what trims offsets that the first blank is not the text's: else it takes the first letter for a blank."""
    steps = [] if state is None else state.get("processors", [state])
    trimming = [step for step in steps if "add_prefix_space" in step]
    if state is None or not trimming:
        return
    for step in trimming:
        step["add_prefix_space"] = True
    processor = backend.post_processor
    processor.__setstate__(json.dumps(state).encode())  # the library's own way to make one of its description
    backend.post_processor = processor
