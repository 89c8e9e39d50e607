"""Keys that hold other keys, which take no value of their own."""

from collections.abc import Collection
from typing import Any

from ctxlab.core.errors import UserError

FILES_TOO = ("sweep.space",)
"""Keys that hold keys, and take the file with these keys as well."""

SHOWN = 6
"""Most keys that are listed."""


def check_value(key: str, written: str, value: Any, known: Collection[str]) -> None:
    """Refuse a value for a key that holds keys, unless it is a mapping of these or an interpolation of one.

    Args:
        key: Full name.
        written: The override as the user wrote it.
        value: Its parsed value.
        known: Full names of all keys.

    Raises:
        UserError: Names the keys that it holds.
    """
    held = list(dict.fromkeys(one[len(key) + 1 :].split(".")[0] for one in known if one.startswith(f"{key}.")))
    if not held or key in FILES_TOO or isinstance(value, dict) or str(value).startswith("${"):
        return
    names = ", ".join(held[:SHOWN]) + (f" and {len(held) - SHOWN} more" if len(held) > SHOWN else "")
    raise UserError(f"{written}: {key} holds the keys {names}; write {key}.{held[0]}=… instead.")
