"""Invented streams: figures and labels of documents, and counts of groups by day, with or without a change."""

from datetime import date, timedelta

import numpy as np

from ctxlab.core.monitoring import CONFIDENCE, LENGTH, UNKNOWN, Reference, Seen

LABELS = ("bad", "good", "mixed")


def documents(random, count, shift=0.0, shares=(0.5, 0.3, 0.2), first=1):
    """Documents whose lengths are log-normal, confidences beta and unknown shares mostly zero; ``shift`` in sd."""
    for number in range(first, first + count):
        figures = {
            LENGTH: float(np.round(np.exp(5 + 0.6 * (random.normal() + shift)))),
            UNKNOWN: float(random.binomial(200, 0.002) / 200),
            CONFIDENCE: float(random.beta(8, 2)),
        }
        yield Seen(str(number), number, figures, label=str(random.choice(LABELS, p=shares)))


def reference(random, count=200):
    seen = list(documents(random, count))
    figures = {name: sorted(one.figures[name] for one in seen) for name in seen[0].figures}
    labels = {name: sum(one.label == name for one in seen) for name in LABELS}
    return Reference("classification", count, figures, labels)


def days(random, rates, count, surge=None, first=date(2026, 1, 1)):
    """Documents of groups by day, with Poisson counts; ``surge`` is a group, the day it begins, and a factor."""
    number = 0
    for offset in range(count):
        for group, rate in rates.items():
            here = rate * (surge[2] if surge and group == surge[0] and offset >= surge[1] else 1)
            for _ in range(random.poisson(here)):
                number += 1
                yield Seen(f"d{number}", number, {LENGTH: 10.0}, group=group, day=first + timedelta(days=offset))


def rings(detector, seen, reference=None, state=None):
    state = {} if state is None else state
    return [alarm for one in seen for alarm in detector.step(state, one, reference)]
