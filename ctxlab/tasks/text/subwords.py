"""Splits words into sub-tokens, for documents of any length.

Shape legend: L tokens of a document.
"""

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.core.types import GIVEN, SENTENCE, IntArray
from ctxlab.text.units import needs_blank

WORDS_PER_CALL = 2048
"""Number of words per tokenizer call; longer calls need more memory and are not faster."""


@dataclass(frozen=True, slots=True, eq=False)
class Subwords:
    """The sub-tokens of a list of words."""

    input_ids: IntArray
    """(L,)"""
    word_ids: IntArray
    """(L,) index of the word of each sub-token; every word has at least one."""
    replaced: list[int]
    """Words for which the tokenizer returns no tokens; each is replaced by the unknown token."""

    def first(self) -> IntArray:
        """Return (words,) index of the first sub-token of each word."""
        return np.flatnonzero(np.diff(self.word_ids, prepend=-1)).astype(np.int64)

    def marks(self, sentences: Sequence[int], given: Sequence[int]) -> IntArray:
        """Return (L,) marks of tokens, of words at which ``sentences`` begin and words that the data lists
        (``given``)."""
        first, marks = self.first(), np.zeros(len(self.input_ids), dtype=np.int64)
        for words, mark in ((sentences, SENTENCE), (given, GIVEN)):
            marks[first[np.asarray(words, dtype=np.int64)]] += mark
        return marks


def split_words(tokenizer: Any, words: Sequence[str], *, leading_space: bool) -> Subwords:
    """Split ``words`` into sub-tokens without special tokens, in time linear in their number.

    ``leading_space`` is the result of ``needs_leading_space``: then a blank is inserted where running text has one, so
    that words of single characters (Chinese) are encoded as in the model's training.

    Raises:
        UserError: The tokenizer returns no tokens for a word and has no unknown token.
    """
    blanks = [needs_blank(left, word) for left, word in zip(["", *words], words, strict=False)]
    plain = tokenizer if leading_space or all(blanks) else without_prefix(tokenizer)
    if plain is not tokenizer:
        blanks[0] = True  # as in running text
    if leading_space or plain is not tokenizer:
        words = [f" {word}" if blank else word for blank, word in zip(blanks, words, strict=True)]
    pieces = [list(words[start : start + WORDS_PER_CALL]) for start in range(0, len(words), WORDS_PER_CALL)]
    # verbose=False silences the warning that the text is longer than the model's maximum.
    encoded = plain(
        pieces, is_split_into_words=True, add_special_tokens=False, truncation=False, padding=False, verbose=False
    )
    ids = [np.asarray(row, dtype=np.int64) for row in encoded["input_ids"]]
    owners = [
        np.asarray(encoded.word_ids(piece), dtype=np.int64) + piece * WORDS_PER_CALL for piece in range(len(pieces))
    ]
    return _with_every_word(np.concatenate(ids), np.concatenate(owners), len(words), tokenizer)


def _with_every_word(input_ids: IntArray, word_ids: IntArray, num_words: int, tokenizer: Any) -> Subwords:
    missing = np.flatnonzero(np.bincount(word_ids, minlength=num_words) == 0)
    if len(missing):
        places = np.searchsorted(word_ids, missing)
        input_ids = np.insert(input_ids, places, unknown(tokenizer))
        word_ids = np.insert(word_ids, places, missing)
    return Subwords(input_ids, word_ids, missing.tolist())


def unknown(tokenizer: Any) -> int:
    """Return the token id for text for which the tokenizer returns no tokens; raises UserError where it has none."""
    for token in (tokenizer.unk_token_id, tokenizer.mask_token_id, tokenizer.eos_token_id):
        if token is not None:
            return int(token)
    raise UserError(
        f"{type(tokenizer).__name__} returns no tokens for some words and has no unknown token to replace them: "
        "choose another model, or remove these words."
    )


def needs_leading_space(tokenizer: Any) -> bool:
    """Whether words must start with a blank to be encoded as in running text.

    Byte-level tokenizers without ``add_prefix_space`` encode a list of words as if there were no blanks between them,
    unlike the text that the model was trained on.

    Raises:
        UserError: The tokenizer is not a fast one.
    """
    if not getattr(tokenizer, "is_fast", False):
        raise UserError(
            f"{type(tokenizer).__name__} is not a fast tokenizer, so tokens cannot be mapped to words: "
            "choose a model that comes with a tokenizer.json."
        )

    def ids(words: Any, **options: Any) -> list[int]:
        return list(tokenizer(words, add_special_tokens=False, truncation=False, verbose=False, **options)["input_ids"])

    running = ids("x the time")
    return (
        ids(["x", "the", "time"], is_split_into_words=True) != running
        and ids(["x", " the", " time"], is_split_into_words=True) == running
    )


_PLAIN: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
"""Cached results of ``without_prefix``."""


def without_prefix(tokenizer: Any) -> Any:
    """Return a copy of the tokenizer that does not prepend a blank to every word of a list, or the tokenizer itself.

    Scripts without blanks need it, as their characters are words. It applies to byte-level and SentencePiece tokenizers
    whose pre-tokenizer adds the blank; a blank in the text is kept.
    """
    if tokenizer not in _PLAIN:
        _PLAIN[tokenizer] = _without_prefix(tokenizer)
    return _PLAIN[tokenizer]


def _without_prefix(tokenizer: Any) -> Any:
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    splitter, normalizer = state["pre_tokenizer"] or {}, state["normalizer"] or {}
    steps = normalizer.get("normalizers", [normalizer])
    kept = [step for step in steps if step.get("type") != "Prepend"]
    found = len(kept) < len(steps)
    if found:
        state["normalizer"] = {"type": "Sequence", "normalizers": kept}
    for step in splitter.get("pretokenizers", [splitter]):
        for key, put, none in (("add_prefix_space", True, False), ("prepend_scheme", "always", "never")):
            if step.get(key) == put:
                step[key], found = none, True
    if not found:
        return tokenizer
    plain = copy.deepcopy(tokenizer)
    plain._tokenizer = type(tokenizer.backend_tokenizer).from_str(json.dumps(state))
    return plain


def frame(tokenizer: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the special token ids that the tokenizer adds before and after one text.

    They are found by encoding a test text, which works for every family: [CLS] … [SEP], <s> … </s>, <bos> …, or none.
    """
    bare = list(tokenizer("time", add_special_tokens=False, verbose=False)["input_ids"])
    whole = list(tokenizer("time", add_special_tokens=True, verbose=False)["input_ids"])
    for start in range(len(whole) - len(bare) + 1):
        if whole[start : start + len(bare)] == bare:
            return tuple(whole[:start]), tuple(whole[start + len(bare) :])
    raise UserError(
        f"{type(tokenizer).__name__} encodes a text differently with special tokens, so windows cannot have any: "
        "choose another model."
    )
