"""Plots of a run: the loss curve, breakdowns, and learned attention spans."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ctxlab.core.result import rows
from ctxlab.core.types import BARS, CONFUSION, DEPTHS, HEADS, Table
from ctxlab.reporting import png
from ctxlab.reporting.charts.series import Reference
from ctxlab.reporting.references import CHANCE, OVERALL, of_rows

BLUE = "#4477aa"

BAR_INCHES, FRAME_INCHES = 0.5, 1.1
"""Widths of a bar with the gap beside it, and of what stands beside the bars."""

LEAST_BARS = 2.6
"""Number of bars for which a panel has room at least, so that its title does too."""

TITLE_LETTERS = 14
"""Number of characters of a title per inch."""


def draw(run_dir: Path, tables: Mapping[str, Sequence[Table]], learned: Sequence[Table] = ()) -> list[Path]:
    """Draw the loss curve, if there was training, breakdowns of each split, and learned spans.

    Args:
        run_dir: Run directory, where the plots are saved.
        tables: Tables of each split.
        learned: Tables of what the strategy learned.

    Returns:
        The files.
    """
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    from ctxlab.tracking.metrics_file import read_metrics

    pictures = []
    metrics = run_dir / "metrics.jsonl"
    losses = [row for row in read_metrics(metrics) if row["kind"] == "train"] if metrics.exists() else []
    if losses:
        figure, axes = pyplot.subplots(figsize=(6, 3), layout="constrained")
        style = "-" if len(losses) > 1 else "o"  # a line needs two points
        axes.plot([row["tokens"] for row in losses], [row["loss"] for row in losses], style, color=BLUE)
        _open(axes)
        axes.set(xlabel="tokens seen", ylabel="training loss", ylim=(0, None))
        pictures.append(png.save(figure, run_dir / "loss.png"))
    for split, split_tables in tables.items():
        drawn = [table for table in split_tables if table.drawn == BARS and _known(table)]
        if drawn:
            pictures.append(png.save(_panels(drawn, split_tables), run_dir / f"{split}.png"))
        for table in split_tables:
            if table.drawn == DEPTHS and table.rows:
                pictures.append(png.save(_heat_map(table), run_dir / f"{split}-depth.png"))
            if table.drawn == CONFUSION and table.rows:
                pictures.append(png.save(_confusion(table), run_dir / f"{split}-confusion.png"))
    for table in learned:
        if table.drawn == HEADS and table.rows:
            pictures.append(png.save(_layers_and_heads(table), run_dir / "spans.png"))
    return pictures


def _layers_and_heads(table: Table) -> Any:
    """Draw the span of each head of each layer as a heat map with its number in each cell."""
    from matplotlib import pyplot

    cells = {(layer, head): value for layer, head, value in table.rows}
    layers, heads = (max(place[axis] for place in cells) + 1 for axis in (0, 1))
    grid = [[cells.get((layer, head), float("nan")) for head in range(heads)] for layer in range(layers)]
    size = (1.6 + 0.55 * heads, 1.2 + 0.45 * layers)
    figure, axes = pyplot.subplots(figsize=size, layout="constrained")
    largest = max(*cells.values(), 1.0)
    axes.imshow(grid, cmap="Blues", vmin=0, vmax=largest, aspect="auto")
    for (layer, head), value in cells.items():
        dark = value > 0.6 * largest
        axes.text(head, layer, f"{value:,.0f}", ha="center", va="center", fontsize=7, color="w" if dark else "k")
    axes.set(xlabel="head", ylabel="layer", xticks=range(heads), yticks=range(layers))
    axes.set_title(f"{table.title}, tokens on each side", fontsize=9)
    return figure


def _confusion(table: Table) -> Any:
    """Draw the number of documents of each right and given class, darker the larger its fraction of the class is."""
    from matplotlib import pyplot

    cells = {(right, given): count for right, given, count in table.rows}
    rights, givens = (list(dict.fromkeys(place[axis] for place in cells)) for axis in (0, 1))
    totals = {right: sum(cells[right, given] for given in givens) or 1 for right in rights}
    grid = [[cells[right, given] / totals[right] for given in givens] for right in rights]
    size = (2.2 + 0.6 * len(givens), 1.8 + 0.45 * len(rights))
    figure, axes = pyplot.subplots(figsize=size, layout="constrained")
    axes.imshow(grid, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, right in enumerate(rights):
        for column, given in enumerate(givens):
            color = "w" if grid[row][column] > 0.6 else "k"
            axes.text(column, row, f"{cells[right, given]:,}", ha="center", va="center", fontsize=7, color=color)
    axes.set_xticks(range(len(givens)), givens, rotation=30, fontsize=8, ha="right")
    axes.set_yticks(range(len(rights)), rights, fontsize=8)
    axes.set(xlabel=table.columns[1], ylabel=table.columns[0])
    axes.set_title(table.title, fontsize=9)
    return figure


def _heat_map(table: Table) -> Any:
    """Draw the score of each length and depth, as in needle-in-a-haystack plots: green where it is found."""
    from matplotlib import pyplot

    records = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    score = table.figure
    lengths, depths = (sorted({record[name] for record in records}) for name in ("length", "depth"))
    cells = {(depths.index(r["depth"]), lengths.index(r["length"])): r[score] for r in records}
    grid = [[cells.get((row, column), float("nan")) for column in range(len(lengths))] for row in range(len(depths))]
    size = (2.6 + 0.7 * len(lengths), 1.6 + 0.4 * len(depths))
    figure, axes = pyplot.subplots(figsize=size, layout="constrained")
    shown = axes.imshow(grid, cmap="RdYlGn", vmin=0, vmax=1, aspect="auto")
    for (row, column), value in cells.items():
        axes.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=7)
    axes.set_xticks(range(len(lengths)), [f"{length:,}" for length in lengths], rotation=30, fontsize=8)
    axes.set_yticks(range(len(depths)), [f"{depth:.0%}" for depth in depths], fontsize=8)
    axes.set(xlabel="length", ylabel="depth")
    axes.set_title(table.title, fontsize=9)
    figure.colorbar(shown, label=score)
    return figure


def _known(table: Table) -> list[dict[str, Any]]:
    """Return the rows that have a figure."""
    records = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    return [record for record in records if record[table.figure] is not None]


def _panels(drawn: Sequence[Table], every: Sequence[Table]) -> Any:
    """Draw tables side by side, each as wide as its bars need, with the lines of chance and of baselines."""
    from matplotlib import pyplot

    widths = [BAR_INCHES * max(len(_known(table)), LEAST_BARS) + FRAME_INCHES for table in drawn]
    figure, row = pyplot.subplots(
        1, len(drawn), figsize=(sum(widths), 3.2), layout="constrained", squeeze=False, width_ratios=widths
    )
    overall = next((rows(table) for table in every if table.name == OVERALL), [])
    for axes, table in zip(row[0], drawn, strict=True):
        _bars(axes, table, of_rows(overall, table.figure))
    return figure


def _bars(axes: Any, table: Table, baselines: Sequence[Reference] = ()) -> None:
    """Draw the figure of each row with its value, and an error bar where it has an interval (columns low and high)."""
    score, records = table.figure, _known(table)
    names = [str(record[table.columns[0]]) for record in records]
    heights = [record[score] for record in records]
    errors = None
    if {"low", "high"} <= set(table.columns):
        errors = list(zip(*(_whisker(record[score], record["low"], record["high"]) for record in records), strict=True))
    axes.bar(names, heights, yerr=errors, capsize=3, color=BLUE, ecolor="#333333", width=0.75)
    tips = [max(record[name] or 0 for name in (score, "high") if name in record) for record in records]
    for place, (tip, height) in enumerate(zip(tips, heights, strict=True)):
        text = f"{height:.2f}" if abs(height) < 100 else f"{height:,.0f}"
        above = {"xytext": (0, 2), "textcoords": "offset points", "ha": "center", "va": "bottom"}
        axes.annotate(text, (place, tip), fontsize=7, annotation_clip=False, **above)
    for line in [*([Reference(CHANCE, table.chance)] if table.chance is not None else []), *baselines]:
        axes.axhline(line.figure, color="#666666", linestyle="--", linewidth=1)
        beside = {"xytext": (3, 0), "textcoords": "offset points", "ha": "left", "va": "center"}
        end, name = (1, line.figure), f"{line.name}\n{line.figure:.2f}"
        axes.annotate(name, end, xycoords=("axes fraction", "data"), fontsize=7, color="#444444", **beside)
    top = 1 if max(tips, default=1) <= 1 else None  # a fraction
    middle, half = (len(names) - 1) / 2, max(len(names), LEAST_BARS) / 2 + 0.1
    axes.set(xlabel=table.columns[0], ylabel=score, ylim=(0, top), xlim=(middle - half, middle + half))
    room = int(TITLE_LETTERS * (2 * half * BAR_INCHES + FRAME_INCHES))
    axes.set_title(textwrap.fill(table.title, room), fontsize=9, pad=14)
    axes.tick_params(axis="x", labelrotation=30, labelsize=8)
    _open(axes)


def _open(axes: Any) -> None:
    """Remove the upper and the right side of a frame, which carry no ticks."""
    axes.spines[["top", "right"]].set_visible(False)


def _whisker(score: float, low: float | None, high: float | None) -> tuple[float, float]:
    """Return the lengths of the error bar below and above the score; NaN, which draws nothing, without an interval."""
    if low is None or high is None:
        return float("nan"), float("nan")
    return max(score - low, 0), max(high - score, 0)
