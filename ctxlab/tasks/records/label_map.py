"""Labels of another domain's data, read as those of the task (``task.label_map``)."""

from collections.abc import Mapping
from typing import Any

from ctxlab.core.errors import UserError


class LabelMap:
    """Names in the data that stand for other labels of the task; it remembers which of them it met."""

    def __init__(self, names: Mapping[str, Any] | None) -> None:
        """Check and store the names.

        Args:
            names: Name in the data to label of the task; None for none.

        Raises:
            UserError: A label is not a name.
        """
        self._names = {str(name): label for name, label in (names or {}).items()}
        self._met: set[str] = set()
        for name, label in self._names.items():
            if not isinstance(label, str) or not label.strip():
                raise UserError(
                    f"task.label_map has {name}: {label!r}: give a label for each name, such as {{PER: PERSON}}."
                )

    def __call__(self, name: str) -> str:
        """Return the label for a name in the data: the name itself unless it is in the map."""
        if name not in self._names:
            return name
        self._met.add(name)
        label: str = self._names[name]
        return label

    def check(self, known: set[str]) -> None:
        """Check the map once documents have been read.

        Args:
            known: Labels of the task.

        Raises:
            UserError: A label of the map is not one of the task, or a name of it is in no document.
        """
        for name, label in self._names.items():
            if label not in known:
                raise UserError(
                    f"task.label_map has {name}: {label}, and the model does not predict {label}: give one of "
                    f"{', '.join(sorted(known))}."
                )
            if name not in self._met:
                raise UserError(
                    f"task.label_map has {name}, a label that no document has: leave it out, or write it as they do."
                )
