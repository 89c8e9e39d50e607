"""Plain data from a file, read field by field with a type check of each."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ctxlab.core.errors import UserError

_REQUIRED: Any = object()


class Fields:
    """A mapping from a file. A missing or null field takes the default; without a default it is an error."""

    def __init__(self, data: Any, origin: str, what: str) -> None:
        """Wrap the data of a file.

        Args:
            data: Parsed content, which should be a mapping.
            origin: Where it comes from, for messages.
            what: What the file should be, for messages.

        Raises:
            UserError: ``data`` is not a mapping.
        """
        self._origin, self._what = origin, what
        if not isinstance(data, Mapping):
            raise self._refusal(f"it contains {type(data).__name__} instead of named fields")
        self._data = data

    def __contains__(self, name: str) -> bool:
        return self._data.get(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def text(self, name: str, default: Any = _REQUIRED) -> Any:
        """Return a text field."""
        return self._take(name, str, default)

    def integer(self, name: str, default: Any = _REQUIRED) -> Any:
        """Return an integer field."""
        return self._take(name, int, default)

    def flag(self, name: str, default: Any = _REQUIRED) -> Any:
        """Return a boolean field."""
        return self._take(name, bool, default)

    def sequence(self, name: str, default: Any = _REQUIRED) -> Any:
        """Return a list field."""
        return self._take(name, Sequence, default)

    def mapping(self, name: str, default: Any = _REQUIRED) -> Any:
        """Return a mapping field, its content unchecked."""
        return self._take(name, Mapping, default)

    def part(self, name: str, default: Any = _REQUIRED) -> "Fields":
        """Return a mapping field as ``Fields``, so that its own fields are checked too."""
        return Fields(self._take(name, Mapping, default), f"{self._origin} ({name})", self._what)

    def numbers(self, *names: str) -> dict[str, Any]:
        """Return the named fields, or all that are not null, as numbers."""
        chosen = names or [name for name in self if name in self]
        return {name: self._take(name, (int, float), _REQUIRED) for name in chosen}

    def _take(self, name: str, kind: Any, default: Any) -> Any:
        value = self._data.get(name)
        if value is None:
            if default is _REQUIRED:
                raise self._refusal(f"it has no {name}")
            return default
        is_wrong_flag = isinstance(value, bool) and kind is not bool
        is_wrong_text = isinstance(value, str) and kind is not str
        if is_wrong_flag or is_wrong_text or not isinstance(value, kind):
            raise self._refusal(f"{name} is {value!r}")
        return value

    def _refusal(self, why: str) -> UserError:
        return UserError(f"{self._origin} cannot be read as {self._what}: {why}.")
