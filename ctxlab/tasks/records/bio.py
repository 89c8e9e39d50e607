"""BIO tags: ``B-X`` begins an entity of type X, ``I-X`` continues it, ``O`` is outside."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

OUTSIDE = "O"

SCHEMES = {
    "BIOES": frozenset("ES"), "BMES": frozenset("MES"), "BILOU": frozenset("LU"), "BMEWO": frozenset("MEW"),
}  # fmt: skip
"""Prefixes of other schemes besides ``B`` and ``I``, by the scheme's name."""


_UNDERSCORED = re.compile(r"[BIESLUMW]_.")


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """An entity: words ``start`` to ``end``, the latter not included."""

    start: int
    end: int
    type: str


def is_tag(tag: str) -> bool:
    """Whether ``tag`` is ``O``, ``B-X`` or ``I-X`` with some X."""
    return tag == OUTSIDE or (tag[:2] in ("B-", "I-") and len(tag) > 2)


def from_scheme(tags: Sequence[str]) -> tuple[list[str], str]:
    """Return the tags in BIO, and the scheme that they were in; "" where they are BIO already, or not valid tags.

    BMES (or BMEWO, of Chinese corpora), BIOES and BILOU also mark the last word of an entity and the only one.
    """
    if any(_UNDERSCORED.match(tag) for tag in tags) and all(tag == OUTSIDE or _UNDERSCORED.match(tag) for tag in tags):
        tags = [tag.replace("_", "-", 1) for tag in tags]
        return found if (found := from_scheme(tags))[1] else (tags, "BIO with underscores")
    prefixes = {tag[0] for tag in tags if tag[1:2] == "-"}
    scheme = next((name for name, own in SCHEMES.items() if prefixes & own and prefixes <= own | {"B", "I"}), "")
    if not scheme or not all(tag == OUTSIDE or len(tag) > 2 for tag in tags):
        return list(tags), ""
    converted, open_type = [], ""
    for tag in tags:
        prefix, name = tag[0], tag[2:]
        if tag == OUTSIDE:
            converted.append(tag)
            open_type = ""
            continue
        continues = prefix in "IMEL" and open_type == name
        converted.append(f"{'I' if continues else 'B'}-{name}")
        open_type = "" if prefix in "ELSUW" else name
    return converted, scheme


def repair(tags: Sequence[str], sentence_starts: Collection[int] = ()) -> tuple[list[str], int]:
    """Return valid tags, and how many were changed: ``I-X`` that continues no X becomes ``B-X``.

    This is how the ``conlleval`` script of the CoNLL shared tasks reads such tags. Where any entity begins with ``I-``
    (IOB1, as in CoNLL 2003), a sentence boundary also ends an entity; in IOB2 ``I-X`` after the boundary continues X,
    as a sentence splitter may have split a name.

    Args:
        tags: Tags of the words of one document.
        sentence_starts: Indices of the first words of its sentences.
    """
    ends = frozenset(sentence_starts) if _begins_inside(tags) else frozenset()
    repaired, changed, before = [], 0, OUTSIDE
    for index, tag in enumerate(tags):
        before = OUTSIDE if index in ends else before
        if tag[0] == "I" and (before == OUTSIDE or before[2:] != tag[2:]):
            tag, changed = f"B-{tag[2:]}", changed + 1
        repaired.append(tag)
        before = tag
    return repaired, changed


def _begins_inside(tags: Sequence[str]) -> bool:
    """Whether any entity begins with ``I-``."""
    return any(
        tag[0] == "I" and (before == OUTSIDE or before[2:] != tag[2:])
        for before, tag in zip([OUTSIDE, *tags], tags, strict=False)
    )


def spans(tags: Sequence[str]) -> list[Span]:
    """Return the entities of valid tags, in order."""
    found: list[Span] = []
    start: int | None = None
    for index, tag in enumerate([*tags, OUTSIDE]):
        if tag[0] != "I":
            if start is not None:
                found.append(Span(start, index, tags[start][2:]))
            start = index if tag[0] == "B" else None
    return found


def entity_types(tags: Collection[str]) -> set[str]:
    """Return the types that occur in ``tags``."""
    return {tag[2:] for tag in set(tags) if tag != OUTSIDE}


def tag_set(types: Sequence[str]) -> list[str]:
    """Return the tags for the entity types: ``O``, then ``B-X`` and ``I-X`` for each X in alphabetical order."""
    return [OUTSIDE, *(f"{prefix}-{name}" for name in sorted(types) for prefix in "BI")]
