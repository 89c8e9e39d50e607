"""Days are counted and none of them rings."""

from ctxlab.core.monitoring import Alarm, Detector, Reference, Seen, State


class NoSurge(Detector):
    """Never rings."""

    active = False

    @property
    def promise(self) -> str:
        """Return that it is silent."""
        return "Surges are not looked for (surge=none)."

    def step(self, state: State, seen: Seen, reference: Reference | None) -> list[Alarm]:
        """Return no alarm."""
        del state, seen, reference
        return []
