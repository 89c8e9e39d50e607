"""Checks of paths before anything is read from them or written to them."""

import difflib
from pathlib import Path

from ctxlab.core.errors import UserError

NO_PLACE = ("://", "*", "${")
"""Signs of an address or a pattern, which need not exist as a path."""


def check_there(key: str, text: str) -> None:
    """Refuse a file or folder that does not exist.

    Args:
        key: The key that names it, for the message.
        text: The path as the user wrote it; ``~`` is the home folder.

    Raises:
        UserError: names the key, the path and the nearest existing one.
    """
    if not text.strip():
        raise UserError(f"{key}= is empty: give a path, or leave the key out.")
    path = Path(text).expanduser()
    if not path.exists() and not any(sign in text for sign in NO_PLACE):
        raise UserError(f"{key}={text} does not exist{_instead(path)}.")


def _instead(path: Path) -> str:
    folder = path.parent
    while not folder.is_dir():
        folder = folder.parent
    if folder != path.parent:
        return f", and neither does its folder: the path exists only as far as {folder.absolute()}"
    close = difflib.get_close_matches(path.name, [entry.name for entry in folder.iterdir()], n=1, cutoff=0.4)
    if close:
        return f": the nearest name there is {folder / close[0]}"
    return f": give an existing path, {folder.absolute()} has no similar name"


def check_output(text: str, *, overwrite: bool) -> Path:
    """Return the path of ``output=`` after checking that a file may be written there.

    Raises:
        UserError: The file exists already, or its folder does not.
    """
    output = Path(text)
    if output.exists() and not overwrite:
        raise UserError(f"output={output} exists; choose another name or add overwrite=true.")
    if not output.parent.is_dir():
        raise UserError(f"output={output}: the folder {output.parent} does not exist; make it first.")
    return output
