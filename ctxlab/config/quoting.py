"""Texts as values of overrides."""

from hydra.core.override_parser.types import Quote, QuotedString


def quoted(text: str) -> str:
    """Quote a text so that Hydra parses it as exactly this string."""
    return QuotedString(text.replace("${", "\\${"), Quote.single).with_quotes()
