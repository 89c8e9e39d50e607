"""Explanations drawn over the texts, as one HTML file that may not load or run anything."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import ChoiceLoader, DictLoader, Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from ctxlab.core.types import Table
from ctxlab.reporting.explanations.drawing import LEVELS, Piece, pieces
from ctxlab.reporting.page.html import policy_hash, template_file
from ctxlab.reporting.tables import cell

FOLDER = "templates"

STRONGEST = 82
"""Opacity of the strongest shade, in percent: text stays readable on it."""

TOP = 5
"""Sentences that are listed."""


@dataclass(frozen=True, slots=True)
class View:
    """A text by words or by sentences."""

    name: str
    pieces: Sequence[Piece]


@dataclass(frozen=True, slots=True)
class Panel:
    """One target."""

    title: str
    facts: str
    views: Sequence[View]
    top: Sequence[Piece]
    """Sentences with the largest absolute values."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """One document."""

    title: str
    facts: str
    nothing: str
    panels: Sequence[Panel]


@dataclass(frozen=True, slots=True)
class Page:
    """Everything on the page."""

    title: str
    lead: str
    command: str
    checks: Sequence[tuple[str, str, str]]
    """Name, outcome (``holds``, ``fails``, ``does not apply``) and sentence of each check."""
    tables: Sequence[Table]
    notes: Sequence[str]
    documents: Sequence[Drawn]


def drawn(line: Mapping[str, Any]) -> Drawn:
    """Return a document as it is drawn, from its line of ``explanations.jsonl``."""
    coverage = line["coverage"]
    facts = f"{coverage['tokens_read']:,} of {coverage['tokens']:,} tokens read, in {coverage['windows']:,} windows"
    return Drawn(
        line["id"], facts, line.get("nothing", ""), [_panel(line["text"], target) for target in line["targets"]]
    )


def _panel(text: str, target: Mapping[str, Any]) -> Panel:
    """Return the panel of one target."""
    kinds = [name for name in ("words", "sentences") if target[name] is not None]
    views = [View(name, pieces(text, target[name], target)) for name in kinds]
    sentences = [piece for piece in views[-1].pieces if piece.value is not None]
    top = sorted(sentences, key=lambda piece: -abs(piece.value or 0.0))[:TOP]
    return Panel(target["name"], _facts(target), views, top)


def _facts(target: Mapping[str, Any]) -> str:
    """Return the figures of a target in a line."""
    found = []
    if target["score"] is not None:
        found.append(f"score {target['score']:.3f}")
    if target["base_score"] is not None:
        found.append(f"{target['base_score']:.3f} without the document")
    if target.get("completeness_error") is not None:
        found.append(f"completeness error {target['completeness_error']:.2%} after {target['steps']} steps")
    if target["added_tokens"]:
        found.append(f"{target['added_tokens']:+.3f} for special tokens and the question")
    if target.get("exact") is False:
        found.append(f"sampled, {target['permutations']} permutations")
    return "; ".join(found)


def html(page: Page) -> str:
    """Return the page; every text in it is escaped."""
    style = Markup(_style())  # noqa: S704 (ours)
    policy = f"default-src 'none'; img-src data:; style-src {policy_hash(style)}; base-uri 'none'; form-action 'none'"
    return (
        _environment()
        .get_template("explanations.html")
        .render(page=page, title=page.title, policy=policy, style=style, script="")
    )


@cache
def _style() -> str:
    """Return the style sheet, with one rule for each shade."""
    shades = [
        f".{sign}{level} {{ background: color-mix(in srgb, var(--{color}) {round(STRONGEST * level / LEVELS)}%, "
        "transparent); }"
        for sign, color in (("p", "for"), ("n", "against"))
        for level in range(1, LEVELS + 1)
    ]
    return "\n".join([_file("explanations.css").rstrip(), *shades, ""])


@cache
def _environment() -> Environment:
    own = {"explanations.html": _file("explanations.html")}
    made = Environment(
        loader=ChoiceLoader([DictLoader(own), FunctionLoader(template_file)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["cell"] = cell
    return made


def _file(name: str) -> str:
    return files("ctxlab.reporting.explanations").joinpath(FOLDER, name).read_text(encoding="utf-8")
