"""hOCR, the output of Tesseract, OCRopus and others: a web page whose words have the place in their title.

Source: the hOCR specification 1.2 (kba.github.io/hocr-spec).
"""

import re
from html.parser import HTMLParser
from pathlib import Path

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.data.formats.page_size import scaled
from ctxlab.data.readers.text import read_text

PAGE, LINE, WORD = "ocr_page", ("ocr_line", "ocr_header", "ocr_caption", "ocr_textfloat"), ("ocrx_word", "ocr_word")
"""Classes of elements."""

VOID = frozenset({"br", "img", "meta", "link", "hr", "input", "wbr", "area", "base", "col", "embed", "source", "track"})
"""Elements without an end."""

_BBOX = re.compile(r"\bbbox\s+(-?\d+)\s+(-?\d+)\s+(-?\d+)\s+(-?\d+)")

Box = tuple[int, int, int, int]


def read(path: Path) -> list[Record]:
    """Return one record: all words of all pages with their boxes, from 0 to 1000, and where lines begin.

    Raises:
        UserError: There is no word, or a word or page does not say where it is.
    """
    parser = _Parser(path)
    parser.feed(read_text(path))
    parser.close()
    tokens = [word for page in parser.pages for word in page.words]
    if not tokens:
        raise UserError(f"{path} has no word of hOCR (an element of the class {WORD[0]}): name another file.")
    boxes = [box for number, page in enumerate(parser.pages) for box in page.scaled(number)]
    starts, before = [], 0
    for page in parser.pages:
        starts += [before + start for start in page.starts if start < len(page.words)]
        before += len(page.words)
    fields = {"id": path.stem, "tokens": tokens, "boxes": boxes, "sentence_starts": sorted(set(starts))}
    return [Record(fields, path.name)]


class _Page:
    """The words of one page."""

    def __init__(self, box: Box) -> None:
        self.box = box
        self.words: list[str] = []
        self.boxes: list[Box] = []
        self.starts: list[int] = []

    def scaled(self, number: int) -> list[list[int]]:
        left, top, right, bottom = self.box
        moved = [
            [max(x0 - left, 0), max(y0 - top, 0), max(x1 - left, 0), max(y1 - top, 0)] for x0, y0, x1, y1 in self.boxes
        ]
        return scaled(moved, right - left, bottom - top, number)


class _Parser(HTMLParser):
    """Collects pages; a word is the text of its element and of those in it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.pages: list[_Page] = []
        self._path, self._depth = path, 0
        self._word: Box | None = None
        self._text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in VOID:
            return
        if self._word is not None:
            self._depth += 1
            return
        named = {name: value or "" for name, value in attrs}
        classes = named.get("class", "").split()
        if PAGE in classes:
            self.pages.append(_Page(self._box(named, "page")))
        elif self.pages and any(name in classes for name in LINE):
            self.pages[-1].starts.append(len(self.pages[-1].words))
        elif any(name in classes for name in WORD):
            if not self.pages:
                raise UserError(
                    f"{self._path} line {self.getpos()[0]} has a word outside of any {PAGE}: put it into one."
                )
            self._word, self._depth, self._text = self._box(named, "word"), 1, []

    def handle_endtag(self, tag: str) -> None:
        if self._word is None or tag in VOID:
            return
        self._depth -= 1
        if self._depth == 0:
            text = "".join(self._text).strip()
            if text:
                self.pages[-1].words.append(text)
                self.pages[-1].boxes.append(self._word)
            self._word = None

    def handle_data(self, data: str) -> None:
        if self._word is not None:
            self._text.append(data)

    def _box(self, named: dict[str, str], what: str) -> Box:
        title = named.get("title", "")
        found = _BBOX.search(title)
        box = tuple(map(int, found.groups())) if found else ()
        if not box or box[0] > box[2] or box[1] > box[3]:
            raise UserError(
                f"{self._path} line {self.getpos()[0]}: the field 'title' of a {what} is {title[:60]!r}: write bbox "
                "with left, top, right and bottom."
            )
        return box  # type: ignore[return-value]
