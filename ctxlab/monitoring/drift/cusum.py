"""Cumulative sums: document by document, the quickest way to see that a mean has moved and stays so."""

from math import sqrt

from ctxlab.core.errors import UserError
from ctxlab.core.monitoring import Alarm, Detector, Reference, Seen, State
from ctxlab.monitoring.charts.run_length import limit_for
from ctxlab.monitoring.charts.usual import scores

SIDES = {"up": 1.0, "down": -1.0}

ERRORS = 2.0
"""Standard errors of the reference's mean that are added to the slack: a small reference may itself be off."""


class Cusum(Detector):
    """One chart upwards and one downwards of every figure of documents, on normal scores against the reference.

    Source: Page 1954 (Biometrika 41), limits by Siegmund 1985. Deviations: values are normal scores, so that any
    distribution of a figure does; the slack grows by two standard errors of the reference's mean, or a small reference
    would ring more often than stated. After an alarm a chart begins anew once it is back at zero, so that one shift
    rings once.
    """

    def __init__(self, slack: float, documents_per_false_alarm: float) -> None:
        """Store the options.

        Args:
            slack: Half the shift that is found most quickly, in standard deviations.
            documents_per_false_alarm: Mean number of documents between alarms, of all charts together, where nothing
                has changed.

        Raises:
            UserError: One of them is not above 0.
        """
        if slack <= 0 or documents_per_false_alarm < 1:
            raise UserError(
                f"drift.slack={slack:g} and drift.documents_per_false_alarm={documents_per_false_alarm:g}: give a "
                "slack above 0, such as 0.5, and at least 1 document."
            )
        self._slack, self._documents = slack, documents_per_false_alarm

    @property
    def promise(self) -> str:
        """Return how often it rings without a reason."""
        return f"Where nothing changes, drift=cusum rings once in {self._documents:,.0f} documents on average."

    def step(self, state: State, seen: Seen, reference: Reference | None) -> list[Alarm]:
        """Add the scores of a document to the sums."""
        assert reference is not None
        found = scores(seen, reference)
        num_charts = len(SIDES) * (len(reference.figures) + bool(reference.labels))
        slack = self._slack + ERRORS / sqrt(reference.num_documents)
        limit = limit_for(self._documents * num_charts, slack)
        alarms = []
        for name, score in found.items():
            for side, sign in SIDES.items():
                sums = state.setdefault(f"{name} {side}", {"sum": 0.0, "rang": False, "since": seen.number})
                sums["sum"] = max(sums["sum"] + sign * score - slack, 0.0)
                if sums["sum"] == 0.0:
                    sums |= {"rang": False, "since": seen.number + 1}
                elif sums["sum"] > limit:
                    if not sums["rang"]:
                        alarms.append(_alarm(name, side, seen, sums=sums, limit=limit))
                    sums |= {"rang": True, "sum": limit}
        return alarms


def _alarm(name: str, side: str, seen: Seen, sums: State, limit: float) -> Alarm:
    way = {"up": "higher", "down": "lower"}[side]
    if name == "labels":
        way = {"up": "rarer", "down": "more often the frequent ones"}[side]
    sentence = (
        f"{name} {'is' if name == 'confidence' else 'are'} {way} than in the reference, probably since document "
        f"{sums['since']:,} of the stream."
    )
    return Alarm(
        rule="cusum",
        subject=name,
        document=seen.id,
        number=seen.number,
        day=seen.day.isoformat() if seen.day else None,
        value=round(sums["sum"], 4),
        limit=round(limit, 4),
        sentence=sentence,
    )
