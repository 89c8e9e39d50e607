"""The front of quality and cost, against every pair."""

import random
import xml.etree.ElementTree as Tree

import pytest

from ctxlab.reporting.charts import pareto, quality
from ctxlab.reporting.charts.lines import Binned, Curve, bins, curves
from ctxlab.reporting.charts.series import Reference, Series, Value
from ctxlab.reporting.charts.svg import HEIGHT, WIDTH, Look, looks

COST = "seconds"


def series(name, figure, cost, low=None, high=None):
    return Series(name, Look(0, 0), Value(figure, low, high), {COST: cost})


@pytest.mark.parametrize("lower", [False, True])
def test_the_front_is_what_no_cheaper_candidate_reaches(lower):
    generator = random.Random(3)
    several = [series(str(n), generator.randint(0, 9) / 10, generator.randint(1, 9)) for n in range(30)]
    sign = -1 if lower else 1

    def dominated(one):
        return any(
            other.costs[COST] <= one.costs[COST] and sign * other.value.figure >= sign * one.value.figure
            and (other.costs[COST], other.value.figure) != (one.costs[COST], one.value.figure)
            for other in several
        )  # fmt: skip

    found = pareto.front(several, COST, lower_is_better=lower)
    expected = {(one.costs[COST], one.value.figure) for one in several if not dominated(one)}
    assert {(one.costs[COST], one.value.figure) for one in found} == expected
    assert [one.costs[COST] for one in found] == sorted(one.costs[COST] for one in found)


def points(drawn):
    """The places of the markers of a plot, which must be well-formed, and their tooltips."""
    tree = Tree.fromstring(str(drawn).replace('xmlns="http://www.w3.org/2000/svg"', ""))
    return {one.get("aria-label"): one for one in tree.iter("g") if one.get("class", "").startswith("point")}


def test_better_is_higher_and_dearer_is_further_right_and_the_front_is_filled():
    several = [series("good", 0.9, 100, 0.8, 1.0), series("cheap", 0.5, 10), series("bad", 0.4, 50)]
    found = points(pareto.draw(several, COST, "f1", lower_is_better=False))
    place = {}
    for told, one in found.items():
        mark = one.find("path")
        x, y = mark.get("d").split("A")[0].removeprefix("M").split(",")
        place[told.split(" ")[0]] = (float(x), float(y), mark.get("class"))
    assert place["good"][1] < place["cheap"][1] < place["bad"][1]
    assert place["cheap"][0] < place["bad"][0] < place["good"][0]
    assert [place[name][2] for name in ("good", "cheap", "bad")] == ["solid", "solid", "hollow"]
    assert all(0 < x < WIDTH and 0 < y < HEIGHT for x, y, _ in place.values())
    assert any("0.900 [0.800, 1.000]" in told and "seconds 100" in told for told in found)


def test_nothing_is_drawn_where_there_is_nothing_to_see():
    same = [series("a", 0.5, 10.0), series("b", 0.6, 10.1)]
    assert pareto.draw(same, COST, "f1", lower_is_better=False) == ""
    assert pareto.draw(same[:1], COST, "f1", lower_is_better=False) == ""
    assert pareto.draw([series("a", float("nan"), 1)] * 3, COST, "f1", lower_is_better=False) == ""
    assert quality.draw([], [], "f1") == ""
    assert curves([Curve("a", Look(0, 0), [(1, 1)])], "step", "loss") == ""
    assert bins([Binned("a", Look(0, 0), {})], ["1–2"], "words", "f1", None) == ""


def test_chance_and_the_baseline_are_lines_with_names():
    several = [series("good", 0.9, 1), series("base", 0.5, 1)]
    drawn = str(quality.draw(several, [Reference("chance", 0.25)], "f1", baseline="base"))
    assert ">chance 0.25<" in drawn
    assert ">baseline 0.5<" in drawn
    drawn = str(bins([Binned("a", Look(0, 0), {"1–2": Value(0.5), "3–4": Value(float("nan"))})], ["1–2", "3–4"],
                     "words", "f1", Reference("chance 0.25", 0.25)))  # fmt: skip
    assert ">chance 0.25<" in drawn
    assert len(points(drawn)) == 1


def test_a_name_in_a_plot_is_text():
    drawn = quality.draw([series("<script>alert(1)</script>", 0.5, 1)], [Reference("<b>", 0.1)], "<i>")
    assert "<script" not in drawn
    assert "<b>" not in drawn
    assert "<i>" not in drawn


def test_colours_are_strategies_and_markers_contexts_unless_two_would_look_alike():
    pairs = [("chunk", "512"), ("chunk", "1024"), ("dense", "512")]
    assert looks(pairs) == [Look(0, 0), Look(0, 1), Look(1, 0)]
    assert len(set(looks([("chunk", "512")] * 10))) == 10
    assert [look.color for look in looks([("chunk", "512"), ("chunk", "1024")])] == [0, 1]
