"""Plain data out of a file, taken field by field with a check of each type."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ctxlab.core.errors import UserError

_REQUIRED: Any = object()


class Fields:
    """A mapping out of a file. What is missing or null is the default; without a default it is refused."""

    def __init__(self, data: Any, origin: str, what: str) -> None:
        """Take the data.

        Args:
            data: That should be a mapping.
            origin: Where it comes from, for messages.
            what: What the file should be, for messages.

        Raises:
            UserError: It is no mapping.
        """
        self._origin, self._what = origin, what
        if not isinstance(data, Mapping):
            raise self._refusal(f"it holds {type(data).__name__} where named fields belong")
        self._data = data

    def __contains__(self, name: str) -> bool:
        return self._data.get(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def text(self, name: str, default: Any = _REQUIRED) -> Any:
        """A text."""
        return self._take(name, str, default)

    def integer(self, name: str, default: Any = _REQUIRED) -> Any:
        """A whole number."""
        return self._take(name, int, default)

    def flag(self, name: str, default: Any = _REQUIRED) -> Any:
        """True or false."""
        return self._take(name, bool, default)

    def sequence(self, name: str, default: Any = _REQUIRED) -> Any:
        """A list."""
        return self._take(name, Sequence, default)

    def mapping(self, name: str, default: Any = _REQUIRED) -> Any:
        """A mapping, as it is."""
        return self._take(name, Mapping, default)

    def part(self, name: str, default: Any = _REQUIRED) -> "Fields":
        """A mapping whose fields are checked in turn."""
        return Fields(self._take(name, Mapping, default), f"{self._origin} ({name})", self._what)

    def numbers(self, *names: str) -> dict[str, Any]:
        """The fields of these names, or all that are not null, as numbers."""
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
