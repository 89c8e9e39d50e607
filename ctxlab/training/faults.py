"""Signals and non-finite values during training, handled before they do harm."""

import math
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from ctxlab.core.errors import UserError


class StopRequest:
    """Set by SIGTERM (from a cluster) or SIGINT (Ctrl-C); the loop checks it between steps."""

    signal_number: int | None = None

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        if self.signal_number is not None:  # a second Ctrl-C does not wait for the save
            raise KeyboardInterrupt
        self.signal_number = number

    @contextmanager
    def listening(self) -> Iterator["StopRequest"]:
        """Handle signals until the end of the block, then restore the previous handlers."""
        former = {}
        try:
            for number in (signal.SIGTERM, signal.SIGINT):
                former[number] = signal.signal(number, self._receive)
        except ValueError:  # not the main thread, which alone can handle signals
            pass
        try:
            yield self
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)


def check_finite(name: str, value: float, step: int, document_ids: Sequence[str]) -> None:
    """Refuse to continue with a loss or gradient that is not finite, before the weights change.

    Args:
        name: What the value is, for the message: loss or gradient norm.
        value: The value.
        step: Number of the step.
        document_ids: Documents of its batch; the first five are named.

    Raises:
        UserError: names the step and the documents.
    """
    if not math.isfinite(value):
        shown = ", ".join(list(dict.fromkeys(document_ids))[:5])
        raise UserError(
            f"The {name} is {value} at step {step} (documents {shown}); the weights are unchanged since the step "
            "before: lower optimizer.lr, set trainer.precision=fp32, or check these documents."
        )
