"""Outputs of ``ctxlab verify``: a plot of declared and measured reach, and a page."""

from collections.abc import Sequence
from pathlib import Path

from ctxlab.core.files import write_text
from ctxlab.core.types import FloatArray, Table
from ctxlab.reporting import png
from ctxlab.reporting.tables import markdown

Panel = tuple[str, FloatArray, FloatArray]
"""Title of a level, declared reach (L, blocks) 0 or 1, measured log10 change (L, blocks), NaN where there is none."""


def draw_reach(path: Path, title: str, panels: Sequence[Panel]) -> Path:
    """Draw one row per level: declared reach, and measured change."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, rows = pyplot.subplots(
        len(panels), 2, figsize=(9, 4.1 * len(panels)), layout="constrained", squeeze=False, sharex=True, sharey=True
    )
    for axes, (level, declared, measured) in zip(rows, panels, strict=True):
        extent = (0, len(declared), len(declared), 0)
        kwargs = {"extent": extent, "aspect": "auto", "interpolation": "nearest"}
        axes[0].imshow(declared, cmap="Blues", vmin=0, vmax=1.4, **kwargs)
        axes[0].set_title(f"{level}: declared", fontsize=10)
        image = axes[1].imshow(measured, cmap="viridis", **kwargs)
        axes[1].set_title(f"{level}: measured", fontsize=10)
        figure.colorbar(image, ax=axes[1], label="log10 of the relative change")
        axes[0].set_ylabel("token that is influenced")
    for axes in rows[-1]:
        axes.set_xlabel("token that was changed (in blocks)")
    figure.suptitle(title, fontsize=11)
    return png.save(figure, path)


def write_page(path: Path, checks: Table, notes: Sequence[str], pictures: Sequence[Path], config: str) -> None:
    """Write the page: the table of checks, notes, plots and the configuration.

    Args:
        path: File of the page.
        checks: Table of the checks, whose title is that of the page.
        notes: Sentences under the heading Notes.
        pictures: Image files in the folder of the page.
        config: Composed configuration as YAML.
    """
    parts = [f"# {checks.title}", "", markdown(Table(checks.name, "Checks", checks.columns, checks.rows))]
    parts += ["## Notes", "", *(f"- {note}" for note in notes), ""]
    parts += [f"![{picture.stem}]({picture.name})\n" for picture in pictures]
    parts += ["## Configuration", "", "```yaml", config.rstrip(), "```", ""]
    write_text(path, "\n".join(parts))
