"""Folders of options of the user's own, beside ``conf/``, that a command names; what it starts needs them too."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ctxlab.config.quoting import quoted
from ctxlab.core.errors import UserError

SEARCH_PATH = "hydra.searchpath"
"""Key of Hydra that names several."""

PROVIDERS = ("command-line", f"{SEARCH_PATH} in command-line")
"""What Hydra calls the sources that ``--config-dir`` and the key add."""


def folders(sources: Iterable[Any]) -> list[str]:
    """Return the folders of ``hydra.runtime.config_sources`` that the command line named."""
    ours = [one for one in sources if one.get("provider") in PROVIDERS and one.get("schema", "file") == "file"]
    return [str(one.get("path")) for one in ours]


def check(named: Iterable[Any]) -> None:
    """Refuse what the command line names as a folder of options and is none.

    Args:
        named: Folders, as ``--config-dir`` and ``hydra.searchpath`` have them: with or without ``file://``.

    Raises:
        UserError: Names the first that is no folder.
    """
    for one in named:
        scheme, between, path = str(one).rpartition("://")
        if (not between or scheme == "file") and not Path(path).is_dir():
            raise UserError(
                f"There is no folder {path} of options of your own: give the one that has them by group, as in "
                f"--config-dir {path} for {path}/experiment/mine.yaml."
            )


def check_recorded(named: Iterable[str], run: Path) -> None:
    """Refuse to go on with a run whose own options are gone.

    Raises:
        UserError: Names the folder and what to give.
    """
    for one in named:
        if not Path(one).is_dir():
            raise UserError(
                f"{run} was started with the options of {one}, which is no longer there: say where they are now with "
                "--config-dir <folder>."
            )


def words(named: Sequence[str]) -> list[str]:
    """Return the words of a command that name folders: the flag takes only one."""
    if len(named) < 2:
        return [word for one in named for word in ("--config-dir", one)]
    return [search_path(named)]


def search_path(named: Sequence[str]) -> str:
    """Return the override that names folders."""
    return f"{SEARCH_PATH}=[{','.join(quoted(f'file://{one}') for one in named)}]"
