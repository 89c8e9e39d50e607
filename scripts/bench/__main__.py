"""``python -m scripts.bench``: measure ctxlab against the alternatives, as ratios within one run.

Every measurement runs in its own process, so that memory peaks and thread pools do not influence each other; within it
the compared variants alternate, because the machine is noisy. Prints one table and writes
``outputs/bench/<name>.json``.
"""

import argparse
import importlib
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

MEASUREMENTS = (
    "attention",
    "layers",
    "training",
    "memory",
    "plan",
    "loop",
    "reliability",
    "startup",
    "serving",
    "probes",
    "lm",
    "streaming",
    "litbank",
    "main_job",
    "production",
    "watching",
    "ask",
    "trust",
    "before",
    "compression",
    "tutorials",
)
FOLDER = Path("outputs/bench")


def machine() -> dict[str, Any]:
    """Return what the figures depend on: processor, instructions, cores, threads and torch."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [
            line.split(":")[1].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")
        ]
        model = names[0] if names else model
    return {
        "processor": model,
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }


def measure(name: str, data: Path) -> list[dict[str, Any]]:
    """Run one measurement in its own process, and return its rows."""
    command = [sys.executable, "-m", "scripts.bench", "--inside", name, "--data", str(data)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        return [{"what": name, "measured": f"failed with status {done.returncode}", "target": "", "met": False}]
    rows: list[dict[str, Any]] = json.loads(done.stdout.strip().splitlines()[-1])
    return rows


def show(rows: list[dict[str, Any]]) -> None:
    """Print the table."""
    table = Table(title="ctxlab bench", title_justify="left")
    for column in ("what", "measured", "target", "met"):
        table.add_column(column, justify="left" if column == "what" else "right", overflow="fold")
    for row in rows:
        measured = f"{row['measured']:.3g}" if isinstance(row["measured"], float) else str(row["measured"])
        met = {True: "yes", False: "NO", None: ""}[row["met"]]
        table.add_row(row["what"], measured, row["target"], met)
    Console(width=None if sys.stdout.isatty() else 130).print(table)


def main() -> int:
    """Run the chosen measurements; return 1 if a target is missed."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("only", nargs="*", choices=[[], *MEASUREMENTS], help="names; all if none is given")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of real corpora")
    parser.add_argument("--inside", choices=MEASUREMENTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        rows = importlib.import_module(f"scripts.bench.{options.inside}").measure(options.data)
        print(json.dumps(rows))
        return 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    everything = []
    for name in options.only or MEASUREMENTS:
        rows = measure(name, options.data)
        (FOLDER / f"{name}.json").write_text(json.dumps({"machine": machine(), "rows": rows}, indent=2) + "\n")
        show(rows)
        everything += rows
    if len(options.only) != 1:
        show(everything)
    print(f"machine: {machine()}; written to {FOLDER}")
    return 1 if any(row["met"] is False for row in everything) else 0


if __name__ == "__main__":
    sys.exit(main())
