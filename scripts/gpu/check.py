"""``python -m scripts.gpu.check``: what a machine with a GPU must show, in at most eight minutes, as one JSON file.

It needs neither a model hub nor the test suite: torch, transformers and this checkout. ``--small`` runs the same checks
on a CPU in seconds, so that the script itself is tested without a GPU.
"""

import argparse
import json
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
import transformers

from scripts.gpu import kernels, parts, runs

LIMIT_SECONDS = 480.0

CHECKS: dict[str, Callable[[torch.device, bool], list[dict[str, Any]]]] = {
    "parts": parts.check,
    "synchronisations": runs.synchronisations,
    "memory meter": runs.memory_meter,
    "resume": runs.resume,
    "kernels": kernels.check,
}
"""Name → check of a device, small or not; its rows have ``what``, ``measured`` and, where there is a target, ``met``.
Those that may take longest come last."""


def machine(device: torch.device) -> dict[str, Any]:
    """Return what the figures depend on."""
    is_gpu = device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(device) if is_gpu else "cpu",
        "memory_bytes": torch.cuda.get_device_properties(device).total_memory if is_gpu else None,
        "cuda": torch.version.cuda,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


def run(device: torch.device, *, small: bool, names: Sequence[str] = tuple(CHECKS)) -> dict[str, Any]:
    """Run checks until the time is up; one that fails or comes too late has a row that says so."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    started, rows = perf_counter(), []
    for name in names:
        spent = perf_counter() - started
        if spent > LIMIT_SECONDS:
            rows.append({"check": name, "what": "not begun", "measured": f"{spent:.0f} s were spent", "met": False})
            continue
        try:
            found = CHECKS[name](device, small)
        except Exception as error:  # the others are worth knowing all the same
            traceback.print_exc()
            found = [{"what": "failed", "measured": f"{type(error).__name__}: {error}", "met": False}]
        rows += [{"check": name, **row} for row in found]
        print(f"{name}: {perf_counter() - started - spent:.0f} s", file=sys.stderr)
    return {"machine": machine(device), "seconds": perf_counter() - started, "rows": rows}


def main() -> int:
    """Run the checks, write them, print them; return 1 if one has failed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="check", help=f"which ({', '.join(CHECKS)}); all by default")
    parser.add_argument("--small", action="store_true", help="short lengths, on a CPU where there is no GPU")
    parser.add_argument("--out", type=Path, default=Path("outputs/gpu.json"))
    given = parser.parse_args()
    unknown = set(given.names) - CHECKS.keys()
    if unknown:
        parser.error(f"there is no check {', '.join(sorted(unknown))}; there are {', '.join(CHECKS)}")
    if not torch.cuda.is_available() and not given.small:
        parser.error("torch finds no GPU; --small tries the checks on a CPU")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    found = run(device, small=given.small, names=given.names or tuple(CHECKS))
    text = json.dumps(found, indent=2)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(text + "\n", encoding="utf-8")
    print(text)
    return int(any(row.get("met") is False for row in found["rows"]))


if __name__ == "__main__":
    sys.exit(main())
