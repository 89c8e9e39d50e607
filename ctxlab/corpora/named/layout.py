"""Generated pages: tables and forms in which only the place of a word on the page says what it is.

A table has lines of a description and one amount, and the column of the amount is its type. A form has names in its
four corners, and the corner is the type of a name. Types and places are drawn apart from all words, so that the text
says which words are values and nothing of their types: without places, accuracy on them is that of guessing among four.
"""

from typing import Any

from ctxlab.corpora.grammar.brief import Brief
from ctxlab.corpora.grammar.draw import Draw
from ctxlab.corpora.grammar.names import names
from ctxlab.corpora.grammar.prose import LISTS

TASK = "ner"
"""Task whose records these are."""

COLUMNS = ("DEBIT", "CREDIT", "TAX", "BALANCE")
"""Types of the amounts of a table, from left to right."""

CORNERS = ("SENDER", "RECEIVER", "PAYER", "AGENT")
"""Types of the names of a form: left and right at the top, left and right at the bottom."""

LINES_PER_PAGE = 40
HEIGHT = 16
"""Of a word."""

Box = list[int]


def write(brief: Brief, index: int) -> dict[str, Any]:
    """Return the fields ``tokens, boxes, tags, sentence_starts, probes`` of exactly ``words_per_document`` words.

    - ``boxes``: left, top, right, bottom (from 0 to 1000) and page of each word.
    - ``probes``: every value; no distance in words separates it from its evidence, which is its own box.

    Tables and forms alternate. ``ambiguous_share`` and ``evidence_distance`` have no effect: every type is ambiguous.
    """
    draw, page = brief.draw(index), _Page()
    pool = names(brief.split)
    while len(page.tokens) < brief.words_per_document:
        room = brief.words_per_document - len(page.tokens)
        if index % 2:
            _entry(page, draw, draw.one(pool), room)
        else:
            _line(page, draw, room)
    return {
        "tokens": page.tokens,
        "boxes": page.boxes,
        "tags": page.tags,
        "sentence_starts": page.starts,
        "probes": [{"start": place, "distance": 1} for place, tag in enumerate(page.tags) if tag != "O"],
    }


class _Page:
    """The words of a document, with their places and tags."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.boxes: list[Box] = []
        self.tags: list[str] = []
        self.starts: list[int] = []

    def begin(self) -> tuple[int, int]:
        """Begin a line or an entry; returns its number on the page and the page."""
        page, number = divmod(len(self.starts), LINES_PER_PAGE)
        self.starts.append(len(self.tokens))
        return number, page

    def add(self, word: str, left: int, top: int, page: int, tag: str = "O") -> None:
        """Add a word whose box begins at ``left`` and ``top``.

        Args:
            word: The word.
            left: Of its box.
            top: Of its box.
            page: Counted from 0.
            tag: ``O``, or the tag of a value.
        """
        self.tokens.append(word)
        self.boxes.append([left, top, left + 8 * len(word), top + HEIGHT, page])
        self.tags.append(tag)


def _line(page: _Page, draw: Draw, room: int) -> None:
    """Write a line of a table: at most two words of description, and an amount in one of the columns."""
    number, at = page.begin()
    top, column = 24 * number + draw.below(8), draw.below(len(COLUMNS))
    words = [draw.one(LISTS["adj"]), draw.one(LISTS["thing"])][: min(1 + draw.below(2), room - 1)]
    for place, word in enumerate(words):
        page.add(word, 20 + 150 * place + draw.below(20), top, at)
    page.add(str(100 + draw.below(900)), 380 + 160 * column + draw.below(60), top, page=at, tag=f"B-{COLUMNS[column]}")


def _entry(page: _Page, draw: Draw, name: str, room: int) -> None:
    """Write an entry of a form: a name in one of the corners, after a word in the middle of the page.

    Args:
        page: The page.
        draw: Random choices.
        name: The name.
        room: Words that are left.
    """
    _, at = page.begin()
    if room > 1:
        page.add(draw.one(LISTS["thing"]), 400 + draw.below(120), 100 + draw.below(800), at)
    corner = draw.below(len(CORNERS))
    left, top = 20 + 640 * (corner % 2) + draw.below(220), 20 + 520 * (corner // 2) + draw.below(400)
    page.add(name, left, top, page=at, tag=f"B-{CORNERS[corner]}")
