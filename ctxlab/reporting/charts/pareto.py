"""Scatter plot of quality against one cost, with the front of the best trade-offs."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from ctxlab.reporting.charts.quality import MOST_ROWS
from ctxlab.reporting.charts.scale import Scale, short
from ctxlab.reporting.charts.series import Series, finite, view
from ctxlab.reporting.charts.svg import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Place,
    axes,
    line,
    path,
    plot,
    point,
    text,
)

SAME = 1.02
"""Ratio of the largest to the smallest cost up to which there is nothing to draw."""

CHARACTER, LETTERS = 6.2, 13
"""Width of a character and height of a line of text, to keep labels apart."""


def draw(series: Sequence[Series], cost: str, figure: str, *, lower_is_better: bool) -> Markup:
    """Draw every candidate for which the cost is known; nothing if they are fewer than two, or all cost the same.

    Args:
        series: Candidates.
        cost: Name of the cost.
        figure: Name of the metric.
        lower_is_better: Whether a lower figure is better.
    """
    known = [one for one in finite(series) if one.costs.get(cost, 0.0) > 0]
    costs = [one.costs[cost] for one in known]
    if len(known) < 2 or max(costs) < SAME * min(costs):
        return Markup("")
    x = Scale.over(costs, LEFT, WIDTH - RIGHT, may_be_log=True)
    y = Scale.over(view([one.value for one in known]), HEIGHT - BOTTOM, TOP)
    best = front(known, cost, lower_is_better=lower_is_better)
    marks = [_mark(one, x, y, cost, on_front=one in best, whiskers=len(known) <= MOST_ROWS) for one in known]
    direction = " (lower is better)" if lower_is_better else ""
    label = f"{cost}, log scale" if x.is_log else cost
    frame = axes(x, y, (label, f"{figure}{direction}"))
    places = {one.title: (x(one.costs[cost]), y(one.value.figure)) for one in known}
    return plot(f"{figure} against {cost}", frame, _steps(best, places), *marks, *_labels(best, places))


def front(series: Sequence[Series], cost: str, *, lower_is_better: bool) -> list[Series]:
    """Return the candidates that no cheaper or equally cheap one reaches in quality, the cheapest first."""
    sign = 1 if lower_is_better else -1
    found: list[Series] = []
    for one in sorted(series, key=lambda one: (one.costs[cost], sign * one.value.figure)):
        if not found or sign * one.value.figure < sign * found[-1].value.figure:
            found.append(one)
    return found


def _mark(one: Series, x: Scale, y: Scale, cost: str, *, on_front: bool, whiskers: bool) -> Markup:
    at, place = x(one.costs[cost]), y(one.value.figure)
    ends = one.value.ends if whiskers else None
    interval = [line((at, y.inside(ends[0])), (at, y.inside(ends[1])), "whisker")] if ends else []
    return point(one.look, (at, place), one.tooltip(f"{cost} {short(one.costs[cost])}"), *interval, hollow=not on_front)


def _steps(best: Sequence[Series], places: Mapping[str, Place]) -> Markup:
    """Return the front as steps: what can be reached at a cost, up to the right edge."""
    points: list[Place] = []
    for at, height in (places[one.title] for one in best):
        points += [(at, points[-1][1]), (at, height)] if points else [(at, height)]
    return path([*points, (WIDTH - RIGHT, points[-1][1])], "front")


def _labels(best: Sequence[Series], places: Mapping[str, Place]) -> list[Markup]:
    """Return the titles of the candidates on the front, where they have room beside the points at ``places``."""
    taken = [(at - 6, place - 6, 12.0, 12.0) for at, place in places.values()]
    found = []
    for one in best:
        width, (at, place) = CHARACTER * len(one.title), places[one.title]
        for left, top, anchor in (
            (at + 8, place - 15, None), (at + 8, place + 3, None),
            (at - 8 - width, place - 15, "end"), (at - 8 - width, place + 3, "end"),
        ):  # fmt: skip
            box = (left, top, width, float(LETTERS))
            inside = left >= LEFT and left + width <= WIDTH - RIGHT and top >= 0 and top + LETTERS <= HEIGHT - BOTTOM
            if inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                found.append(text(one.title, (at - 8 if anchor else at + 8, top + 11), "name", anchor))
                break
    return found


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return all(one[axis] < other[axis] + other[axis + 2] and other[axis] < one[axis] + one[axis + 2] for axis in (0, 1))
