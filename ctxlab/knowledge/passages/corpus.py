"""Reading a corpus of passages: JSON lines, or a text file."""

import json
from pathlib import Path

from ctxlab.core.errors import UserError

KEY = "knowledge.file"

JSON_LINES = (".jsonl", ".ndjson", ".json")


def read_passages(file: str) -> list[str]:
    """Return the passages of a file in order, each once.

    Args:
        file: UTF-8. JSON lines have an object each, with ``text`` and perhaps ``title``, which is put before it; any
            other file has a passage a line. Blank lines are skipped.

    Raises:
        UserError: The file cannot be read, a line is not a passage, or there is none; names file and line.
    """
    try:
        content = Path(file).expanduser().read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{KEY}={file} is not UTF-8: convert the file to UTF-8.") from error
    except OSError as error:
        raise UserError(f"{KEY}={file} cannot be read ({error.strerror}): give a file of passages.") from error
    lines = [(number, line.strip()) for number, line in enumerate(content.split("\n"), start=1) if line.strip()]
    if Path(file).suffix.lower() in JSON_LINES:
        found = [_passage(line, f"{KEY}={file} line {number}") for number, line in lines]
    else:
        found = [line for _, line in lines]
    if not found:
        raise UserError(f"{KEY}={file} has no passage: write one a line.")
    return list(dict.fromkeys(found))


def _passage(line: str, origin: str) -> str:
    """Return the passage in a line of JSON."""
    try:
        record = json.loads(line)
    except ValueError as error:
        raise UserError(f'{origin} is no JSON: write {{"text": …}} in every line.') from error
    text = record.get("text") if isinstance(record, dict) else None
    if not isinstance(text, str) or not text.strip():
        has = f" (it has {', '.join(list(record)[:5])})" if isinstance(record, dict) and record else ""
        raise UserError(f'{origin} has no text in "text"{has}: write {{"text": …}} in every line.')
    title = record.get("title")
    return f"{title.strip()}: {text.strip()}" if isinstance(title, str) and title.strip() else text.strip()
