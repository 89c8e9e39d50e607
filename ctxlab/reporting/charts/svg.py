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


Place = tuple[float, float]
"""Coordinates of a point, from the left and from the top."""


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


def text(content: str, at: Place, style: str = "", anchor: str | None = None) -> Markup:
    """Return a line of text.

    Args:
        content: The text, which is escaped.
        at: Place of its start, or of what ``anchor`` names.
        style: Class.
        anchor: ``middle`` or ``end``; None for the start.
    """
    return element("text", content, x=at[0], y=at[1], text_anchor=anchor, class_=style or None)


def line(start: Place, end: Place, style: str) -> Markup:
    """Return a straight line."""
    return element("line", x1=start[0], y1=start[1], x2=end[0], y2=end[1], class_=style)


def outline(marker: int, at: Place, size: float = SIZE) -> str:
    """Return the path of a marker at a place."""
    x, y = at
    ends = {"x0": x - size, "x1": x + size, "y0": y - size, "y1": y + size}
    rounded = {name: round(value, 1) for name, value in ends.items()}
    return OUTLINES[marker % len(OUTLINES)].format(x=x, y=y, s=size, **rounded)


def point(look: Look, at: Place, tooltip: str, *others: str, hollow: bool = False) -> Markup:
    """Return a marker that can be pointed at and focused.

    Args:
        look: Colour and marker.
        at: Its place.
        tooltip: Text of its tooltip, which screen readers also read.
        others: Further elements that belong to it, such as its interval.
        hollow: Whether the marker is drawn without filling.
    """
    mark = element("path", d=outline(look.marker, at), class_="hollow" if hollow else "solid")
    style = f"point c{look.color % NUM_COLORS}"
    return element(
        "g", element("title", tooltip), *others, mark, class_=style, tabindex="-1", role="img", aria_label=tooltip
    )


def path(points: Iterable[Place], style: str) -> Markup:
    """Return a line through points."""
    return element("path", d="M" + "L".join(f"{x:g},{y:g}" for x, y in points), class_=style)


def axes(x: Scale | None, y: Scale, labels: tuple[str, str]) -> Markup:
    """Return grid, ticks and the labels of both axes; without ``x`` there are ticks on the vertical axis only."""
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    drawn: list[str] = []
    for value in y.ticks():
        at = y(value)
        drawn += [line((LEFT, at), (right, at), "grid"), text(short(value), (LEFT - 6, at + 4), anchor="end")]
    if x is not None:
        for value in x.ticks(5):
            at = x(value)
            drawn += [line((at, TOP), (at, bottom), "grid"), text(short(value), (at, bottom + 16), anchor="middle")]
    drawn.append(text(labels[0], ((LEFT + right) / 2, HEIGHT - 8), "label", "middle"))
    turn = f"translate(12,{(TOP + bottom) / 2:g})rotate(-90)"
    turned = element("text", labels[1], class_="label", text_anchor="middle", transform=turn)
    return element("g", *drawn, turned, class_="axes")


def plot(title: str, *content: str, height: float = HEIGHT) -> Markup:
    """Return a plot; its first point can be focused, and arrow keys lead to the others."""
    return element(
        "svg", *content, viewBox=f"0 0 {WIDTH} {height:g}", role="group", aria_label=title, class_="plot",
        xmlns="http://www.w3.org/2000/svg",
    )  # fmt: skip


def looks(keys: Sequence[tuple[str, str]]) -> list[Look]:
    """Return a look for each candidate: colour by strategy and marker by context, if these distinguish all.

    Args:
        keys: Strategy and context of each candidate.
    """
    strategies = list(dict.fromkeys(strategy for strategy, _ in keys))
    contexts = sorted({context for _, context in keys}, key=lambda text: (len(text), text))
    if len(set(keys)) < len(keys) or len(strategies) == 1:
        return [Look(index % NUM_COLORS, index // NUM_COLORS) for index in range(len(keys))]
    return [Look(strategies.index(strategy), contexts.index(context)) for strategy, context in keys]
