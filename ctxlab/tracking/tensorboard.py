"""TensorBoard event files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ctxlab.core.errors import UserError
from ctxlab.core.tracking import RunInfo, Tracker
from ctxlab.tracking.flat import flatten_numbers


class Tensorboard(Tracker):
    """Writes scalars, final scores and the report as text to ``<run directory>/tensorboard``."""

    def __init__(self) -> None:
        self._writer: Any = None
        self._last_step = 0

    def start(self, info: RunInfo) -> str | None:
        """Open the event file; raises UserError if TensorBoard is not installed."""
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise UserError(
                "tracking=tensorboard needs TensorBoard: pip install 'ctxlab[tensorboard]', or use tracking=none."
            ) from error
        self._writer = SummaryWriter(str(info.run_dir / "tensorboard"))
        return None

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Log one scalar per name."""
        self._last_step = step
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def finish(self, result: Mapping[str, Any] | None, report: Path | None) -> None:
        """Log final scores, costs and the report, and close the file."""
        for name, value in flatten_numbers(result or {}).items():
            self._writer.add_scalar(f"result/{name}", value, self._last_step)
        if report is not None:
            self._writer.add_text("report", report.read_text(encoding="utf-8"), self._last_step)
        self._writer.close()
