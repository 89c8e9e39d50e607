"""The report as one self-contained HTML file, which may not load anything."""

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from math import isfinite
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from ctxlab.core.types import Table
from ctxlab.reporting.charts.svg import NUM_COLORS, SIZE, element, outline
from ctxlab.reporting.page.contents import Report
from ctxlab.reporting.page.figures import Figure
from ctxlab.reporting.page.tables import Valued
from ctxlab.reporting.tables import cell

FOLDER = "templates"

LEGEND = 24
"""Largest number of candidates in the legend; others have their names in tooltips."""


def html(report: Report) -> str:
    """Return the page; every text in it is escaped."""
    return rendered("page.html", title=report.title, report=report)


def rendered(template: str, **content: Any) -> str:
    """Return the page of a template that extends ``base.html``, with style, script and policy besides ``content``.

    Args:
        template: Its name.
        content: What it shows, with the ``title`` of the page.
    """
    style, script = (Markup(template_file(name)) for name in ("page.css", "page.js"))  # noqa: S704 (files of ours)
    policy = f"default-src 'none'; img-src data:; style-src {policy_hash(style)}; script-src {policy_hash(script)}"
    policy = f"{policy}; base-uri 'none'; form-action 'none'"
    return _environment().get_template(template).render(**content, policy=policy, style=style, script=script)


def plain_page(
    title: str,
    lead: str,
    command: str,
    conclusions: Sequence[str],
    notes: Sequence[str],
    figures: Sequence[Figure],
    tables: Sequence[Table],
) -> str:
    """Return a page of one section in the style of a report; every text in it is escaped.

    Args:
        title: Its heading.
        lead: Line under the heading.
        command: The command that made it; empty for none.
        conclusions: What the reader is to see first.
        notes: Sentences at the end.
        figures: Plots with captions.
        tables: Tables in order; those without rows are left out.
    """
    return rendered(
        "plain.html",
        title=title,
        lead=lead,
        command=command,
        conclusions=conclusions,
        notes=notes,
        figures=figures,
        tables=tables,
    )


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FunctionLoader(template_file),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"cell": _cell, "sort": _sort_value, "number": _is_number}
    made.globals |= {"swatch": _swatch, "legend_size": LEGEND}
    return made


def template_file(name: str) -> str:
    """Return a template or what belongs to it, also from a wheel."""
    return files("ctxlab.reporting.page").joinpath(FOLDER, name).read_text(encoding="utf-8")


def policy_hash(text: str) -> str:
    """Return the source expression that allows exactly this inline text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _cell(value: Any) -> str:
    return cell(None if isinstance(value, float) and not isfinite(value) else value)


def _sort_value(value: Any) -> str | None:
    """Return the number by which a cell is sorted; None for a text, which is sorted as such."""
    if isinstance(value, Valued):
        return f"{value.value:.6g}"
    return f"{value:.6g}" if isinstance(value, int | float) and isfinite(value) else None


def _is_number(table: Table, index: int) -> bool:
    """Return whether a column contains numbers, which are aligned to the right."""
    values = [row[index] for row in table.rows if row[index] is not None]
    return bool(values) and all(isinstance(value, Valued | int | float) for value in values)


def _swatch(one: Any) -> Markup:
    """Return the marker of a candidate for the legend."""
    mark = element("path", d=outline(one.look.marker, (7, 7), SIZE + 0.4), class_="solid")
    return element(
        "svg", mark, viewBox="0 0 14 14", class_=f"swatch c{one.look.color % NUM_COLORS}", aria_hidden="true"
    )
