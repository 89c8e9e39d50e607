"""All kinds of personal data with a form, and what is found of them in a text."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from ctxlab.core.errors import UserError
from ctxlab.core.privacy import Find
from ctxlab.privacy.finding.addresses import addresses
from ctxlab.privacy.finding.emails import emails
from ctxlab.privacy.finding.numbers import cards, ibans, security_numbers
from ctxlab.privacy.finding.phones import phones

KINDS: dict[str, Callable[[str], Iterator[Find]]] = {
    "email": emails,
    "iban": ibans,
    "card": cards,
    "ssn": security_numbers,
    "ip": addresses,
    "phone": phones,
}
"""What finds each kind, in the order in which a stretch of text is one rather than another."""


def found(text: str, kinds: Sequence[str]) -> list[Find]:
    """Return the finds of a text in order; where two overlap, that of the kind that is named first in ``KINDS``."""
    return without_overlaps(find for kind in KINDS if kind in kinds for find in KINDS[kind](text))


def without_overlaps(finds: Iterable[Find]) -> list[Find]:
    """Return finds in order of their places; where some overlap, the one that was given first, as long as all of them.

    Nothing that was found stays readable: what sticks out of a find that is dropped is added to the one that is kept.
    """
    ranked = sorted(enumerate(finds), key=lambda pair: (pair[1].start, pair[0]))
    kept: list[tuple[int, Find]] = []
    for rank, find in ranked:
        if not kept or find.start >= kept[-1][1].end:
            kept.append((rank, find))
            continue
        first, other = min(kept[-1], (rank, find))
        end = max(kept[-1][1].end, find.end)
        kept[-1] = (first, Find(kept[-1][1].start, end, other.kind, other.value))
    return [find for _, find in kept]


def checked_kinds(kinds: Sequence[str] | None) -> tuple[str, ...]:
    """Return the kinds that are found; raises UserError where one is not known."""
    given = tuple(KINDS) if kinds is None else tuple(str(kind).lower() for kind in kinds)
    for kind in given:
        if kind not in KINDS:
            raise UserError(f"privacy.kinds has '{kind}', which is none of {', '.join(KINDS)}.")
    return given
