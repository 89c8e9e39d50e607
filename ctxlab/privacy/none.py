"""No protection: documents are read as they are."""

from collections.abc import Sequence

from ctxlab.core.privacy import Find, Privacy


class NoPrivacy(Privacy):
    """Replaces nothing."""

    acts = False

    def find(self, texts: Sequence[str]) -> list[list[Find]]:
        """Return that nothing is personal."""
        return [[] for _ in texts]

    def replacement(self, find: Find, written: str) -> str:
        """Return the text as it is."""
        del find
        return written

    def name(self, find: Find) -> str:
        """Return the value itself."""
        return find.value
