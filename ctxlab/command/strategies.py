"""``ctxlab strategies``: describes every strategy and part from its YAML file and class.

The comment at the top of a part's file has one line each for: what it does, ``Cost:``, ``Measured:`` (written by
``make docs`` from the last ``make bench``) and ``Not for:``; the kinds of model are declared by its class.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ctxlab.command.screen import two_columns, wrapped
from ctxlab.config import catalogue, signatures
from ctxlab.config.nearest import suggestion
from ctxlab.core.errors import UserError

FAMILIES = ("reading", "positions", "attention", "memory", "curriculum")
COLUMNS = ("name", "what it does", "paper", "models", "cost", "measured", "not for")
KINDS = {"encoder": "E", "decoder": "D", "encoder_decoder": "ED"}
PAPER = re.compile(r"arXiv:(\d{4}\.\d{4,5})")
NOTHING = "–"


@dataclass(frozen=True, slots=True)
class Entry:
    """Description of one strategy or part."""

    name: str
    sentence: str
    papers: Sequence[str]
    """arXiv numbers."""
    kinds: Sequence[str]
    """Kinds of model; empty for any."""
    cost: str
    measured: str
    not_for: str

    def cells(self) -> tuple[str, ...]:
        """Return the cells of ``COLUMNS``, a dash for an empty one."""
        papers = " ".join(f"[{number}](https://arxiv.org/abs/{number})" for number in self.papers)
        kinds = " ".join(KINDS[kind] for kind in sorted(self.kinds, key=list(KINDS).index))
        cells = (f"`{self.name}`", self.sentence, papers, kinds or "any", self.cost, self.measured, self.not_for)
        return tuple(cell or NOTHING for cell in cells)


def part(family: str, name: str) -> Entry:
    """Describe a part from its YAML file and class."""
    path = catalogue.option_file(f"strategy/{family}", name)
    module, _, cls = catalogue.read(path)["_target_"].rpartition(".")
    kinds = signatures.names(module, cls, "supports")  # without importing it
    return _entry(name, catalogue.header(path), sorted(kinds))


def preset(name: str) -> Entry:
    """Describe a preset; its kinds of model are those that all its parts support."""
    path = catalogue.option_file("strategy", name)
    parts = dict(catalogue.defaults(path, "strategy"))
    kinds = set(KINDS)
    for group, option in parts.items():
        kinds &= set(part(group.removeprefix("strategy/"), option).kinds) or kinds
    return _entry(name, catalogue.header(path), sorted(kinds))


def composition(name: str) -> str:
    """Return the parts of a preset without the null parts."""
    parts = dict(catalogue.defaults(catalogue.option_file("strategy", name), "strategy"))
    return " + ".join(option for option in parts.values() if option not in ("keep", "full", "none", "constant"))


def page() -> str:
    """Return all strategies and parts as Markdown."""
    lines = [
        "# Strategies", "",
        "Made by `make docs` from the files in `conf/strategy` and the classes that they name; `ctxlab strategies` "
        "prints it. A strategy has five parts: `strategy=<name>` chooses a preset, `strategy/<family>=<name>` replaces "
        "one part. Models: E encoder, D decoder, ED encoder-decoder (an attention part changes its encoder). L is the "
        "length of a window in tokens, w the attention window on each side, g the number of global tokens.", "",
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


def listing() -> str:
    """Return all strategies and parts for a terminal: what each does and which models it supports."""
    lines = [
        *wrapped("strategy=<name> chooses a preset, strategy/<family>=<name> replaces one part; ctxlab strategies "
                 "<name> shows one with its keys, cost and papers. Models: E encoder, D decoder, ED encoder-decoder."),
        "", "Presets, strategy=…",
        *two_columns((name, _line_of(preset(name))) for name in catalogue.options("strategy")),
    ]  # fmt: skip
    for family in FAMILIES:
        rows = ((name, _line_of(part(family, name))) for name in catalogue.options(f"strategy/{family}"))
        lines += ["", f"{family.capitalize()}, strategy/{family}=…", *two_columns(rows)]
    return "\n".join(lines) + "\n"


def of(names: Sequence[str]) -> str:
    """Describe the presets and parts of these names in full.

    Raises:
        UserError: for an unknown name.
    """
    blocks = [block for name in names for block in _whole(name.removeprefix("strategy="))]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _whole(name: str) -> list[list[str]]:
    """Describe a preset and its parts, or the parts of this name."""
    if name in catalogue.options("strategy"):
        parts = dict(catalogue.defaults(catalogue.option_file("strategy", name), "strategy"))
        return [
            _preset_block(name),
            *(_part_block(group.removeprefix("strategy/"), option) for group, option in parts.items()),
        ]
    families = [family for family in FAMILIES if name in catalogue.options(f"strategy/{family}")]
    if not families:
        known = {option for group in ("strategy", *(f"strategy/{family}" for family in FAMILIES))
                 for option in catalogue.options(group)}  # fmt: skip
        raise UserError(f"There is no strategy or part '{name}'{suggestion(name, sorted(known), 'names')}")
    return [_part_block(family, name) for family in families]


def _preset_block(name: str) -> list[str]:
    entry, path = preset(name), catalogue.option_file("strategy", name)
    text = [line for paragraph in catalogue.header(path) for line in wrapped(paragraph, 2)]
    own = [(f"strategy.{key.name}={key.value}", key.comment) for key in catalogue.keys(path) if key.name != "name"]
    return [f"strategy={name}", *text, *_facts_of(entry), *two_columns(((k, c) for k, c in own if k[-1] != "="))]


def _part_block(family: str, name: str) -> list[str]:
    entry = part(family, name)
    keys = catalogue.keys(catalogue.option_file(f"strategy/{family}", name))
    rows = [(f"strategy.{family}.{key.name}={key.value}", key.comment) for key in keys if key.value]
    return [f"strategy/{family}={name}", *wrapped(entry.sentence, 2), *_facts_of(entry), *two_columns(rows)]


def _facts_of(entry: Entry) -> list[str]:
    kinds = ", ".join(kind.replace("_", "-") for kind in KINDS if kind in entry.kinds) or "any"
    facts = {
        "models": kinds,
        "cost": entry.cost,
        "measured": entry.measured,
        "not for": entry.not_for,
        "papers": " ".join(f"https://arxiv.org/abs/{number}" for number in entry.papers),
    }
    return two_columns([(name, text) for name, text in facts.items() if text], column=12)


def _line_of(entry: Entry) -> str:
    kinds = " ".join(KINDS[kind] for kind in KINDS if kind in entry.kinds)
    return f"{entry.sentence}{f' [{kinds}]' if kinds else ''}"


def _entry(name: str, header: Sequence[str], kinds: Sequence[str]) -> Entry:
    facts = dict(_facts(header))
    numbers = tuple(dict.fromkeys(PAPER.findall(" ".join(header))))
    return Entry(name, header[0], numbers, kinds, *(facts.get(key, "") for key in ("Cost", "Measured", "Not for")))


def _facts(header: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield ``Cost: …`` and similar facts; a line without such a prefix continues the previous one."""
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
