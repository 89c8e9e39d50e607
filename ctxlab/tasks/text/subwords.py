"""Words to sub-tokens, for documents of any length.

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
"""Words that a tokenizer gets in one piece; longer ones cost more memory and are no faster."""


@dataclass(frozen=True, slots=True, eq=False)
class Subwords:
    """The sub-tokens of a list of words."""

    input_ids: IntArray
    """(L,)"""
    word_ids: IntArray
    """(L,) index of the word behind each sub-token; every word has at least one."""
    replaced: list[int]
    """Words of which the tokenizer leaves nothing; the unknown token keeps their place."""

    def first(self) -> IntArray:
        """(words,) index of the first sub-token of each word."""
        return np.flatnonzero(np.diff(self.word_ids, prepend=-1)).astype(np.int64)

    def marks(self, sentences: Sequence[int], given: Sequence[int]) -> IntArray:
        """(L,) marks of tokens: words at which ``sentences`` begin, and words that the data names."""
        first, marks = self.first(), np.zeros(len(self.input_ids), dtype=np.int64)
        for words, mark in ((sentences, SENTENCE), (given, GIVEN)):
            marks[first[np.asarray(words, dtype=np.int64)]] += mark
        return marks


def split_words(tokenizer: Any, words: Sequence[str], *, leading_space: bool) -> Subwords:
    """Sub-tokens of ``words``, without special tokens, in time linear in their number.

    ``leading_space`` as ``needs_leading_space`` says: a blank is put where running text has one, so that words of
    single characters (Chinese) are read as the model has seen them.

    Raises:
        UserError: The tokenizer leaves nothing of a word and has no unknown token.
    """
    blanks = [needs_blank(left, word) for left, word in zip(["", *words], words, strict=False)]
    plain = tokenizer if leading_space or all(blanks) else without_prefix(tokenizer)
    if plain is not tokenizer:
        blanks[0] = True  # as in running text
    if leading_space or plain is not tokenizer:
        words = [f" {word}" if blank else word for blank, word in zip(blanks, words, strict=True)]
    pieces = [list(words[start : start + WORDS_PER_CALL]) for start in range(0, len(words), WORDS_PER_CALL)]
    # verbose=False: that the document is longer than the model is the point, not a mistake.
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
    """Token id that stands in for what the tokenizer leaves nothing of; raises UserError where it has none."""
    for token in (tokenizer.unk_token_id, tokenizer.mask_token_id, tokenizer.eos_token_id):
        if token is not None:
            return int(token)
    raise UserError(
        f"{type(tokenizer).__name__} leaves nothing of some words and has no unknown token to stand in: "
        "choose another model, or take these words out."
    )


def needs_leading_space(tokenizer: Any) -> bool:
    """Whether words must be given with a blank in front to be read as in running text.

    Byte-level tokenizers made without a prefix space read a list of words as if they were glued together, which the
    model has never seen.

    Raises:
        UserError: The tokenizer is not a fast one.
    """
    if not getattr(tokenizer, "is_fast", False):
        raise UserError(
            f"{type(tokenizer).__name__} is not a fast tokenizer, so words cannot be followed into tokens: "
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
"""What ``without_prefix`` made of each tokenizer."""


def without_prefix(tokenizer: Any) -> Any:
    """The same tokenizer without the blank that it puts in front of every word of a list, or itself.

    Characters of scripts without blanks are words that have none. Made of byte-level and SentencePiece tokenizers
    whose splitter puts that blank; a blank that is given is kept.
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
    """Special token ids that the tokenizer puts before and behind one text.

    Found by trying, as this works for every family: [CLS] … [SEP], <s> … </s>, <bos> …, or none.
    """
    bare = list(tokenizer("time", add_special_tokens=False, verbose=False)["input_ids"])
    whole = list(tokenizer("time", add_special_tokens=True, verbose=False)["input_ids"])
    for start in range(len(whole) - len(bare) + 1):
        if whole[start : start + len(bare)] == bare:
            return tuple(whole[:start]), tuple(whole[start + len(bare) :])
    raise UserError(
        f"{type(tokenizer).__name__} changes a text when it adds special tokens, so windows cannot be framed: "
        "choose another model."
    )
