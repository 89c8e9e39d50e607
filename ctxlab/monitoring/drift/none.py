"""Documents are not compared with a reference."""

from ctxlab.core.monitoring import Alarm, Detector, Reference, Seen, State


class NoDrift(Detector):
    """Never rings."""

    active = False

    @property
    def promise(self) -> str:
        """Return that it is silent."""
        return "Drift is not looked for (drift=none)."

    def step(self, state: State, seen: Seen, reference: Reference | None) -> list[Alarm]:
        """Return no alarm."""
        del state, seen, reference
        return []
