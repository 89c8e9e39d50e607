"""Pictures in tests: none by default, as they take nearly half of a small run."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII=")
"""A picture of one pixel."""


@contextmanager
def none() -> Iterator[None]:
    """Runs and verifications in this context have no pictures."""
    from ctxlab.stages import verify
    from ctxlab.workbench import finish

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finish, "draw", lambda *_: [])
        patch.setattr(verify, "draw_reach", lambda path, *_: path)
        yield


@contextmanager
def drawn() -> Iterator[None]:
    """Runs and verifications in this context draw their pictures."""
    from ctxlab.reporting import plots, verification
    from ctxlab.stages import verify
    from ctxlab.workbench import finish

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finish, "draw", plots.draw)
        patch.setattr(verify, "draw_reach", verification.draw_reach)
        yield


@contextmanager
def composed() -> Iterator[None]:
    """Runs in this context compose all pictures, and save one pixel of each."""
    from matplotlib import pyplot

    from ctxlab.reporting import png

    def save(figure: Any, path: Path) -> Path:
        pyplot.close(figure)
        path.write_bytes(PIXEL)
        return path

    with drawn(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(png, "save", save)
        yield
