"""How long it takes to write probes: documents of any length with a hidden fact."""

from pathlib import Path
from time import process_time
from typing import Any

from ctxlab.corpora.probe import probes, writer
from scripts.bench.timing import row

WORDS, DOCUMENTS, WRITTEN = 32_768, 500, 20
"""Words of a document, documents that the target is about, and those that are written to tell."""


def measure(_: Path) -> list[dict[str, Any]]:
    """Return the processor time of ``DOCUMENTS`` documents of each probe, from ``WRITTEN`` of them."""
    return [row(f"{DOCUMENTS} documents of {WORDS:,} words, {name}, s", seconds(name), at_most=30) for name in probes()]


def seconds(name: str) -> float:
    """Return the seconds that ``DOCUMENTS`` documents of a probe take."""
    write = writer({"name": name, "lengths": [WORDS]}, "test", 1)
    write(0)  # what all documents share
    started = process_time()
    for index in range(1, WRITTEN + 1):
        write(index)
    return (process_time() - started) / WRITTEN * DOCUMENTS
