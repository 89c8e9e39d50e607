"""Overrides as Hydra's own parser reads them, and what the front end needs to know of them."""

from collections.abc import Iterable, Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.errors import HydraException

from ctxlab.command.letters import with_quotes
from ctxlab.core.errors import UserError


def parse(words: Iterable[str]) -> list[Override]:
    """Each word as an override.

    Raises:
        UserError: naming the word that is none.
    """
    parser = OverridesParser.create()
    return [_parse(parser, word) for word in words]


def _parse(parser: OverridesParser, word: str) -> Override:
    try:
        return parser.parse_override(word)
    except HydraException as error:
        try:  # in quotes, where it has letters that the grammar does not know
            return parser.parse_override(with_quotes(word))
        except HydraException:
            pass
        if "=" not in word:
            raise UserError(f"'{word}' is not an override: write key=value, or ~key to remove one.") from error
        reason = str(error).splitlines()
        detail = next((line for line in reason if not line.startswith(("Error parsing", "See "))), "it does not parse")
        raise UserError(
            f"'{word}' is not an override that can be read ({detail}): put the value in quotes, as in \"key='value'\"."
        ) from error


def dotted(key: str) -> str:
    """Where the content of a group or key lives: ``strategy/reading`` → ``strategy.reading``."""
    return key.replace("/", ".")


def quoted(text: str) -> str:
    """A value that Hydra reads back as exactly this string."""
    return QuotedString(text.replace("${", "\\${"), Quote.single).with_quotes()


def find(overrides: Sequence[Override], key: str) -> Override | None:
    """The last override of ``key``."""
    return next((override for override in reversed(overrides) if override.key_or_group == key), None)


def plain_text(override: Override) -> str | None:
    """The value where it is one word, number or quoted string; None for sweeps, lists, dictionaries and null."""
    value = None if override.is_sweep_override() else override.value()
    return None if value is None or isinstance(value, (list, dict)) else str(value)
