"""What stands for something personal: X, its kind, or a pseudonym that only a key connects with it.

Whatever it is, it is a single word of ``ctxlab.text.units.token_spans``.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable

from ctxlab.core.errors import UserError
from ctxlab.core.privacy import Find

DIGITS = 10
"""Hexadecimal digits of a pseudonym: two of 10,000 values share one with a probability of 5e-5."""

LEAST_KEY = 8
"""Least characters of a key."""

STYLES = ("mask", "tag", "pseudonym")


class Style:
    """Writes replacements."""

    def __init__(self, style: str, key: str | None) -> None:
        """Store the style.

        Args:
            style: ``mask`` keeps the length, so that places in the text stay; ``tag`` writes the kind; ``pseudonym``
                the kind and digits that are equal for equal values.
            key: Key of the pseudonyms; None draws one, so that they are equal within this command alone.

        Raises:
            UserError: The style is not known, or the key is too short to keep anything.
        """
        if style not in STYLES:
            raise UserError(f"privacy.style={style} is not known: use mask, tag or pseudonym.")
        if key is not None and len(key) < LEAST_KEY:
            raise UserError(
                f"privacy.key has {len(key)} characters, and whoever guesses it can undo pseudonyms: give at least "
                f"{LEAST_KEY}, best in the environment variable CTXLAB_PRIVACY_KEY."
            )
        self._key = secrets.token_bytes(32) if key is None else key.encode()
        self._write: Callable[[Find, str], str] = {"mask": _mask, "tag": _tag, "pseudonym": self._pseudonym}[style]

    def replacement(self, find: Find, written: str) -> str:
        """Return what stands for a find that is ``written`` so."""
        return self._write(find, written)

    def name(self, find: Find) -> str:
        """Return the pseudonym of a find, whatever the style."""
        return self._pseudonym(find, "")

    def _pseudonym(self, find: Find, written: str) -> str:
        """Return the kind and the first digits of HMAC-SHA256 (RFC 2104) of kind and value."""
        del written
        digest = hmac.new(self._key, f"{find.kind}\0{find.value}".encode(), hashlib.sha256).hexdigest()
        return f"_{find.kind}_{digest[:DIGITS]}_"


def _mask(find: Find, written: str) -> str:
    del find
    return "X" * len(written)


def _tag(find: Find, written: str) -> str:
    del written
    return f"_{find.kind}_"
