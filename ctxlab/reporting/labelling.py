"""Outputs of ``ctxlab label``: a page, and a plot of the risk–coverage curve."""

from collections.abc import Sequence
from pathlib import Path

from ctxlab.core.files import write_text
from ctxlab.core.types import Table
from ctxlab.reporting import png
from ctxlab.reporting.plots import BLUE
from ctxlab.reporting.tables import markdown


def draw_curve(path: Path, curve: Table) -> Path:
    """Draw the error at each share of accepted suggestions."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    share, error = (curve.columns.index(name) for name in ("share", "error"))
    figure, axes = pyplot.subplots(figsize=(5, 3.2), layout="constrained")
    axes.plot([row[share] for row in curve.rows], [row[error] for row in curve.rows], "o-", color=BLUE)
    axes.set(
        xlabel="share accepted, the most confident first", ylabel="error among them", xlim=(0, 1.02), ylim=(0, None)
    )
    axes.spines[["top", "right"]].set_visible(False)
    return png.save(figure, path)


def write_page(
    path: Path, title: str, tables: Sequence[Table], *, notes: Sequence[str], pictures: Sequence[Path], config: str
) -> None:
    """Write the page.

    Args:
        path: File of the page.
        title: Its title.
        tables: Tables in order.
        notes: Sentences under the heading Notes.
        pictures: Image files in the folder of the page.
        config: Composed configuration as YAML.
    """
    parts = [f"# {title}", "", *(markdown(table) for table in tables)]
    parts += ["## Notes", "", *(f"- {note}" for note in notes), ""]
    parts += [f"![{picture.stem}]({picture.name})\n" for picture in pictures]
    parts += ["## Configuration", "", "```yaml", config.rstrip(), "```", ""]
    write_text(path, "\n".join(parts))
