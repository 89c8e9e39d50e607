"""Line plots: curves of training, and figures by bins such as lengths or places of the evidence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from markupsafe import Markup

from ctxlab.reporting.charts.scale import Scale, short
from ctxlab.reporting.charts.series import Reference, Value, view
from ctxlab.reporting.charts.svg import (
    BOTTOM,
    HEIGHT,
    LEFT,
    NUM_COLORS,
    RIGHT,
    TOP,
    WIDTH,
    Look,
    axes,
    element,
    line,
    path,
    plot,
    point,
    text,
)

MOST_LINES = 8
"""Largest number of candidates that are drawn; their values are in the tables."""

MOST_WHISKERS = 4
"""Largest number of candidates whose intervals are drawn."""

MOST_NAMES = 6
"""Largest number of bins whose names fit below the axis."""

DODGE = 5.0
"""Distance of the points of two candidates in a bin."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A curve of one run."""

    title: str
    look: Look
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Binned:
    """The figures of a candidate by bin."""

    title: str
    look: Look
    values: dict[str, Value]
    """Name of a bin → figure."""


def curves(several: Sequence[Curve], across: str, figure: str) -> Markup:
    """Draw a curve for each run; nothing if none has two points."""
    shown = [one for one in several if len(one.points) > 1]
    if not shown:
        return Markup("")
    x = Scale.over([0.0, *(at for one in shown for at, _ in one.points)], LEFT, WIDTH - RIGHT)
    x = Scale(0.0, x.high, LEFT, WIDTH - RIGHT)
    y = Scale.over([value for one in shown for _, value in one.points], HEIGHT - BOTTOM, TOP)
    drawn = []
    for one in shown:
        places = [(x(at), y(value)) for at, value in one.points]
        tooltip = f"{one.title} · {figure} {short(round(one.points[-1][1], 4))} at {short(one.points[-1][0])} {across}"
        style = f"curve c{one.look.color % NUM_COLORS}"
        drawn.append(element("g", path(places, "line"), point(one.look, places[-1], tooltip), class_=style))
    return plot(f"{figure} by {across}", axes(x, y, (across, figure)), *drawn)


def bins(several: Sequence[Binned], names: Sequence[str], across: str, figure: str, level: Reference | None) -> Markup:
    """Draw a line through the figures of each candidate.

    Args:
        several: Candidates.
        names: Names of the bins, in order.
        across: Label of the horizontal axis, such as the length.
        figure: Name of the figure.
        level: Level that is drawn as a horizontal line; None for none.
    """
    values = [value for one in several for value in one.values.values() if isfinite(value.figure)]
    if not values:
        return Markup("")
    whiskers = len(several) <= MOST_WHISKERS
    reach = view(values) if whiskers else [value.figure for value in values]
    y = Scale.over([*reach, *([level.figure] if level else [])], HEIGHT - BOTTOM, TOP)
    step = (WIDTH - RIGHT - LEFT) / len(names)
    places = {name: LEFT + step * (index + 0.5) for index, name in enumerate(names)}
    every = -(-len(names) // MOST_NAMES)
    below = [text(name, (places[name], HEIGHT - BOTTOM + 16), anchor="middle") for name in names[::every]]
    drawn: list[str] = [axes(None, y, (across, figure)), element("g", *below, class_="axes")]
    if level:
        at, right = y(level.figure), WIDTH - RIGHT
        drawn += [line((LEFT, at), (right, at), "level"), text(level.name, (right, at - 5), "level", "end")]
    gap = min(DODGE, step / (len(several) + 1))
    for index, one in enumerate(several):
        shift = (index - (len(several) - 1) / 2) * gap
        shifted = {name: round(at + shift, 1) for name, at in places.items()}
        drawn.append(_binned(one, shifted, y, figure, whiskers=whiskers))
    return plot(f"{figure} by {across}", *drawn)


def _binned(one: Binned, places: Mapping[str, float], y: Scale, figure: str, *, whiskers: bool) -> Markup:
    marks, through = [], []
    for name, value in one.values.items():
        if not isfinite(value.figure):
            continue
        at = places[name]
        ends = value.ends if whiskers else None
        interval = [line((at, y.inside(ends[0])), (at, y.inside(ends[1])), "whisker")] if ends else []
        marks.append(point(one.look, (at, y(value.figure)), f"{one.title} · {name}: {figure} {value.words}", *interval))
        through.append((at, y(value.figure)))
    return element("g", path(through, "line"), *marks, class_=f"curve c{one.look.color % NUM_COLORS}")
