"""Boxes in pixels as parts of a page."""

from collections.abc import Sequence

from ctxlab.core.numbers import LARGEST


def scaled(
    boxes: Sequence[Sequence[float]], width: float | None = None, height: float | None = None, page: int = 0
) -> list[list[int]]:
    """Return left, top, right, bottom from 0 to 1000 and page of boxes in pixels.

    Args:
        boxes: Left, top, right, bottom of each.
        width: Of the page; None for the right edge of the rightmost box.
        height: Of the page; None for the lower edge of the lowest box.
        page: Number of the page, from 0.
    """
    width = max((box[2] for box in boxes), default=1) if width is None else width
    height = max((box[3] for box in boxes), default=1) if height is None else height
    sizes = (width, height, width, height)
    return [
        [*(min(round(side * LARGEST / max(size, 1)), LARGEST) for side, size in zip(box, sizes, strict=True)), page]
        for box in boxes
    ]
