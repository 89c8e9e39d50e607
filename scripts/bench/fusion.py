"""Writes documents whose summary needs what is said in four places far from one another, for docs/fusion.md.

A document has four sentences ``key a is red .`` (b, c, d), one in each quarter, among a few repeated ones; the summary
is the four colours in the order of the keys. A window of a quarter holds one of them.

    python -m scripts.bench.fusion <folder>
"""

import json
import sys
from pathlib import Path

import numpy as np

COLOURS = ("red", "blue", "green", "pink", "grey", "gold", "black", "white")
"""Chance is one in eight a colour."""

FILLERS = ("the sun is up .", "it is a day .", "we go on .", "they go by .", "all is well .")
KEYS = "abcd"
QUARTER_SENTENCES = 7
SPLITS = {"train": 6000, "validation": 60, "test": 300}


def record(random: np.random.Generator, name: str) -> dict[str, str]:
    """Return one document and its summary."""
    parts, colours = [], random.choice(COLOURS, len(KEYS)).tolist()
    for key, colour in zip(KEYS, colours, strict=True):
        quarter = random.choice(FILLERS, QUARTER_SENTENCES).tolist()
        quarter.insert(int(random.integers(1, QUARTER_SENTENCES)), f"key {key} is {colour} .")
        parts += quarter
    return {"id": name, "document": " ".join(parts), "summary": " ".join(colours)}


def main(folder: Path) -> None:
    """Write the three splits as JSON lines."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    for split, count in SPLITS.items():
        rows = [json.dumps(record(random, f"{split}-{number}")) for number in range(count)]
        (folder / f"{split}.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
