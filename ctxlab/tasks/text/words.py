"""Splits plain text into words with their offsets."""

from ctxlab.text.units import token_spans


def words_of(text: str) -> tuple[list[str], list[tuple[int, int]]]:
    """Return words and punctuation marks of ``text``, and the first and last character (not included) of each.

    Where a script has no blanks every character is a word, as in the tagging corpora of these languages.
    """
    spans = token_spans(text)
    return [text[start:end] for start, end in spans], spans
