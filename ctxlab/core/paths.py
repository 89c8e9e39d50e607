"""What can be said about a path before anything is read from it or written to it."""

import difflib
from pathlib import Path

from ctxlab.core.errors import UserError

NO_PLACE = ("://", "*", "${")
"""Signs of an address or a pattern, which need not be there as written."""


def check_there(key: str, text: str) -> None:
    """Refuse a file or folder that is not there.

    Args:
        key: The key that names it, for the message.
        text: The path as the user wrote it; ``~`` is the home folder.

    Raises:
        UserError: naming the key, the path and what is there instead.
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
    return f": give a path that does, {folder.absolute()} has nothing like it"


def check_output(text: str, *, overwrite: bool) -> Path:
    """The path of ``output=``, where a file may be written.

    Raises:
        UserError: A file is there already, or the folder is not.
    """
    output = Path(text)
    if output.exists() and not overwrite:
        raise UserError(f"output={output} exists; choose another name or add overwrite=true.")
    if not output.parent.is_dir():
        raise UserError(f"output={output}: the folder {output.parent} does not exist; make it first.")
    return output
