"""From comparisons to a verdict: Holm's method over the comparisons of a check."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from ctxlab.comparison.holm import adjusted
from ctxlab.core.audit import Compared, Rules, Verdict
from ctxlab.core.types import Table

Side = Literal["either", "above", "below"]
"""Which differences are found: any, those above 0 only, or those below 0 only."""

COLUMNS = ("comparison", "figure", "documents", "first", "second", "difference", "low", "high", "p (Holm)", "found")


def judged(compared: Sequence[Compared], rules: Rules, margin: float = 0.0, side: Side = "either") -> list[Compared]:
    """Return the comparisons with adjusted p-values and whether each found something.

    Args:
        compared: The comparisons of one check.
        rules: Level over all of them.
        margin: Differences up to this size do not matter, in units of the figure.
        side: Which differences are found.
    """
    holm = adjusted([one.p_value for one in compared])
    return [
        replace(one, adjusted_p=p, is_found=p <= rules.level and _matters(one.difference, margin, side))
        for one, p in zip(compared, holm, strict=True)
    ]


def _matters(difference: float, margin: float, side: Side) -> bool:
    signed = {"either": abs(difference), "above": difference, "below": -difference}[side]
    return signed > margin


def verdict(compared: Sequence[Compared]) -> Verdict:
    """Return whether any comparison found something."""
    return Verdict.FOUND if any(one.is_found for one in compared) else Verdict.PASS


def table(compared: Sequence[Compared], title: str, note: str = "") -> Table:
    """Return the table of all comparisons."""
    rows = [
        (
            one.name,
            one.figure,
            one.num_documents,
            one.first,
            one.second,
            one.difference,
            one.low,
            one.high,
            one.adjusted_p,
            "yes" if one.is_found else "no",
        )
        for one in compared
    ]
    explained = "low and high: 95 % interval of the difference, for new documents and this one trained model"
    return Table("compared", title, COLUMNS, rows, note="; ".join(filter(None, (explained, note))))


def said(one: Compared) -> str:
    """Return ``accuracy 0.81 against 0.93: −0.12 [−0.20, −0.04]``."""
    ends = "" if one.low is None or one.high is None else f" [{one.low:+.3f}, {one.high:+.3f}]"
    text = f"{one.name}: {one.figure} {one.first:.3f} against {one.second:.3f}, difference {one.difference:+.3f}{ends}"
    return text.replace("-0.", "−0.").replace("-1.", "−1.")


def sentence(compared: Sequence[Compared], nothing: str) -> str:
    """Return what the check found: the comparisons that did, else ``nothing`` and the largest difference."""
    found = [one for one in compared if one.is_found]
    if found:
        more = f" ({len(found) - 3} more below)" if len(found) > 3 else ""
        return "; ".join(map(said, found[:3])) + more + "."
    largest = max(compared, key=lambda one: abs(one.difference))
    return f"{nothing} The largest difference is {said(largest)}."
