"""Overrides as parsed by Hydra, and helpers for them."""

import contextlib
import re
from collections.abc import Iterable, Iterator, Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.errors import HydraException

from ctxlab.core.errors import UserError


def parse(words: Iterable[str]) -> list[Override]:
    """Parse each word as an override.

    Raises:
        UserError: names the word that is not an override.
    """
    parser = OverridesParser.create()
    return [_parse(parser, word) for word in words]


def _parse(parser: OverridesParser, word: str) -> Override:
    if "\0" in word:
        raise UserError(f"{word[:60]} contains the character NUL, which no name has: leave it out.")
    try:
        return parser.parse_override(word)
    except HydraException as error:
        for readable in _readable(word):
            with contextlib.suppress(HydraException):
                return parser.parse_override(readable)
        raise _refusal(word, error) from error
    except ValueError as error:  # a number with thousands of digits
        raise UserError(f"{word[:60]}… is not an override that can be read ({error}): give a shorter value.") from None


def _readable(word: str) -> Iterator[str]:
    """Yield the word with quotes where Hydra's grammar, which accepts only ASCII, needs them.

    First around each part of the value with other letters, so that lists and sweeps remain such; then around a whole
    value without quotes and list characters, such as ``notes(1).jsonl`` or ``a=b``.
    """
    key, equals, value = word.partition("=")
    if not equals or not key.isascii() or '"' in value or value.startswith("'"):
        return
    if "'" in value:  # an apostrophe
        yield f"{key}={_in_quotes(value)}"
        return
    parts = re.split(r"([\[\]{},:])", value)
    yield f"{key}={''.join(part if part.isascii() else _in_quotes(part) for part in parts)}"
    if not re.search(r"[\[\]{},]", value):
        yield f"{key}={_in_quotes(value)}"


def _in_quotes(text: str) -> str:
    return QuotedString(text.strip(), Quote.single).with_quotes() if text.strip() else text


def _refusal(word: str, error: HydraException) -> UserError:
    if "=" not in word:
        wide = word.replace("\N{FULLWIDTH EQUALS SIGN}", "=")
        instead = f"write {wide}" if wide != word else "write key=value without blanks, or ~key to remove one"
        return UserError(f"'{word}' is not an override: {instead}.")
    key = word.partition("=")[0].lstrip("+~")
    if not key.isascii():
        raise UserError(f"There is no key {key}: keys are written in ASCII letters, such as data.train_file=….")
    reason = str(error).splitlines()
    detail = next((line for line in reason if not line.startswith(("Error parsing", "See "))), "it does not parse")
    return UserError(
        f"'{word}' is not an override that can be read ({detail}): put the value in quotes, as in \"key='value'\"."
    )


def dotted(key: str) -> str:
    """Return the dotted path of a group or key: ``strategy/reading`` → ``strategy.reading``."""
    return key.replace("/", ".")


def find(overrides: Sequence[Override], key: str) -> Override | None:
    """Return the last override of ``key``."""
    return next((override for override in reversed(overrides) if override.key_or_group == key), None)


def plain_text(override: Override) -> str | None:
    """Return the value of a single word, number or string; None for sweeps, lists, dictionaries and null."""
    value = None if override.is_sweep_override() else override.value()
    return None if value is None or isinstance(value, (list, dict)) else str(value)
