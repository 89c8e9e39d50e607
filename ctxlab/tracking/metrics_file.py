"""``metrics.jsonl``: every logged point, whatever the tracker, without gaps or duplicates after a crash."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class MetricsFile:
    """A file with one JSON object per line, appended and flushed at once."""

    def __init__(self, path: Path, *, keep_until_step: int | None = None, keep_rows: int | None = None) -> None:
        """Open for appending, without the rows that a stopped run logged after its checkpoint.

        Args:
            path: The file.
            keep_until_step: Last step of the rows that are kept; None keeps all.
            keep_rows: Most rows that are kept: at the step of a checkpoint, rows may come after it too.
        """
        self.rows = 0
        """Number of rows, if the file was opened with ``keep_until_step`` or is new."""
        if keep_until_step is not None and path.exists():
            self.rows = _truncate(path, keep_until_step, keep_rows)
        self._file = path.open("a", encoding="utf-8")

    def log(self, row: Mapping[str, Any]) -> None:
        """Append one row."""
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()
        self.rows += 1

    def sync(self) -> None:
        """Sync to disk; called before a checkpoint is written."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Read all complete rows; a line cut by a crash is ignored."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows


def _truncate(path: Path, step: int, rows: int | None) -> int:
    kept = [row for row in read_metrics(path)[:rows] if row["step"] <= step]
    temporary = path.with_suffix(".tmp")
    temporary.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")
    temporary.replace(path)
    return len(kept)
