"""Elements of plots as SVG text: every value is escaped, and colours are classes that the page's style defines."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from ctxlab.reporting.charts.scale import Scale, short

WIDTH, HEIGHT = 460, 290
"""Size of a plot in its own units, which a phone shows nearly unscaled."""

LEFT, RIGHT, TOP, BOTTOM = 60, 14, 14, 44
"""Margins of the plotting area."""

NUM_COLORS = 8

SIZE = 4.6
"""Half the width of a marker."""

OUTLINES = (
    "M{x0},{y}A{s},{s} 0 1 0 {x1},{y}A{s},{s} 0 1 0 {x0},{y}Z",
    "M{x0},{y0}H{x1}V{y1}H{x0}Z",
    "M{x},{y0}L{x1},{y1}H{x0}Z",
    "M{x},{y0}L{x1},{y}L{x},{y1}L{x0},{y}Z",
    "M{x0},{y0}H{x1}L{x},{y1}Z",
    "M{x0},{y}L{x},{y0}L{x1},{y}L{x1},{y1}H{x0}Z",
)
"""Outlines of markers: circle, square, triangle, diamond, triangle down, house."""


@dataclass(frozen=True, slots=True)
class Look:
    """Colour and marker of a candidate, the same in all plots of its group."""

    color: int
    marker: int


def element(name: str, *children: str, **attributes: object) -> Markup:
    """Return an element; underscores in names of attributes are hyphens, and one at the end is dropped."""
    given = Markup("").join(
        Markup(' {}="{}"').format(Markup(key.rstrip("_").replace("_", "-")), value)  # noqa: S704 (names are ours)
        for key, value in attributes.items()
        if value is not None
    )
    inside = Markup("").join(map(escape, children))
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), given, inside)  # noqa: S704


def text(content: str, x: float, y: float, anchor: str = "start", style: str = "") -> Markup:
    """Return a line of text.

    Args:
        content: The text.
        x: Coordinate of its anchor.
        y: Coordinate of its baseline.
        anchor: Which part of the text is at ``x``: ``start``, ``middle`` or ``end``.
        style: CSS class; empty for none.
    """
    return element("text", content, x=x, y=y, text_anchor=None if anchor == "start" else anchor, class_=style or None)


def line(x1: float, y1: float, x2: float, y2: float, style: str) -> Markup:
    """Return a straight line.

    Args:
        x1: Coordinate of the first end.
        y1: Coordinate of the first end.
        x2: Coordinate of the second end.
        y2: Coordinate of the second end.
        style: CSS class.
    """
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=style)


def outline(marker: int, x: float, y: float, size: float = SIZE) -> str:
    """Return the path of a marker at a point.

    Args:
        marker: Index of the marker; further ones repeat.
        x: Coordinate.
        y: Coordinate.
        size: Half of its width, in pixels.
    """
    ends = {"x0": x - size, "x1": x + size, "y0": y - size, "y1": y + size}
    rounded = {name: round(value, 1) for name, value in ends.items()}
    return OUTLINES[marker % len(OUTLINES)].format(x=x, y=y, s=size, **rounded)


def point(look: Look, x: float, y: float, told: str, *others: str, hollow: bool = False) -> Markup:
    """Return a marker that can be pointed at and focused.

    Args:
        look: Colour and marker.
        x: Coordinate.
        y: Coordinate.
        told: What is told of it when it is pointed at, and by a screen reader.
        others: Further elements that belong to it, such as its interval.
        hollow: Whether the marker is drawn without filling.
    """
    mark = element("path", d=outline(look.marker, x, y), class_="hollow" if hollow else "solid")
    style = f"point c{look.color % NUM_COLORS}"
    return element("g", element("title", told), *others, mark, class_=style, tabindex="-1", role="img", aria_label=told)


def path(points: Iterable[tuple[float, float]], style: str) -> Markup:
    """Return a line through points."""
    return element("path", d="M" + "L".join(f"{x:g},{y:g}" for x, y in points), class_=style)


def axes(x: Scale | None, y: Scale, x_label: str, y_label: str, height: float = HEIGHT) -> Markup:
    """Return grid, ticks and labels of a chart.

    Args:
        x: Scale of the horizontal axis; None draws the vertical axis only.
        y: Scale of the vertical axis.
        x_label: Label of the horizontal axis.
        y_label: Label of the vertical axis.
        height: Height of the chart, in pixels.
    """
    bottom, right = height - BOTTOM, WIDTH - RIGHT
    drawn: list[str] = []
    for value in y.ticks():
        drawn += [
            line(LEFT, y(value), right, y(value), style="grid"),
            text(short(value), LEFT - 6, y(value) + 4, "end"),
        ]
    if x is not None:
        for value in x.ticks(5):
            at = x(value)
            drawn += [line(at, TOP, at, bottom, style="grid"), text(short(value), at, bottom + 16, "middle")]
    middle = (LEFT + right) / 2
    drawn.append(text(x_label, middle, height - 8, "middle", style="label"))
    turn = f"translate(12,{(TOP + bottom) / 2:g})rotate(-90)"
    turned = element("text", y_label, class_="label", text_anchor="middle", transform=turn)
    return element("g", *drawn, turned, class_="axes")


def plot(title: str, *content: str, height: float = HEIGHT) -> Markup:
    """Return a plot; its first point can be focused, and arrow keys lead to the others."""
    return element(
        "svg", *content, viewBox=f"0 0 {WIDTH} {height:g}", role="group", aria_label=title, class_="plot",
        xmlns="http://www.w3.org/2000/svg",
    )  # fmt: skip


def looks(keys: Sequence[tuple[str, str]]) -> list[Look]:
    """Return a look for each candidate: a colour for each strategy and a marker for each context, if these tell all.

    Args:
        keys: Strategy and context of each candidate.
    """
    strategies = list(dict.fromkeys(strategy for strategy, _ in keys))
    contexts = sorted({context for _, context in keys}, key=lambda text: (len(text), text))
    if len(set(keys)) < len(keys) or len(strategies) == 1:
        return [Look(index % NUM_COLORS, index // NUM_COLORS) for index in range(len(keys))]
    return [Look(strategies.index(strategy), contexts.index(context)) for strategy, context in keys]
