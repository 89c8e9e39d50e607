"""Builds windows of a document: adds what comes before and after, and computes how many document tokens fit."""

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.core.types import ADDED, Encoded, IntArray, Window


def room(encoded: Encoded, length: int, context: int | None = None) -> int:
    """Return how many document tokens fit a window of ``length`` tokens.

    Args:
        encoded: The document, with the tokens that come before and after it in every window.
        length: Tokens of the window.
        context: The context length where the window may be shorter, for the message.

    Raises:
        UserError: No document token fits.
    """
    added = len(encoded.before) + len(encoded.after) + encoded.room
    if length <= added and context is not None and length < context:
        raise UserError(
            f"The {length} tokens that the model was trained for leave no room for the document beside {added} "
            f"{_others(encoded)}: shorten these, use a strategy that extends positions, or another model."
        )
    if length <= added:
        raise UserError(
            f"context.length={length} leaves no room for the document beside {added} {_others(encoded)}: "
            f"use context.length={added + 1} or more."
        )
    return length - added


def _others(encoded: Encoded) -> str:
    return (
        "tokens of the prompt and of the text to be generated"
        if encoded.room
        else "tokens before and after it in every window"
    )


def frame(encoded: Encoded, tokens: IntArray, *, begins: bool = True) -> Window:
    """Return the window with these ``tokens`` (indices into the document, in order); ``begins`` as in ``Window``."""
    before, after = (np.asarray(ids, dtype=np.int64) for ids in (encoded.before, encoded.after))
    ids = np.concatenate([before, encoded.input_ids[tokens], after])
    index = np.concatenate([np.full(len(before), ADDED), tokens, np.full(len(after), ADDED)])
    return Window(input_ids=ids, token_index=index, begins=begins)
