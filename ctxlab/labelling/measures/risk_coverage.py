"""Risk–coverage curve: the error among the most confident suggestions, at each share of them."""

import math
from collections.abc import Sequence

from ctxlab.core.labelling import Judged
from ctxlab.core.types import Table

SHARES = tuple(tenth / 10 for tenth in range(1, 11))


def curve(judged: Sequence[Judged], unit: str) -> Table:
    """Return the error among the accepted at each tenth, the most confident first.

    The risk–coverage curve of Geifman & El-Yaniv 2017 (arXiv:1705.08500); its note has the area under it, the mean
    error over all shares. Among equal confidences the order is that of the documents.

    Args:
        judged: Suggestions with their confidence, and whether they are right.
        unit: What they are, in the plural.
    """
    errors = running_errors(judged)
    confidences = sorted((one.confidence for one in judged), reverse=True)
    rows = []
    for share in SHARES if judged else ():
        count = math.ceil(share * len(judged) - 1e-9)
        rows.append((share, count, confidences[count - 1], errors[count - 1]))
    area = f"Area under the curve {sum(errors) / len(errors):.3f}; lower is better." if errors else ""
    return Table(
        "risk_coverage",
        f"Error among the accepted {unit}, the most confident first",
        ("share", "accepted", "confidence", "error"),
        rows,
        note=area,
    )


def running_errors(judged: Sequence[Judged]) -> list[float]:
    """Return the share of wrong ones among the k most confident, for each k from 1 on."""
    found, wrong = [], 0
    for count, one in enumerate(sorted(judged, key=lambda one: -one.confidence), 1):
        wrong += not one.right
        found.append(wrong / count)
    return found
