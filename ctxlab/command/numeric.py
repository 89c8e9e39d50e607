"""Numbers as options of a group, such as ``context=4096``, which Hydra by itself refuses.

A number with a preset is quoted; any other becomes a value of the key that the preset would set. In a sweep that mixes
both, all become values. Presets of such groups contain only that key.
"""

from collections.abc import Iterable
from typing import Any

from hydra.core.override_parser.types import ChoiceSweep, Glob, Override, QuotedString, RangeSweep

from ctxlab.config import catalogue
from ctxlab.config.limits import MIN_CONTEXT
from ctxlab.config.nearest import nearest
from ctxlab.core.errors import UserError

KEYS = {"context": ("length", MIN_CONTEXT)}
"""Groups whose options are values of one key → that key and its minimum."""


def rewrite(override: Override) -> str:
    """Return the override as Hydra accepts it; overrides of other groups, or with a prefix, are unchanged."""
    line = str(override.input_line)
    group = override.key_or_group
    if line.startswith(("+", "~")) or override.package is not None or not _is_numeric(group):
        return line
    values = _values(override)
    if values is None:
        return line
    presets = catalogue.options(group)
    texts = [_number(group, value, presets) for value in values]
    if all(text in presets for text in texts):
        return f"{group}={_sweep(override, [repr(text) for text in texts])}"
    if group not in KEYS:
        return line
    return f"{group}.{KEYS[group][0]}={_sweep(override, texts)}"


def _is_numeric(group: str) -> bool:
    return "." not in group and any(option.isdecimal() for option in catalogue.options(group))


def _values(override: Override) -> list[Any] | None:
    """Return every value of the override; None if its values are not options."""
    content: Any = override._value
    if isinstance(content, Glob):
        texts = Glob([str(pattern) for pattern in content.include], [str(pattern) for pattern in content.exclude])
        names = texts.filter(catalogue.options(override.key_or_group))
        if not names:
            raise UserError(
                f"{override.input_line} matches nothing; "
                f"choices: {', '.join(catalogue.options(override.key_or_group))}."
            )
        return list(names)
    if isinstance(content, ChoiceSweep):
        return list(content.list)
    if isinstance(content, RangeSweep):
        return list(content.range())
    if override.is_sweep_override() or isinstance(content, dict):
        return None
    return [content]


def _number(group: str, value: Any, presets: list[str]) -> str:
    text = value.text if isinstance(value, QuotedString) else str(value)
    if text in presets:
        return text
    if group not in KEYS:
        return text
    least = KEYS[group][1]
    if isinstance(value, float) and value.is_integer():
        text = str(int(value))
    if not text.isdecimal() or not text.isascii():
        guess = nearest(text, presets)
        hint = f"did you mean {guess}? Give" if guess else "give"
        raise UserError(
            f"{group}={text} is not a number of tokens; {hint} {', '.join(presets)} "
            f"or any other whole number of at least {least}."
        )
    if int(text) < least:
        raise UserError(f"{group}={text} is too small: give a whole number of at least {least} tokens.")
    return str(int(text))


def _sweep(override: Override, texts: Iterable[str]) -> str:
    joined = ",".join(texts)
    shuffled = getattr(override._value, "shuffle", False)
    return f"shuffle({joined})" if shuffled else joined
