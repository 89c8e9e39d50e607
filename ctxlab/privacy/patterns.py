"""Personal data that has a form: e-mail, cards, bank accounts, telephone and security numbers, IP addresses."""

from collections.abc import Sequence

from ctxlab.core.privacy import Find, Privacy
from ctxlab.privacy.finding.known import checked_kinds, found
from ctxlab.privacy.replacing.styles import Style


class Patterns(Privacy):
    """Finds what has a form, with its check digits where it has some, in the whole document before anything reads it.

    It takes time in proportion to the text, whatever the text is. Names of people and places have no form:
    ``privacy=model`` finds them.
    """

    def __init__(self, style: str, kinds: Sequence[str] | None = None, key: str | None = None) -> None:
        """Store the options.

        Args:
            style: ``mask``, ``tag`` or ``pseudonym``.
            kinds: Kinds that are found; None for all.
            key: Key of the pseudonyms; None draws one for this command alone.

        Raises:
            UserError: One of them is not known.
        """
        self._kinds = checked_kinds(kinds)
        self._style = Style(style, key)

    def find(self, texts: Sequence[str]) -> list[list[Find]]:
        """Return what has one of the forms in each text."""
        return [found(text, self._kinds) for text in texts]

    def replacement(self, find: Find, written: str) -> str:
        """Return what stands for a find that is ``written`` so."""
        return self._style.replacement(find, written)

    def name(self, find: Find) -> str:
        """Return the pseudonym of a find."""
        return self._style.name(find)
