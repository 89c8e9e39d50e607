"""Checkpoints that are complete, verified and free of pickle.

A checkpoint is a folder ``checkpoints/step-00000120`` that Transformers can load (``config.json``,
``model.safetensors``, tokenizer), with ``optimizer.safetensors`` and ``state.json`` in it. It is written by
``core.folders``: complete or absent, with a checksum of every file.
"""

import json
import logging
import re
import shutil
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from safetensors import SafetensorError

from ctxlab.core import run_state
from ctxlab.core.errors import UserError
from ctxlab.core.files import write_json
from ctxlab.core.folders import MANIFEST, fault, write_whole

log = logging.getLogger(__name__)

FOLDER = "checkpoints"
OPTIMIZER = "optimizer.safetensors"
AVERAGES = "averaging.safetensors"
"""File with the weights that training goes on with where averaged ones are exported; absent without an average."""

OF_TRAINING = (OPTIMIZER, AVERAGES)
"""Files that only a run that is continued needs."""

_NAME = re.compile(r"step-\d{8,}")


def step_name(step: int) -> str:
    """Return the name of the checkpoint folder of a step."""
    return f"step-{step:08d}"


def save(run_dir: Path, step: int, write: Callable[[Path], None]) -> str:
    """Write a checkpoint of ``step`` with ``write(folder)``; returns its name.

    Raises UserError if the disk is full or not writable; earlier checkpoints are unchanged.
    """
    root = run_dir / FOLDER
    final = root / step_name(step)
    try:
        root.mkdir(exist_ok=True)
        write_whole(final, write)  # a damaged checkpoint of this step, or one saved before resuming, is replaced
    except (OSError, SafetensorError) as error:  # safetensors wraps a full disk in an error of its own
        reason = getattr(error, "strerror", None) or error
        raise UserError(
            f"The checkpoint of step {step} cannot be written to {root} ({reason}); free some space or "
            f"move {run_dir} to another disk, then {run_state.way_on(run_dir)}."
        ) from error
    return final.name


def write_pointer(run_dir: Path, pointer: str, name: str, **facts: float | int | str | None) -> None:
    """Make ``latest.json`` or ``best.json`` name a checkpoint."""
    write_json(run_dir / f"{pointer}.json", {"checkpoint": name, **facts})


def read_pointer(run_dir: Path, pointer: str) -> str | None:
    """Return the name of the checkpoint that a pointer names, or None."""
    path = run_dir / f"{pointer}.json"
    if not path.exists():
        return None
    name = json.loads(path.read_text(encoding="utf-8"))["checkpoint"]
    return name if _NAME.fullmatch(name) else None


def names(run_dir: Path) -> list[str]:
    """Return the names of a run's checkpoints, oldest first."""
    root = run_dir / FOLDER
    return sorted(path.name for path in root.iterdir() if _NAME.fullmatch(path.name)) if root.is_dir() else []


def latest_valid(run_dir: Path) -> Path | None:
    """Return the newest valid checkpoint; damaged ones are skipped with a warning."""
    return _first_whole(run_dir, reversed(names(run_dir)))


def find(run_dir: Path, pointer: str) -> Path:
    """Return the checkpoint that ``pointer`` (best or latest) names, else the newest valid one.

    The name of a checkpoint means that one and no other. Raises UserError if there is none.
    """
    if _NAME.fullmatch(pointer):
        problem = fault(run_dir / FOLDER / pointer) if pointer in names(run_dir) else "it is not there"
        if problem is not None:
            raise UserError(
                f"{run_dir / FOLDER / pointer} is not a valid checkpoint ({problem}); there are "
                f"{', '.join(names(run_dir)) or 'none'}."
            )
        return run_dir / FOLDER / pointer
    wanted = read_pointer(run_dir, pointer)
    folder = _first_whole(run_dir, dict.fromkeys([*([wanted] if wanted else []), *reversed(names(run_dir))]))
    if folder is None:
        raise UserError(f"{run_dir} has no valid checkpoint; train it first, or name another run directory.")
    return folder


def _first_whole(run_dir: Path, candidates: Iterable[str]) -> Path | None:
    for name in candidates:
        folder = run_dir / FOLDER / name
        problem = fault(folder)
        if problem is None:
            return folder
        log.warning("Checkpoint %s is not used: %s.", folder, problem)
    return None


def rotate(run_dir: Path, num_kept: int, also: Collection[str] = ()) -> None:
    """Remove all but the newest ``num_kept`` checkpoints, the best one, and those named in ``also``."""
    best = read_pointer(run_dir, "best")
    for name in names(run_dir)[:-num_kept]:
        if name != best and name not in also:
            shutil.rmtree(run_dir / FOLDER / name)


def reduce_to_best(run_dir: Path) -> None:
    """Reduce a finished run to the weights that were scored; its training cannot be resumed afterwards.

    Other checkpoints are removed, and the files of training alone, whose lines are removed from the manifest first: a
    process killed in between leaves a valid checkpoint and extra files, which the next call removes.
    """
    best = read_pointer(run_dir, "best") or read_pointer(run_dir, "latest")
    if best is None:
        return
    for name in names(run_dir):
        if name != best:
            shutil.rmtree(run_dir / FOLDER / name)
    folder = run_dir / FOLDER / best
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    if manifest.keys() & set(OF_TRAINING):
        write_json(folder / MANIFEST, {name: value for name, value in manifest.items() if name not in OF_TRAINING})
    for name in OF_TRAINING:
        (folder / name).unlink(missing_ok=True)
