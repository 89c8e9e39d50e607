"""The population stability index of every so many documents."""

import numpy as np

from ctxlab.core.monitoring import Reference, State
from ctxlab.monitoring.charts.stability import limit_for, stability
from ctxlab.monitoring.charts.usual import LABEL, counts, edges
from ctxlab.monitoring.charts.windows import Windows, compared


class Psi(Windows):
    """The index of figures in bins, and of predicted labels, between the reference and the last documents.

    Source: Siddiqi 2006, Credit Risk Scorecards. Deviation: the customary limits of 0.1 and 0.25 know neither how many
    documents are compared nor in how many bins; the limit here is the quantile of the index that chance gives to that
    many documents in these bins, so that the rate of false alarms is that which is asked for.
    """

    def __init__(self, window: int, documents_per_false_alarm: float, bins: int) -> None:
        """Store the options.

        Args:
            window: Documents that are compared with the reference at a time.
            documents_per_false_alarm: Mean number of documents between alarms where nothing has changed.
            bins: Bins of a figure, of about as many usual documents each.
        """
        super().__init__(window, documents_per_false_alarm)
        self._bins = max(bins, 2)

    def compare(self, values: State, reference: Reference, probability: float) -> list[tuple[str, float, float, str]]:
        """Compare shares in bins."""
        pairs = {}
        for name in compared(values, reference):
            borders = edges(reference.figures[name], self._bins)
            pairs[name] = counts(reference.figures[name], borders), counts(values[name], borders)
        if reference.labels:
            names = sorted({*reference.labels, *filter(None, values[LABEL])})
            usual = np.array([reference.labels.get(name, 0) for name in names], np.float64)
            pairs[LABEL] = usual, np.array([values[LABEL].count(name) for name in names], np.float64)
        found = []
        for name, (usual, recent) in pairs.items():
            value = float(stability(usual, recent))
            limit = limit_for(tuple(usual), int(recent.sum()), probability / len(pairs))
            if value > limit:
                found.append((name, value, limit, f"{name}: the stability index is {value:.2f}"))
        return found
