"""The same event on several days, found by retrieval: the documents of a surge beside those of surges before.

The documents of the new event together are the query, and Okapi BM25 ranks by it the documents of an earlier event
among usual ones of that event's group. If the events are not the same, documents of both kinds rank alike, whatever the
topic of the group; the test of Mann and Whitney says when those of the event are too high for that.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import mannwhitneyu

from ctxlab.core.monitoring import Seen, State
from ctxlab.text.bm25 import bm25

MOST_DOCUMENTS = 20
"""Documents of a day, and usual ones of a group, that are kept as terms."""

MOST_TERMS = 200
"""First terms of a document that are kept."""

LEVEL = 0.01
"""Probability that unrelated events are linked, over all earlier events together."""

Terms = Sequence[int]


@dataclass(frozen=True, slots=True)
class Link:
    """An earlier event that a new one is like."""

    alarm: int
    """Its number, from 1."""
    share: float
    """Fraction of the pairs of a document of it and a usual one in which the first one ranks higher."""


class Linker:
    """Remembers terms of documents by group and day, and links events."""

    def __init__(self, days: int) -> None:
        """Set the number of days back in which the same event is looked for; 0 for none."""
        self.days = days

    def remember(self, state: State, seen: Seen) -> None:
        """Take a document, whose day may be that of the last one or a later one.

        Args:
            state: Empty before the first document; plain values.
            seen: The document, with a group and a day.
        """
        if not self.days or seen.day is None:
            return
        today = seen.day.toordinal()
        group = state.setdefault(str(seen.group), {"day": today, "today": [], "alarm": None, "usual": [], "events": []})
        if group["day"] != today:
            _close(group)
            group["day"] = today
        if len(group["today"]) < MOST_DOCUMENTS:
            group["today"].append([int(term) for term in seen.terms[:MOST_TERMS]])

    def link(self, state: State, seen: Seen, number: int) -> Link | None:
        """Return the earlier event that the one of a document is most like, if any, and remember the new one.

        Args:
            state: As ``remember`` left it.
            seen: The document that made the alarm ring.
            number: Number of the alarm, from 1.
        """
        if not self.days or seen.day is None:
            return None
        today = seen.day.toordinal()
        own = state[str(seen.group)]
        own["alarm"] = number
        found: list[tuple[float, Link]] = []
        for group in state.values():
            pending = (
                [[group["day"], group["alarm"], group["today"]]] if group["day"] < today and group["alarm"] else []
            )
            for day, alarm, documents in [*group["events"], *pending]:
                if today - self.days <= day < today and documents and group["usual"]:
                    share, p_value = ranked(own["today"], documents, group["usual"])
                    found.append((p_value, Link(alarm, share)))
        best = min(found, key=lambda pair: pair[0], default=None)
        return best[1] if best is not None and best[0] * len(found) <= LEVEL else None


def _close(group: State) -> None:
    """End the day of a group."""
    if group["alarm"] is None:
        group["usual"] = [*group["usual"], *group["today"]][-MOST_DOCUMENTS:]
    else:
        group["events"] = [*group["events"], [group["day"], group["alarm"], group["today"]]][-MOST_DOCUMENTS:]
    group |= {"today": [], "alarm": None}


def ranked(queries: Sequence[Terms], event: Sequence[Terms], usual: Sequence[Terms]) -> tuple[float, float]:
    """Return the fraction of pairs in which a document of an event ranks above a usual one, and its p-value.

    Args:
        queries: Documents of the new event; a document's score is the mean of those for each of them.
        event: Documents of the earlier one.
        usual: Usual documents of its group.
    """
    documents = [*event, *usual]
    names, ids = np.unique(np.concatenate([np.asarray(one, np.int64) for one in documents]), return_inverse=True)
    place = np.repeat(np.arange(len(documents)), [len(one) for one in documents])
    pairs, counts = np.unique(place * len(names) + ids, return_counts=True)
    asked = sum(np.isin(names, np.asarray(query, np.int64)).astype(np.float64) for query in queries)
    scores = bm25(
        sentence=pairs // len(names),
        term=pairs % len(names),
        count=counts.astype(np.float64),
        sizes=np.asarray([len(one) for one in documents]),
        query=np.asarray(asked) / len(queries),
    )
    found = mannwhitneyu(scores[: len(event)], scores[len(event) :], alternative="greater")
    return float(found.statistic) / (len(event) * len(usual)), float(found.pvalue)


def said(link: Link, subject: str, day: str | None) -> str:
    """Return a link in words.

    Args:
        link: The link.
        subject: Group of the earlier alarm.
        day: Its day.
    """
    return (
        f"the same event as alarm {link.alarm} ('{subject}' on {day}), whose documents rank above usual ones in "
        f"{link.share:.0%} of the pairs"
    )
