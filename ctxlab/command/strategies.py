"""``ctxlab strategies``: every strategy and every part, told from their own YAML files and classes.

The comment at the top of a part's file says, a line each: what it does, ``Cost:``, ``Measured:`` (written by
``make docs`` from the last ``make bench``) and ``Not for:``; the kinds of model are those that its class declares.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ctxlab.config import catalogue
from ctxlab.config.build import locate

FAMILIES = ("reading", "positions", "attention", "memory", "curriculum")
COLUMNS = ("name", "what it does", "paper", "models", "cost", "measured", "not for")
KINDS = {"encoder": "E", "decoder": "D", "encoder_decoder": "ED"}
PAPER = re.compile(r"arXiv:(\d{4}\.\d{4,5})")
NOTHING = "–"


@dataclass(frozen=True, slots=True)
class Entry:
    """What one file says about itself."""

    name: str
    sentence: str
    papers: Sequence[str]
    """arXiv numbers."""
    kinds: Sequence[str]
    """Of models; empty where any will do."""
    cost: str
    measured: str
    not_for: str

    def cells(self) -> tuple[str, ...]:
        """As in ``COLUMNS``, a dash for nothing."""
        papers = " ".join(f"[{number}](https://arxiv.org/abs/{number})" for number in self.papers)
        kinds = " ".join(KINDS[kind] for kind in sorted(self.kinds, key=list(KINDS).index))
        cells = (f"`{self.name}`", self.sentence, papers, kinds or "any", self.cost, self.measured, self.not_for)
        return tuple(cell or NOTHING for cell in cells)


def part(family: str, name: str) -> Entry:
    """A part from its YAML file and its class."""
    path = catalogue.option_file(f"strategy/{family}", name)
    kinds: frozenset[str] = getattr(locate(catalogue.read(path)["_target_"]), "supports", frozenset())
    return _entry(name, catalogue.header(path), sorted(kinds))


def preset(name: str) -> Entry:
    """A preset; its models are those that all its parts work on."""
    path = catalogue.option_file("strategy", name)
    parts = dict(catalogue.defaults(path, "strategy"))
    kinds = set(KINDS)
    for group, option in parts.items():
        kinds &= set(part(group.removeprefix("strategy/"), option).kinds) or kinds
    return _entry(name, catalogue.header(path), sorted(kinds))


def composition(name: str) -> str:
    """The parts of a preset that are not the null ones."""
    parts = dict(catalogue.defaults(catalogue.option_file("strategy", name), "strategy"))
    return " + ".join(option for option in parts.values() if option not in ("keep", "full", "none", "constant"))


def page() -> str:
    """All of it as Markdown."""
    lines = [
        "# Strategies", "",
        "Made by `make docs` from the files in `conf/strategy` and the classes that they name; `ctxlab strategies` "
        "prints it. A strategy is five parts: `strategy=<name>` takes a preset, `strategy/<family>=<name>` another "
        "part in it. Models: E encoder, D decoder, ED encoder-decoder (the pattern of an attention part goes into its "
        "encoder). L is the length of a window in tokens, w a window on each side, g global tokens.", "",
        "## Presets", "",
        _line(("strategy", "parts", *COLUMNS[1:4])), _rule(5),
    ]  # fmt: skip
    for name in catalogue.options("strategy"):
        cells = preset(name).cells()
        lines.append(_line((cells[0], composition(name) or NOTHING, *cells[1:4])))
    for family in FAMILIES:
        lines += ["", f"## {family.capitalize()}", "", _line(COLUMNS), _rule(len(COLUMNS))]
        lines += [_line(part(family, name).cells()) for name in catalogue.options(f"strategy/{family}")]
    return "\n".join(lines) + "\n"


def _entry(name: str, header: Sequence[str], kinds: Sequence[str]) -> Entry:
    facts = dict(_facts(header))
    numbers = tuple(dict.fromkeys(PAPER.findall(" ".join(header))))
    return Entry(name, header[0], numbers, kinds, *(facts.get(key, "") for key in ("Cost", "Measured", "Not for")))


def _facts(header: Sequence[str]) -> Iterator[tuple[str, str]]:
    """``Cost: …`` and the like; a line that begins with none of them goes on with the one before."""
    key, text = "", ""
    for line in header[1:]:
        begun = re.match(r"(Cost|Measured|Not for): (.*)", line)
        if begun:
            yield key, text
            key, text = begun[1], begun[2]
        else:
            text = f"{text} {line}"
    yield key, text


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _rule(columns: int) -> str:
    return "|" + " --- |" * columns
