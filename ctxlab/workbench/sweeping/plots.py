"""Plots of a sweep: its history, the importance of its keys, and the score by the value of each."""

import math
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from ctxlab.reporting import png
from ctxlab.sweeping.parameters import written
from ctxlab.sweeping.study_file import StudyRecord, TrialRecord

BLUE, GREY = "#4477aa", "#bbbbbb"

WIDTH, HEIGHT = 4.0, 3.0
"""Inches of a plot."""


def draw(folder: Path, record: StudyRecord) -> list[Path]:
    """Draw the plots that there is something to show in, as PNG files in the sweep's directory.

    Args:
        folder: The directory.
        record: The sweep.

    Returns:
        The files.
    """
    finished = [one for one in record.trials if one.values]
    if len(finished) < 2:
        return []
    import matplotlib

    matplotlib.use("agg")
    pictures = [_history(folder, record, finished), _slices(folder, record, finished)]
    if record.importance:
        pictures.append(_importance(folder, record))
    return pictures


def _history(folder: Path, record: StudyRecord, finished: Sequence[TrialRecord]) -> Path:
    name, direction = next(iter(record.objectives.items()))
    figure, axes = _figure(1)
    numbers, scores = [one.number for one in finished], [one.values[0] for one in finished]
    axes[0].plot(numbers, scores, "o", color=GREY, label="trial")
    best = list(accumulate(scores, min if direction == "minimize" else max))
    axes[0].step(numbers, best, where="post", color=BLUE, label="best so far")
    axes[0].set(xlabel="trial", ylabel=f"{name}, {record.selection_split}")
    axes[0].legend(fontsize=8)
    return png.save(figure, folder / "history.png")


def _slices(folder: Path, record: StudyRecord, finished: Sequence[TrialRecord]) -> Path:
    name = next(iter(record.objectives))
    figure, axes = _figure(len(record.space))
    for one, (key, form) in zip(axes, record.space.items(), strict=True):
        values = [trial.parameters[key] for trial in finished]
        places = [written(value) for value in values] if "choice" in form else values
        if "choice" in form:
            names = [written(value) for value in form["choice"]]
            one.plot(names, [math.nan] * len(names), "o")  # shows every value, in order
        one.plot(places, [trial.values[0] for trial in finished], "o", color=BLUE)
        if "log" in form:
            one.set_xscale("log")
        one.set(xlabel=key, ylabel=name)
        one.tick_params(axis="x", labelrotation=30, labelsize=8)
    return png.save(figure, folder / "slices.png")


def _importance(folder: Path, record: StudyRecord) -> Path:
    figure, axes = _figure(1)
    names = list(record.importance)[::-1]
    axes[0].barh(names, [record.importance[name] for name in names], color=BLUE)
    axes[0].set(xlabel="fraction of the spread that the key accounts for by itself", xlim=(0, 1))
    axes[0].tick_params(labelsize=8)
    return png.save(figure, folder / "importance.png")


def _figure(num: int) -> tuple[Any, Any]:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, num, figsize=(WIDTH * num, HEIGHT), layout="constrained", squeeze=False)
    return figure, axes[0]
