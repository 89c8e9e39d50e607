"""Fills the disk under training runs and resumes them when there is space; run by test_full_disk.py, which checks it.

The disk is a file system in memory of its own where this process may mount one. Elsewhere a limit on the size of files
takes its place: then a file cannot grow further rather than the disk.
"""

import hashlib
import json
import os
import resource
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import transformers

import ctxlab.stages.train as stage
from ctxlab.training import saving
from ctxlab.training.loop import Trainer
from tests.faults.kill_driver import OPTIONS, finish, start
from tests.faults.test_kill import outcome

BALLAST = "ballast"
SAVES = 10
"""Saves of a run: at every second and every fifth of 16 steps."""

CHECKPOINT_BYTES, LARGEST_FILE, OUTPUT_BYTES = 3_960_000, 2_540_000, 180_000
"""A checkpoint of the run, its largest file, and all that is written after training."""


def leave(disk: Path, free_bytes: int, *, mounted: bool) -> None:
    """Leave ``free_bytes`` on the disk, or let no file grow beyond them."""
    if not mounted:  # room is left for what the command prints into files of its own
        resource.setrlimit(resource.RLIMIT_FSIZE, (max(free_bytes, 16_000), resource.RLIM_INFINITY))
        return
    facts = os.statvfs(disk)
    with (disk / BALLAST).open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, facts.f_bavail * facts.f_frsize - free_bytes)


def fill_after_save(number: int, fill: Callable[[], None]) -> None:
    """Fill the disk after a number of saves; 0 is the beginning of training."""
    save, run, done = saving.save, Trainer.run, 0

    def counted(*given: Any) -> None:
        nonlocal done
        save(*given)
        done += 1
        if done == number:
            fill()

    def filled(trainer: Trainer, *given: Any) -> Any:
        fill()
        return run(trainer, *given)

    saving.save = counted
    if number == 0:
        Trainer.run = filled  # type: ignore[method-assign]


def fill_before_outputs(fill: Callable[[], None]) -> None:
    """Fill the disk when training and scoring are over and the outputs are written."""
    write = stage.write_outputs

    def filled(*given: Any, **named: Any) -> None:
        fill()
        write(*given, **named)

    stage.write_outputs = filled


def moments(count: int, *, mounted: bool) -> list[tuple[int | None, int]]:
    """Return when the disk gets full, as a number of saves or None for the outputs, and how many bytes it leaves."""
    late = max(count * 3 // 10, 1)
    early, size = count - late, CHECKPOINT_BYTES if mounted else LARGEST_FILE
    saves = [(number % SAVES, size * number // early) for number in range(early)]
    return [*saves, *((None, OUTPUT_BYTES * number // (late if mounted else 8 * late)) for number in range(late))]


def whole_checkpoints(run: Path) -> list[str]:
    """Return the checkpoints whose files all have the checksums of their manifest."""
    return sorted(folder.name for folder in (run / "checkpoints").glob("step-*") if is_whole(folder))


def is_whole(folder: Path) -> bool:
    listed = json.loads((folder / "manifest.json").read_text())
    sums = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in listed}
    return len(listed) > 4 and sums == listed


def fill_one(disk: Path, logs: Path, index: int, moment: tuple[int | None, int], mounted: bool) -> dict[str, Any]:
    """Train until the disk is full, make space, and resume."""
    saves, free_bytes = moment
    run, log, errors = disk / f"run-{index}", logs / f"log-{index}.txt", logs / f"errors-{index}.txt"
    fill = partial(leave, disk, free_bytes, mounted=mounted)
    prepare = partial(fill_before_outputs, fill) if saves is None else partial(fill_after_save, saves, fill)
    code = finish(start(["train", *OPTIONS, f"hydra.run.dir={run}"], log, errors, prepare))
    (disk / BALLAST).unlink(missing_ok=True)
    facts = {
        "saves": saves,
        "free_bytes": free_bytes,
        "code": code,
        "said": errors.read_text(),
        "whole": whole_checkpoints(run),
        "all": sorted(path.name for path in (run / "checkpoints").glob("*")) + sorted(map(str, run.rglob("*.tmp"))),
    }
    again = [f"resume={run}"] if run.exists() else [*OPTIONS, f"hydra.run.dir={run}"]
    facts["again"] = finish(start(["train", *again], log))
    facts["equal"] = facts["again"] == 0 and outcome(run) == outcome(disk / "undisturbed")
    return facts


def drive(disk: Path, logs: Path, count: int) -> dict[str, Any]:
    mounted = os.path.ismount(disk)
    log = logs / "log.txt"
    undisturbed = finish(start(["train", *OPTIONS, f"hydra.run.dir={disk / 'undisturbed'}"], log))
    runs = [
        fill_one(disk, logs, index, moment, mounted) for index, moment in enumerate(moments(count, mounted=mounted))
    ]
    return {"mounted": mounted, "undisturbed": undisturbed, "runs": runs}


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    print(json.dumps(drive(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))))
