"""ctxlab from Python: ``ctxlab.load(run)`` loads a trained run, ``ctxlab.results(folder)`` returns the results of all
runs.

Heavy libraries are imported only when they are needed, because the command line imports this package too.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ctxlab.api import LoadedRun, Recorded

__version__: str


def load(run: str | Path, *overrides: str, checkpoint: str = "best") -> "LoadedRun":
    """Load a finished training run with its model; see ``ctxlab.api.LoadedRun``.

    Args:
        run: Directory of the run.
        overrides: As on the command line, such as ``"context=8192"`` or ``"trainer.device=cpu"``.
        checkpoint: ``best`` or ``latest``.

    Raises:
        UserError: The directory has no valid checkpoint, or an override does not fit it.
    """
    from ctxlab.api import load_run

    return load_run(Path(run), overrides, checkpoint)


def results(folder: str | Path = "outputs") -> "list[Recorded]":
    """Return every finished run below ``folder`` with its typed result, in the order of their directories.

    A ``result.json`` that is damaged is named in a warning and left out.
    """
    from ctxlab.api import find_results

    return find_results(Path(folder))


def __getattr__(name: str) -> Any:
    """Return ``__version__``, which is looked up when it is first needed."""
    if name == "__version__":
        from importlib.metadata import version

        return version("ctxlab")
    raise AttributeError(f"module 'ctxlab' has no attribute '{name}'")
