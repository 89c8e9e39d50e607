"""Paragraphs and headings of a plain text, found by simple rules.

- A **block** is a run of lines that are not blank. Many texts have no blank lines. So where most lines of a run end in
  a stop, or are Thai or Lao, which have none, every line begins a new block; elsewhere a numbered heading of Chinese
  or Japanese does, and a line indented by an ideographic space.
- A **heading** is a line of at most 60 characters at the beginning of a block that has a letter and (a) is alone
  between blank lines, does not begin with a quotation mark and ends without a stop, or (b) has only capitals though
  its script has lower case, or (c) begins like "Chapter 4", "BOOK II", "# …", "第三回", "二、", "(四)",
  "Глава 5" or "บทที่ ๒".
- Any other block is a **paragraph**.

Every pattern visits a character a bounded number of times, so that the time is linear in the text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

HEADING_CHARACTERS = 60
"""Maximum number of characters of a heading."""

LINES_WITH_STOPS = 0.8
"""Fraction of a run's lines that end in a stop from which on each line is a paragraph."""

LEAST_LINES = 3
"""Minimum number of such lines, as one or two may end in a stop by chance; Chinese and Japanese need no minimum."""

_LINE = re.compile(r"[^\n]*\n?")
_NUMBER = r"(?:[ivxlcdm]+|\d+)\b"
_NUMERAL = "〇零一二三四五六七八九十百千两兩"
_PARTED = re.compile(
    rf"第[{_NUMERAL}\d]{{1,8}}[章回节節卷部篇编編幕集话話条條讲講课課]|[{_NUMERAL}]{{1,4}}、|[（(][{_NUMERAL}]{{1,4}}[）)]"
)
"""Numbered headings of Chinese and Japanese, which occur between paragraphs without blank lines."""
_NUMBERED = re.compile(
    rf"(?:(?:chapter|part|book|section|act|scene|volume|letter|appendix)\s+{_NUMBER}|#)"
    rf"|(?:kapitel|teil|abschnitt|buch|band|akt|szene|anhang|hoofdstuk|deel)\s+{_NUMBER}"
    rf"|(?:chapitre|partie|livre|tome|acte|scène|annexe)\s+(?:{_NUMBER}|premi[èe]re?\b)"
    rf"|(?:cap[íi]tulo|capitolo|parte|libro|livro|secci[óo]n|seção|tomo|acto|ato|atto|escena|scena)\s+{_NUMBER}"
    rf"|(?:глава|часть|книга|том|раздел|розділ|частина|κεφάλαιο|μέρος|rozdział|część|bölüm|kısım|chương|phần)\s+{_NUMBER}"
    r"|제\s*\d+\s*[장절편부회]|(?:บทที่|ตอนที่|ภาคที่|ບົດທີ)\s*\d+|(?:अध्याय|भाग|खंड|অধ্যায়|அத்தியாயம்)\s*\d+"
    r"|(?:الفصل|الباب|الجزء|فصل|باب|פרק|חלק)\s+\S+|(?:အခန်း|ជំពូក|អធ្យាយ)\s*\(?\d+",
    re.IGNORECASE,
)
_ENDS = ".!?:;,…。！？：；，、।॥؟۔؛،։።။។｡༎།"
_ENDED = re.compile(r"[.!?…。！？｡।॥؟۔։።။។༎།][\"'»”’」』）)》\]]*$")
_WIDE_STOP = re.compile("[。！？｡]")
_UNSTOPPED = re.compile("[\u0e01-\u0eff]")
_QUOTES = "\"'“‘„‚«»‹›「『"


@dataclass(frozen=True, slots=True)
class Block:
    """Adjacent lines that form a paragraph, possibly with a heading."""

    start: int
    """First visible character."""
    end: int
    """Index after the last line."""
    heading_end: int | None
    """Start of the line after the heading; None where the block has no heading."""


def blocks(text: str) -> Iterator[Block]:
    """Yield the blocks of ``text`` in order; every visible character is in one."""
    for start, end in _runs(text):
        for first, last, is_parted in _parts(text, start, end):
            is_run = (first, last) == (start, end)
            heading_end = last if is_parted else _heading_end(text, first, last, is_run=is_run)
            yield Block(first, last, heading_end)


def _runs(text: str) -> Iterator[tuple[int, int]]:
    """Yield first visible and last character (not included) of each run of lines that are not blank."""
    start = end = -1
    for line in _LINE.finditer(text):
        if not line.group().strip():
            if start >= 0:
                yield start, end
            start = -1
            continue
        if start < 0:
            start = line.start() + len(line.group()) - len(line.group().lstrip())
        end = line.end()
    if start >= 0:
        yield start, end


def _parts(text: str, start: int, end: int) -> Iterator[tuple[int, int, bool]]:
    """Yield first and last character (not included) of each block of a run, and whether it is a numbered heading."""
    run = text[start:end]
    if "\n" not in run.rstrip("\n"):
        yield start, end, False
        return
    lines = [(start + match.start(), match.group()) for match in _LINE.finditer(run) if match.group()]
    numbered = [_is_parted(line) or _is_numbered(line) for _, line in lines]
    bodies = [line for (_, line), is_heading in zip(lines, numbered, strict=True) if not is_heading]
    enough = len(bodies) >= LEAST_LINES or _WIDE_STOP.search(run) is not None
    each_line = enough and sum(map(_is_whole, bodies)) >= LINES_WITH_STOPS * len(bodies)
    if run.isascii() and not each_line:
        yield start, end, False
        return
    headings = numbered if each_line else [_is_parted(line) for _, line in lines]
    begin, is_heading = start, headings[0]
    for (place, line), heading in zip(lines[1:], headings[1:], strict=True):
        if heading or is_heading or line.startswith("\u3000") or each_line:
            yield begin, place, is_heading
            begin, is_heading = place + len(line) - len(line.lstrip()), heading
    yield begin, end, is_heading


def _is_whole(line: str) -> bool:
    """Whether a line of a run is a paragraph: it ends in a stop, or most of it is in a script without stops."""
    bare = line.strip()
    return _ENDED.search(bare[-8:]) is not None or 2 * len(_UNSTOPPED.findall(bare[:80])) > len(bare[:80])


def _is_numbered(line: str) -> bool:
    bare = line.strip()
    return len(bare) <= HEADING_CHARACTERS and bare[-1] not in _ENDS and _NUMBERED.match(bare) is not None


def _is_parted(line: str) -> bool:
    bare = line.strip()
    return len(bare) <= HEADING_CHARACTERS and bare[-1] not in _ENDS and _PARTED.match(bare) is not None


def _heading_end(text: str, start: int, end: int, *, is_run: bool) -> int | None:
    """Return the start of the line after a block's heading; None where the block has no heading.

    ``is_run`` is whether the block is surrounded by blank lines or the ends of the text.
    """
    newline = text.find("\n", start, min(end, start + HEADING_CHARACTERS + 2))
    if newline < 0 and end - start > HEADING_CHARACTERS:
        return None
    line_end = end if newline < 0 else newline
    line = text[start:line_end].rstrip()
    if len(line) > HEADING_CHARACTERS or not any(map(str.isalpha, line)):
        return None
    alone = is_run and line_end + 1 >= end and end < len(text)
    if (
        (alone and line[0] not in _QUOTES and line[-1] not in _ENDS)
        or line == line.upper() != line.lower()
        or _NUMBERED.match(line)
        or _is_parted(line)
    ):
        return min(line_end + 1, end)
    return None
