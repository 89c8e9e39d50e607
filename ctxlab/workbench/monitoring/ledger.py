"""What a monitor has done: alarms and counts, with a cursor that makes each alarm one, whenever the process is killed.

``alarms.jsonl`` only grows. The cursor is replaced atomically after the alarms of the same documents are on the disk,
and says how long the file was then: what is behind that belongs to documents that are read again, and is cut off.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ctxlab.core.errors import UserError
from ctxlab.core.files import write_json
from ctxlab.core.monitoring import Alarm, State
from ctxlab.workbench.monitoring.stream import tail

ALARMS, CURSOR = "alarms.jsonl", "cursor.json"

FORMAT = 1
"""Version of the cursor."""


@dataclass
class Cursor:
    """How far a stream has been read, and what is remembered of it."""

    asked: dict[str, Any]
    """What the state depends on: task, checkpoint, rules, groups. Another command cannot continue with it."""
    place: int = 0
    """Byte of the stream."""
    tail: str = ""
    """Checksum of the bytes before it."""
    num_documents: int = 0
    num_lines: int = 0
    alarm_bytes: int = 0
    """Length of the file of alarms."""
    num_alarms: int = 0
    told: int = 0
    """Alarms that an exit status has told of."""
    delivered: int = 0
    """Alarms that the webhook has taken."""
    last_day: str | None = None
    states: dict[str, State] = field(default_factory=dict)
    """Name of a rule → its state."""
    days: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict)
    """Day → group → label → documents."""
    figures: dict[str, dict[str, float]] = field(default_factory=dict)
    """Figure → sum over documents, and their number."""


class Ledger:
    """The folder of a monitor."""

    def __init__(self, folder: Path, stream: Path, asked: dict[str, Any]) -> None:
        """Open the folder, and continue where its cursor stands.

        Args:
            folder: Made if it is not there.
            stream: File of the stream.
            asked: What the state depends on.

        Raises:
            UserError: The cursor is damaged, of another command, or of another stream; nothing is changed then.
        """
        self.folder, self._stream = folder, stream
        self._path = folder / CURSOR
        self.cursor = self._read(asked) if self._path.exists() else Cursor(asked)
        folder.mkdir(parents=True, exist_ok=True)
        alarms = folder / ALARMS
        alarms.touch()
        if alarms.stat().st_size < self.cursor.alarm_bytes:
            raise self._damaged(f"{ALARMS} is shorter than it says")
        os.truncate(alarms, self.cursor.alarm_bytes)

    def _read(self, asked: dict[str, Any]) -> Cursor:
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
            if content.pop("format") != FORMAT:
                raise ValueError
            cursor = Cursor(**content)
            is_right = all(isinstance(getattr(cursor, name), int) for name in ("place", "num_documents", "alarm_bytes"))
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            is_right = False
        if not is_right:
            raise self._damaged("it cannot be read")
        for key, value in asked.items():
            if cursor.asked.get(key) != value:
                raise UserError(
                    f"{self._path} was written with {key}={cursor.asked.get(key)}, not {value}: give the same again, "
                    "or another output= to begin anew."
                )
        if tail(self._stream, cursor.place) != cursor.tail:
            raise UserError(
                f"{self._stream} is not the stream that {self._path} has read {cursor.num_documents:,} documents of: "
                "give that file, to which lines were only added, or another output= to begin anew."
            )
        return cursor

    def _damaged(self, why: str) -> UserError:
        return UserError(
            f"{self._path} is damaged ({why}): move it away to begin anew, or give another output=<directory>."
        )

    def commit(self, place: int, alarms: Sequence[Alarm]) -> None:
        """Write the alarms of documents, and then that these are done."""
        cursor = self.cursor
        path = self.folder / ALARMS
        if alarms:
            with path.open("ab") as file:
                for index, alarm in enumerate(alarms, cursor.num_alarms + 1):
                    line = {"alarm": index, **alarm.plain()}
                    file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        cursor.num_alarms += len(alarms)
        cursor.alarm_bytes = path.stat().st_size
        cursor.place, cursor.tail = place, tail(self._stream, place)
        self.save()

    def save(self) -> None:
        """Replace the cursor."""
        write_json(self._path, {"format": FORMAT, **asdict(self.cursor)})

    def alarms(self, first: int = 0) -> list[dict[str, Any]]:
        """Return the alarms from a number on, counted from 0."""
        lines = (self.folder / ALARMS).read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines[first:]]
