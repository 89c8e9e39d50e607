"""Checks the text of a record: one text, or several that are read as one document."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.tasks.records.fields import check_characters, kind, text_of

SEVERAL = "contexts"
"""Field with a list of texts; each is a string, or ``{title, text}``."""

BETWEEN = "\n\n"
"""Separator of several texts."""

AFTER_TITLE = "\n"


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts as one document."""

    text: str
    starts: list[int]
    """First character of each text, its title included."""
    bodies: list[int]
    """First character of each text after its title."""

    @property
    def fields(self) -> dict[str, Any]:
        """Return the fields of a document that say where texts begin; none where there is one without a title."""
        if len(self.starts) == 1 and self.bodies == self.starts:
            return {}
        titled = {} if self.bodies == self.starts else {"text_bodies": self.bodies}
        return {"text_starts": self.starts, **titled}


def texts_of(record: Mapping[str, Any], field: str, option: str, origin: str, task: str) -> Texts:
    """Return the checked text in ``field``, or those in ``contexts`` joined by blank lines.

    Args:
        record: A raw record.
        field: Field of a single text.
        option: Key that sets ``field``: ``task.context_field``.
        origin: Place of the record, for messages.
        task: Name of the task that reads the record.

    Raises:
        UserError: There is no text, or one is empty or of the wrong type.
    """
    if record.get(SEVERAL) is None:
        return Texts(text_of(record, field, option=option, origin=origin, task=task), [0], [0])
    given = record[SEVERAL]
    if not isinstance(given, list | tuple | np.ndarray):
        raise UserError(f"The field '{SEVERAL}' of {origin} is {kind(given)}: give a list of texts.")
    if not len(given):
        raise UserError(f"The field '{SEVERAL}' of {origin} is an empty list: give at least one text.")
    text, starts, bodies = "", list[int](), list[int]()
    for index, one in enumerate(given):
        title, own = _title_and_text(one, f"{SEVERAL}[{index}]", origin)
        text += BETWEEN if index else ""
        starts.append(len(text))
        text += f"{title}{AFTER_TITLE}" if title else ""
        bodies.append(len(text))
        text += own
    return Texts(text, starts, bodies)


def _title_and_text(one: Any, place: str, origin: str) -> tuple[str, str]:
    """Return the title, which may be empty, and the text of an entry of ``contexts``."""
    if not isinstance(one, Mapping):
        return "", checked_text(one, place, origin, otherwise='give a text, or {"title": …, "text": …}')
    if "text" not in one:
        raise UserError(
            f"'{place}' of {origin} has no field 'text', only {', '.join(map(str, one)) or 'nothing'}: "
            'give {"title": …, "text": …}.'
        )
    title = one.get("title")
    titled = "" if title is None or title == "" else checked_text(title, f"{place}.title", origin).strip()
    return titled, checked_text(one["text"], f"{place}.text", origin)


def checked_text(value: Any, place: str, origin: str, otherwise: str = "give a text") -> str:
    """Return ``value`` if it is a text with words.

    Args:
        value: Value of the field.
        place: Its name.
        origin: Place of the record, for messages.
        otherwise: What to do where it is of another type.

    Raises:
        UserError: It is of another type, blank, or contains half of a surrogate pair.
    """
    if not isinstance(value, str):
        raise UserError(f"The field '{place}' of {origin} is {kind(value)}: {otherwise}.")
    if not value.strip():
        raise UserError(f"The field '{place}' of {origin} is an empty text: give it words, or remove it.")
    check_characters(value, origin)
    return value
