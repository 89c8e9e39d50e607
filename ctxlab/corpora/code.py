"""Generated files of definitions in a small language, and descriptions of expressions over them.

The comment of a definition says what its name stands for, so that the description, which never uses a name, can only be
followed by reading the file. Names are invented, and so are the values. In an *ambiguous* document the expression needs
two definitions, at a controlled distance from each other; else it needs one, anywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ctxlab.corpora.grammar.brief import Brief
from ctxlab.corpora.grammar.draw import Draw
from ctxlab.corpora.grammar.names import names
from ctxlab.corpora.grammar.prose import FILLERS, LISTS, ROOM_FOR_SENTENCE, exactly, fill, sentence
from ctxlab.text.units import joined

MEASURES = ("weight", "price", "length", "age", "height")
"""What constants stand for, each of a thing."""

OPERATORS: Sequence[tuple[str, str]] = (("plus", "+"), ("minus", "-"), ("times", "*"), ("is more than", ">"))
"""Words of a description, and the operator of its expression."""

FUNCTIONS = 0.4
"""Fraction of the definitions that are functions."""

OTHERS = 0.3
"""Fraction of the other lines that are definitions which the expression does not need."""

ROOM = 36
"""Words that two definitions take at most."""


CONSTANT, FUNCTION = 10, 17
"""Words and punctuation marks of a definition of either kind, its comment included."""


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a file and, for a definition, how a description and an expression refer to it."""

    text: str
    size: int
    """Words and punctuation marks."""
    described: str = ""
    written: str = ""


def write(brief: Brief, index: int) -> dict[str, Any]:
    """Return the fields ``file, description, expression, probes``; the file has exactly ``words_per_document`` words.

    - ``ambiguous_share``: fraction of the documents whose expression needs two definitions.
    - ``evidence_distance``: words from the name of one of them to that of the other, at least.
    - ``probes``: the first and last character (not included) of each definition that is needed, and the distance to the
      other one (0 where there is none).

    Raises:
        UserError: No distance fits the document.
    """
    fitting = brief.fitting_distances(ROOM, needed=bool(brief.ambiguous_share))
    draw = brief.draw(index)
    maker = _Maker(draw, brief.split)
    first, sign = maker.definition(), OPERATORS[(index + brief.seed) % len(OPERATORS)]
    if draw.share() >= brief.ambiguous_share:
        needed, between, number = [first], list[_Line](), str(2 + draw.below(98))
        second = _Line("", 0, number, number)
    else:
        second = maker.definition()
        needed, between = [first, second], maker.filling(max(draw.one(fitting) - first.size, 0))
    gap = sum(one.size for one in between)
    room = brief.words_per_document - sum(one.size for one in needed) - gap
    ahead = draw.below(room + 1)
    lines = [*maker.filling(ahead), first, *between, *needed[1:], *maker.filling(room - ahead)]
    text, distance = "\n".join(one.text for one in lines), first.size + gap if len(needed) > 1 else 0
    terms = (first, second) if len(needed) == 1 or draw.below(2) else (second, first)
    places = [text.index(one.text) for one in needed]
    return {
        "file": text,
        "description": f"{terms[0].described} {sign[0]} {terms[1].described}",
        "expression": f"{terms[0].written} {sign[1]} {terms[1].written}",
        "probes": [
            {"start": at, "end": at + len(one.text), "distance": distance}
            for at, one in zip(places, needed, strict=True)
        ],
    }


class _Maker:
    """Makes the lines of one file, whose names and comments are all different."""

    def __init__(self, draw: Draw, split: str) -> None:
        self._draw, self._used = draw, set[str]()
        self._names = draw.shuffled(list(names(split)))

    def definition(self) -> _Line:
        """Make a definition of a new name for a new thing."""
        draw, name = self._draw, self._names.pop()
        while True:
            is_function = draw.share() < FUNCTIONS
            kind = draw.one(LISTS["person" if is_function else "thing"]).rpartition(" ")[2]
            what = f"the {'fee' if is_function else draw.one(MEASURES)} of the {kind}"
            if what not in self._used:
                break
        self._used.add(what)
        if not is_function:
            return _Line(f"let {name} = {2 + draw.below(98)} # {what}", CONSTANT, what, name)
        body, number = f"x * {2 + draw.below(8)} + {1 + draw.below(9)}", 2 + draw.below(8)
        return _Line(f"def {name}(x) = {body} # {what}", FUNCTION, f"{what} for {number}", f"{name}({number})")

    def filling(self, room: int) -> list[_Line]:
        """Make lines of exactly ``room`` words: comments, and definitions as long as there are names and things."""
        lines: list[_Line] = []
        while room > 0:
            line = self._line(room)
            lines.append(line)
            room -= line.size
        assert room == 0, "lines are of known sizes"
        return lines

    def _line(self, room: int) -> _Line:
        if room >= ROOM and len(self._used) < 60 and len(self._names) > 2 and self._draw.share() < OTHERS:
            return self.definition()
        if room < 3:
            return _Line("#", 1)
        words = sentence(fill(self._draw.one(FILLERS), self._draw))
        if room <= ROOM_FOR_SENTENCE or len(words) + 1 > room:
            words = exactly(room - 1, self._draw)
        return _Line(f"# {joined(words)[0]}", 1 + len(words))
