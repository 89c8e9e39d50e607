"""Plain text to words, with their places."""

from ctxlab.text.units import token_spans


def words_of(text: str) -> tuple[list[str], list[tuple[int, int]]]:
    """Words and punctuation marks of ``text``, and (first, last not included) character of each.

    Where a script has no blanks every character is a word, as in the corpora that taggers of these languages learn.
    """
    spans = token_spans(text)
    return [text[start:end] for start, end in spans], spans
