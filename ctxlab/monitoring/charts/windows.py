"""Base of detectors that compare every so many documents with the reference."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from ctxlab.core.errors import UserError
from ctxlab.core.monitoring import Alarm, Detector, Reference, Seen, State


class Windows(Detector, ABC):
    """Compares each full window of documents with the reference; windows do not overlap."""

    def __init__(self, window: int, documents_per_false_alarm: float) -> None:
        """Store the options.

        Args:
            window: Documents that are compared with the reference at a time.
            documents_per_false_alarm: Mean number of documents between alarms where nothing has changed.

        Raises:
            UserError: The window is too small to be compared, or longer than what is promised.
        """
        if window < 10 or documents_per_false_alarm <= window:
            raise UserError(
                f"drift.window={window} and drift.documents_per_false_alarm={documents_per_false_alarm:g}: give a "
                "window of at least 10 documents, and more documents between false alarms than that."
            )
        self._window, self._documents = window, documents_per_false_alarm

    @property
    def rule(self) -> str:
        """Return the name of the rule."""
        return type(self).__name__.lower()

    @property
    def promise(self) -> str:
        """Return how often it rings without a reason."""
        return (
            f"Where nothing changes, drift={self.rule} rings once in {self._documents:,.0f} documents on average; it "
            f"looks every {self._window} documents."
        )

    @abstractmethod
    def compare(self, values: State, reference: Reference, probability: float) -> list[tuple[str, float, float, str]]:
        """Return subject, value, limit and sentence of each alarm.

        Args:
            values: Figure → its values in the window, and ``labels``.
            reference: What is usual.
            probability: Of a false alarm of the whole window.
        """

    def step(self, state: State, seen: Seen, reference: Reference | None) -> list[Alarm]:
        """Add a document to the window, and compare it when it is full."""
        assert reference is not None
        for name, value in seen.figures.items():
            state.setdefault(name, []).append(value)
        state.setdefault("labels", []).append(seen.label)
        if len(state["labels"]) < self._window:
            return []
        rang = state.pop("rang", [])
        found = self.compare(state, reference, self._window / self._documents)
        state.clear()
        state["rang"] = [subject for subject, *_ in found]
        return [
            Alarm(
                rule=self.rule,
                subject=subject,
                document=seen.id,
                number=seen.number,
                day=seen.day.isoformat() if seen.day else None,
                value=round(value, 6),
                limit=round(limit, 6),
                sentence=f"{sentence} in the {self._window} documents up to document {seen.number:,} of the stream.",
            )
            for subject, value, limit, sentence in found
            if subject not in rang
        ]


def compared(values: State, reference: Reference) -> Sequence[str]:
    """Return the figures that both have."""
    return [name for name in reference.figures if name in values]
