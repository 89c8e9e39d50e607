"""Encodes plain text as tokens with offsets and structure marks, in time linear in its length.

Shape legend: L tokens of a document.
"""

import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from ctxlab.core.types import TEXT, Encoded, IntArray
from ctxlab.tasks.text.structure import marks_of
from ctxlab.tasks.text.subwords import unknown as stand_in
from ctxlab.text.known import unknown_id
from ctxlab.text.units import word_spans

PIECE_CHARACTERS = 8192
"""Minimum length of the pieces into which a text is split; tokenizers need much time and memory for huge strings."""

_CUT = re.compile(r"(?<=[^\W_]) (?=[^\W_])")
"""A single blank between letters or digits."""

_CUTTABLE: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()
"""Cached results of ``cuttable``."""

_INVENTS: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()
"""Cached results of ``invents_blanks``."""

_BY_WORD = {"BertPreTokenizer", "Whitespace", "WhitespaceSplit"}
"""Pre-tokenizers that end every token at white space, and drop it."""

_PER_CHARACTER = {"BertNormalizer", "Lowercase", "StripAccents", "NFC", "NFD", "NFKC", "NFKD"}
"""Normalizers whose result does not depend on text across a blank."""


KNOWN_SPLITS = tuple(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
    + digits
    + r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    for digits in (r"\p{N}{1,3}", r"\p{N}")
)
"""Split patterns of Llama 3 and of Qwen, which precede the byte-level pre-tokenizer."""


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """The tokens of a text."""

    input_ids: IntArray
    """(L,), L at least one."""
    starts: IntArray
    """(L,) first character of each token."""
    ends: IntArray
    """(L,) index after the last character of each token, non-decreasing."""
    word_ids: IntArray
    """(L,) index of the word that a token ends in (``ctxlab.text.units.word_spans``)."""
    marks: IntArray
    """(L,) sums of ``SENTENCE``, ``PARAGRAPH``, ``HEADING`` and ``TEXT``."""
    terms: IntArray
    """(L,) see ``core.types.Encoded.terms``."""

    def encoded(self, labels: IntArray, **beside: Any) -> Encoded:
        """Return the tokens as a document with ``labels`` (L,), and ``beside`` in further fields of ``Encoded``."""
        return Encoded(
            self.input_ids,
            self.word_ids,
            labels=labels,
            marks=self.marks,
            starts=self.starts,
            ends=self.ends,
            terms=self.terms,
            **beside,
        )

    def begun(self, starts: Sequence[int]) -> "Pieces":
        """Return the tokens with ``TEXT`` marked where several texts begin, at characters ``starts``."""
        if len(starts) < 2:
            return self
        marks = self.marks.copy()
        tokens = np.searchsorted(self.ends, np.asarray(starts, np.int64), side="right")
        marks[np.unique(tokens[tokens < len(marks)])] |= TEXT
        return replace(self, marks=marks)

    def labelled(self, label: int) -> IntArray:
        """Return (L,) labels that are all the same."""
        return np.full(len(self.input_ids), label, np.int64)


def added_characters(ends: IntArray) -> IntArray:
    """Return (L,) number of characters from the end of the previous token to the end of each, so that each counts once.

    White space that a tokenizer drops is counted with the token after it; a character of several byte tokens is counted
    with the first.
    """
    return np.diff(ends, prepend=0)


def encode_text(tokenizer: Any, text: str, language: str = "") -> Pieces:
    """Encode ``text`` without special tokens; the result equals that of the tokenizer for the whole text at once.

    A text for which the tokenizer returns no tokens becomes one unknown token. ``language`` selects abbreviations that
    do not end a sentence.
    """
    spans = list(_pieces(text)) if cuttable(tokenizer) else [(0, len(text))]
    # verbose=False silences the warning that the text is longer than the model's maximum.
    encoded = tokenizer(
        [text[start:end] for start, end in spans],
        add_special_tokens=False,
        truncation=False,
        padding=False,
        return_offsets_mapping=True,
        return_attention_mask=False,
        verbose=False,
    )
    ids = np.concatenate([np.asarray(row, dtype=np.int64) for row in encoded["input_ids"]])
    if not len(ids):
        ids, offsets = np.asarray([stand_in(tokenizer)]), np.asarray([[0, len(text)]])
    else:
        rows = zip(encoded["offset_mapping"], spans, strict=True)
        offsets = np.concatenate([np.asarray(row, np.int64).reshape(-1, 2) + start for row, (start, _) in rows])
    ends = np.maximum.accumulate(offsets[:, 1])
    starts = offsets[:, 0].copy()
    terms = _terms(text, ids, starts=starts, ends=ends, unknown=unknown_id(tokenizer))
    return Pieces(
        ids, starts, ends=ends, word_ids=_word_ids(text, ends), marks=marks_of(text, ends, language), terms=terms
    )


