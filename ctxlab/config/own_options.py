"""Folders of options of the user's own, beside ``conf/``, that a command names; what it starts needs them too."""

from collections.abc import Iterable, Sequence
from typing import Any

from ctxlab.config.quoting import quoted

SEARCH_PATH = "hydra.searchpath"
"""Key of Hydra that names several."""

PROVIDERS = ("command-line", f"{SEARCH_PATH} in command-line")
"""What Hydra calls the sources that ``--config-dir`` and the key add."""


def folders(sources: Iterable[Any]) -> list[str]:
    """Return the folders of ``hydra.runtime.config_sources`` that the command line named."""
    ours = [one for one in sources if one.get("provider") in PROVIDERS and one.get("schema", "file") == "file"]
    return [str(one.get("path")) for one in ours]


def words(named: Sequence[str]) -> list[str]:
    """Return the words of a command that name folders: the flag takes only one."""
    if len(named) < 2:
        return [word for one in named for word in ("--config-dir", one)]
    return [search_path(named)]


def search_path(named: Sequence[str]) -> str:
    """Return the override that names folders."""
    return f"{SEARCH_PATH}=[{','.join(quoted(f'file://{one}') for one in named)}]"
