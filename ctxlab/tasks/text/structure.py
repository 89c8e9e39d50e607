"""Where sentences, paragraphs and headings of a plain text begin, by simple stated rules.

- A **paragraph** is a run of lines that are not blank.
- A **heading** is a line of at most 60 characters at the beginning of such a run that has a letter and (a) is alone
  between blank lines, begins with no quotation mark and ends without a stop, or (b) has no small letter, or (c) begins
  like "Chapter 4", "BOOK II" or "# …". A run that begins with a heading is no paragraph; its heading is a sentence too.
- A **sentence** begins with a run, and behind a full stop, question or exclamation mark (closing quotes and brackets
  included) that white space and then no small letter follows, unless the stop ends a title or an initial ("Mr. Holmes",
  "J. Watson"). Chinese and Japanese stops need no white space.

Every pattern looks at a character a bounded number of times, so that the time is linear in the text.
"""

import re
from collections.abc import Iterator

import numpy as np

from ctxlab.core.types import HEADING, PARAGRAPH, SENTENCE, IntArray

HEADING_CHARACTERS = 60
"""Most characters of a heading."""

_LINE = re.compile(r"[^\n]*\n?")
_NUMBERED = re.compile(r"(chapter|part|book|section|act|scene|volume|letter|appendix)\s+([ivxlcdm]+|\d+)\b|#", re.I)
_NO_HEADING_ENDS = ".!?:;,…。！？"
_QUOTES = "\"'“‘«「『"
_STOP = re.compile(r"(?<![.!?…])[.!?…]++[\"'”’»)\]]*+\s++|(?<![。！？])[。！？]++[」』”’）]*+")
_OPENING = "\"'“‘«([_"
_ABBREVIATED = re.compile(r"(?:^|[^\w])(?:Mr|Mrs|Ms|Dr|St|Prof|Capt|Col|Gen|Lt|Rev|Hon|Sr|Jr|No|vs|e\.g|i\.e|[A-Z])$")


def marks_of(text: str, ends: IntArray) -> IntArray:
    """(L,) marks of the tokens that end at ``ends``: what begins at a character begins with the first token past it."""
    marks = np.zeros(len(ends), dtype=np.int64)
    found: dict[int, set[int]] = {SENTENCE: set(), PARAGRAPH: set(), HEADING: set()}
    for start, end in _runs(text):
        heading_end = _heading_end(text, start, end)
        found[PARAGRAPH if heading_end is None else HEADING].add(start)
        found[SENTENCE].add(start)
        body = start if heading_end is None else heading_end
        found[SENTENCE].update(_sentences(text, body, end))
        if heading_end is not None and heading_end < end:
            found[SENTENCE].add(heading_end)
    for mark, places in found.items():
        tokens = np.searchsorted(ends, np.asarray(sorted(places), dtype=np.int64), side="right")
        marks[np.unique(tokens[tokens < len(ends)])] += mark
    return marks


def _runs(text: str) -> Iterator[tuple[int, int]]:
    """First visible and last character (not included) of each run of lines that are not blank."""
    start = end = -1
    for line in _LINE.finditer(text):
        visible = line.group().strip()
        if not visible:
            if start >= 0:
                yield start, end
            start = -1
            continue
        if start < 0:
            start = line.start() + len(line.group()) - len(line.group().lstrip())
        end = line.end()
    if start >= 0:
        yield start, end


def _heading_end(text: str, start: int, end: int) -> int | None:
    """Where the line behind the heading begins that a run starts with; None where it starts with none."""
    newline = text.find("\n", start, min(end, start + HEADING_CHARACTERS + 2))
    if newline < 0 and end - start > HEADING_CHARACTERS:
        return None
    line_end = end if newline < 0 else newline
    line = text[start:line_end].rstrip()
    if len(line) > HEADING_CHARACTERS or not any(character.isalpha() for character in line):
        return None
    alone = line_end + 1 >= end and end < len(text)
    is_speech = line[0] in _QUOTES
    if (
        (alone and not is_speech and line[-1] not in _NO_HEADING_ENDS)
        or line == line.upper() != line.lower()
        or _NUMBERED.match(line)
    ):
        return min(line_end + 1, end)
    return None


def _sentences(text: str, start: int, end: int) -> Iterator[int]:
    """First characters of the sentences within a run but its first."""
    for stop in _STOP.finditer(text, start, end):
        place = stop.end()
        following = text[place : place + 3].lstrip(_OPENING)[:1]
        if place >= end or following.islower():
            continue
        if stop.group()[0] == "." and _ABBREVIATED.search(text[max(start, stop.start() - 6) : stop.start()]):
            continue
        yield place
