"""``metrics.jsonl``: every logged point, whatever the tracker, without gaps or duplicates after a crash."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class MetricsFile:
    """A file with one JSON object per line, appended and flushed at once."""

    def __init__(self, path: Path, *, keep_until_step: int | None = None) -> None:
        """Open for appending; ``keep_until_step`` first drops rows that a killed run logged after its checkpoint."""
        if keep_until_step is not None and path.exists():
            _truncate(path, keep_until_step)
        self._file = path.open("a", encoding="utf-8")

    def log(self, row: Mapping[str, Any]) -> None:
        """Append one row."""
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()

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


def _truncate(path: Path, step: int) -> None:
    kept = [row for row in read_metrics(path) if row["step"] <= step]
    temporary = path.with_suffix(".tmp")
    temporary.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")
    temporary.replace(path)
