"""``make docs``: put the figures of the last ``make bench`` into the parts' files, and write ``docs/strategies.md``."""

import json
import re
from pathlib import Path

from ctxlab.command import strategies
from ctxlab.config import catalogue

FIGURES = Path("outputs/bench/attention.json")
PAGE = Path("docs/strategies.md")
SPEED = re.compile(r"(\w+) attention, forward \+ backward, float32: times faster than dense SDPA at ([\d,]+)")


def main() -> None:
    """Update the figures if there are new ones, then the page, which is generated from the files."""
    if FIGURES.exists():
        for row in json.loads(FIGURES.read_text())["rows"]:
            found = SPEED.fullmatch(row["what"])
            if found:
                text = f"{row['measured']:.2g} × dense SDPA at {found[2]}, forward and backward"
                write_measured(catalogue.option_file("strategy/attention", found[1]), text)
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(strategies.page(), encoding="utf-8")
    print(f"written: {PAGE}")


def write_measured(path: Path, text: str) -> None:
    """Replace or add the line ``# Measured:`` after ``# Cost:``."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("# Measured: ")]
    place = next(i for i, line in enumerate(lines) if line.startswith("# Cost: ")) + 1
    path.write_text("\n".join([*lines[:place], f"# Measured: {text}", *lines[place:]]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
