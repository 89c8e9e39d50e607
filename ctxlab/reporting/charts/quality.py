"""Dot plot of the primary metric: a row for each candidate, with its interval, and lines for chance and baselines."""

from collections.abc import Sequence

from markupsafe import Markup

from ctxlab.reporting.charts.scale import Scale, short
from ctxlab.reporting.charts.series import Reference, Series, finite, view
from ctxlab.reporting.charts.svg import NUM_COLORS, WIDTH, element, line, plot, point, text

MOST_ROWS = 30
"""Largest number of candidates that are drawn; the best ones come first."""

ROW = 38
"""Height of a row: its title, and below it the interval."""

SIDE = 14

ABOVE = 26
"""Room for the names of the lines."""


def draw(series: Sequence[Series], references: Sequence[Reference], figure: str, baseline: str = "") -> Markup:
    """Draw the candidates in the order given.

    Args:
        series: Candidates, the best first.
        references: Levels that are drawn as vertical lines.
        figure: Name of the metric.
        baseline: Title of the candidate at whose figure a line is drawn; empty for none.
    """
    rows = finite(series)[:MOST_ROWS]
    if not rows:
        return Markup("")
    bottom = ABOVE + ROW * len(rows) + 4
    ends = view([one.value for one in rows]) + [one.figure for one in references]
    x = Scale.over(ends, SIDE, WIDTH - SIDE)
    lines = [*references, *(Reference("baseline", one.value.figure) for one in rows if one.title == baseline)]
    drawn = [
        *(line((x(value), ABOVE), (x(value), bottom), "grid") for value in x.ticks()),
        *(text(short(value), (x(value), bottom + 16), anchor="middle") for value in x.ticks()),
        text(figure, (WIDTH / 2, bottom + 34), "label", "middle"),
        *(level(one, x, bottom) for one in lines),
    ]
    marks = [_row(one, x, ABOVE + ROW * index) for index, one in enumerate(rows)]
    return plot(f"{figure} of each candidate", element("g", *drawn, class_="axes"), *marks, height=bottom + 42)


def level(reference: Reference, x: Scale, bottom: float) -> Markup:
    """Return a vertical line with its name above it."""
    at = x(reference.figure)
    anchor = None if at < WIDTH / 3 else "end" if at > 2 * WIDTH / 3 else "middle"
    name = f"{reference.name} {short(round(reference.figure, 3))}"
    return element("g", line((at, ABOVE - 6), (at, bottom), "level"), text(name, (at, ABOVE - 11), "level", anchor))


def _row(one: Series, x: Scale, top: float) -> Markup:
    at, (low, high) = top + 25, one.value.ends or (one.value.figure, one.value.figure)
    interval = line((x.inside(low), at), (x.inside(high), at), "interval")
    names = [
        text(_cut(one.title), (SIDE, top + 16), "name"),
        text(one.value.words, (WIDTH - SIDE, top + 16), "name", "end"),
    ]
    mark = point(one.look, (x(one.value.figure), at), one.tooltip(), interval)
    return element("g", *names, mark, class_=f"row c{one.look.color % NUM_COLORS}")


def _cut(title: str, most: int = 44) -> str:
    return title if len(title) <= most else f"{title[: most - 1]}…"