def query_of(tokenizer: Any, text: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the token ids of a question, and their terms (``core.types.Encoded.query_terms``)."""
    if not text:
        return (), ()
    pieces = encode_text(tokenizer, text)
    return tuple(pieces.input_ids.tolist()), tuple(pieces.terms.tolist())


def _terms(text: str, ids: IntArray, starts: IntArray, ends: IntArray, unknown: int | None) -> IntArray:
    """Return (L,) ids, with hashes for unknown tokens and parts of a character; empty where there are none of these."""
    parts = np.concatenate([[False], starts[1:] < ends[:-1]])
    odd = parts | np.concatenate([parts[1:], [False]])
    if unknown is not None:
        odd |= ids == unknown
    if not odd.any():
        return np.zeros(0, np.int64)
    terms = ids.copy()
    for i in np.flatnonzero(odd):
        terms[i] = -1 - (zlib.crc32(text[starts[i] : ends[i]].casefold().encode()) & 0x3FFFFFFF)
    return terms


def _pieces(text: str) -> Iterator[tuple[int, int]]:
    """Yield the first and last character (not included) of each piece."""
    start = 0
    while start < len(text):
        cut = _CUT.search(text, start + PIECE_CHARACTERS)
        end = len(text) if cut is None else cut.start()
        yield start, end
        start = end


def _word_ids(text: str, ends: IntArray) -> IntArray:
    begins = np.asarray([start for start, _ in word_spans(text)], dtype=np.int64)
    return np.maximum(np.searchsorted(begins, np.maximum(ends - 1, 0), side="right") - 1, 0)


def cuttable(tokenizer: Any) -> bool:
    """Whether splitting a text before a single blank between two letters or digits never changes a token.

    True for tokenizers that split by words and drop blanks (WordPiece), and for byte-level splitting as in GPT-2,
    Llama 3, Qwen and SmolLM2: there no pattern continues from a visible character to a blank, so that a match ends
    before the blank and the next one begins with it, in the whole text as in the pieces. Normalizers must not depend on
    text across the blank, nor prepend anything to a text that begins with one. Other tokenizers get the text at once.
    """
    if tokenizer not in _CUTTABLE:  # serializing a tokenizer takes longer than encoding a document
        _CUTTABLE[tokenizer] = _is_cuttable(tokenizer)
    return _CUTTABLE[tokenizer]


def invents_blanks(tokenizer: Any) -> bool:
    """Whether decoding inserts blanks between characters that had none, as WordPiece does."""
    if tokenizer not in _INVENTS:
        ids = list(tokenizer("中文", add_special_tokens=False, verbose=False)["input_ids"])
        _INVENTS[tokenizer] = " " in str(tokenizer.decode(ids)).strip()
    return _INVENTS[tokenizer]


def _is_cuttable(tokenizer: Any) -> bool:
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    added = tokenizer.added_tokens_decoder.values()
    if any(token.rstrip or re.search(r"\s", token.content) for token in added):
        return False
    return _normalizes_apart(state["normalizer"]) and _splits_at_blanks(state["pre_tokenizer"])


def _normalizes_apart(state: Mapping[str, Any] | None) -> bool:
    steps = [] if state is None else state["normalizers"] if state["type"] == "Sequence" else [state]
    others = [step for step in steps if step["type"] not in _PER_CHARACTER]
    return not others or _is_first_space(others)


def _is_first_space(steps: Sequence[Mapping[str, Any]]) -> bool:
    """Whether these steps prepend a space to a text unless it begins with one."""
    if [step["type"] for step in steps] != ["Prepend", "Replace"]:
        return False
    pattern = steps[1]["pattern"].get("Regex")
    return bool(steps[0]["prepend"] == " " == steps[1]["content"] and pattern == r"\A  ")


def _splits_at_blanks(state: Mapping[str, Any] | None) -> bool:
    if state is None:
        return False
    *before, last = state["pretokenizers"] if state["type"] == "Sequence" else [state]
    if last["type"] == "ByteLevel" and not last.get("use_regex", True):
        return len(before) == 1 and _is_known_split(before[0])
    apart = all(step["type"] in ("Digits", "Punctuation", *_BY_WORD) for step in before)
    return apart and (last["type"] in _BY_WORD or last["type"] == "ByteLevel")


def _is_known_split(step: Mapping[str, Any]) -> bool:
    return step["type"] == "Split" and step["pattern"].get("Regex") in KNOWN_SPLITS
