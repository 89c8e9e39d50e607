"""The picture of a matrix of scores."""

from pathlib import Path

from ctxlab.core.types import Table
from ctxlab.reporting import png


def draw_matrix(path: Path, table: Table) -> Path:
    """Draw a table of scores as a heat map, a cell for each; returns ``path``.

    Args:
        path: File of the picture.
        table: Its first column has the names of the rows; all others have numbers.
    """
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    names, columns = [row[0] for row in table.rows], list(table.columns)[1:]
    grid = [[float(value) for value in row[1:]] for row in table.rows]
    top = max([1.0, *(value for row in grid for value in row)])
    size = (2.6 + 0.9 * len(columns), 1.8 + 0.45 * len(names))
    figure, axes = pyplot.subplots(figsize=size, layout="constrained")
    axes.imshow(grid, cmap="Blues", vmin=0, vmax=top, aspect="auto")
    for row, values in enumerate(grid):
        for column, value in enumerate(values):
            dark = value > 0.6 * top
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=8, color="w" if dark else "k")
    axes.set_xticks(range(len(columns)), columns, rotation=30, fontsize=8)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_title(table.title, fontsize=9, wrap=True)
    return png.save(figure, path)
