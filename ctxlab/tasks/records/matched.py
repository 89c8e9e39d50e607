"""Relations between entities that were found, compared with gold ones: both ends must be found."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ctxlab.tasks.records.mentions import Fact


def matched(found: Sequence[Mapping[str, Any]], gold: Sequence[Mapping[str, Any]]) -> list[int | None]:
    """Return for each found entity the gold entity with which it shares most mentions; None where it shares none.

    A mention is shared if both have the same words of the document, whatever the types. Of gold entities that share as
    many, the first counts.
    """
    owners: dict[tuple[int, int], list[int]] = {}
    for index, entity in enumerate(gold):
        for start, end in entity["mentions"]:
            owners.setdefault((start, end), []).append(index)
    shared = [
        Counter(owner for start, end in one["mentions"] for owner in owners.get((start, end), ())) for one in found
    ]
    return [min(own, key=lambda index: (-own[index], index)) if own else None for own in shared]


def end_to_end(predicted: Sequence[Fact], owners: Sequence[int | None], gold: Sequence[Fact]) -> tuple[int, int, int]:
    """Return the numbers of right, predicted and gold relations.

    A relation is right if both of its entities match those of a gold relation with its label. Those between the same
    gold entities with one label count once; one with an entity that matches none is wrong.

    Args:
        predicted: Relations between found entities.
        owners: Gold entity of each found one (``matched``).
        gold: Gold relations.
    """
    ends = [(owners[head], owners[tail], label, head, tail) for head, tail, label in predicted]
    known = {(head, tail, label) for head, tail, label, *_ in ends if head is not None and tail is not None}
    unknown = sum(head is None or tail is None for head, tail, *_ in ends)
    return len(known & set(gold)), len(known) + unknown, len(gold)
