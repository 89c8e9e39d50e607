"""Checkpoints that are whole, verified and free of pickle.

A checkpoint is a folder ``checkpoints/step-00000120`` that Transformers loads by itself (``config.json``,
``model.safetensors``, tokenizer) with ``optimizer.safetensors`` and ``state.json`` beside it, written as
``core.folders`` says: whole or not there, every file under a checksum.
"""

import json
import logging
import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from safetensors import SafetensorError

from ctxlab.core.errors import UserError
from ctxlab.core.files import write_json
from ctxlab.core.folders import MANIFEST, fault, write_whole

log = logging.getLogger(__name__)

FOLDER = "checkpoints"
OPTIMIZER = "optimizer.safetensors"
_NAME = re.compile(r"step-\d{8,}")


def step_name(step: int) -> str:
    """Name of the checkpoint folder of a step."""
    return f"step-{step:08d}"


def save(run_dir: Path, step: int, write: Callable[[Path], None]) -> str:
    """Write a checkpoint of ``step`` with ``write(folder)``; returns its name.

    Raises UserError when the disk is full or not writable; earlier checkpoints stay as they are.
    """
    root = run_dir / FOLDER
    final = root / step_name(step)
    try:
        root.mkdir(exist_ok=True)
        write_whole(final, write)  # a damaged checkpoint of this step, or one saved before resuming, is replaced
    except (OSError, SafetensorError) as error:  # safetensors wraps a full disk in an error of its own
        reason = getattr(error, "strerror", None) or error
        raise UserError(
            f"The checkpoint of step {step} cannot be written to {root} ({reason}); make room or "
            f"choose another hydra.run.dir, then go on with `ctxlab train resume={run_dir}`."
        ) from error
    return final.name


def point(run_dir: Path, pointer: str, name: str, **facts: float | int | str | None) -> None:
    """Make ``latest.json`` or ``best.json`` name a checkpoint."""
    write_json(run_dir / f"{pointer}.json", {"checkpoint": name, **facts})


def pointed(run_dir: Path, pointer: str) -> str | None:
    """The checkpoint that a pointer names, or None."""
    path = run_dir / f"{pointer}.json"
    if not path.exists():
        return None
    name = json.loads(path.read_text(encoding="utf-8"))["checkpoint"]
    return name if _NAME.fullmatch(name) else None


def names(run_dir: Path) -> list[str]:
    """Checkpoints of a run, oldest first."""
    root = run_dir / FOLDER
    return sorted(path.name for path in root.iterdir() if _NAME.fullmatch(path.name)) if root.is_dir() else []


def latest_valid(run_dir: Path) -> Path | None:
    """The newest checkpoint that is whole; damaged ones are named and passed over."""
    return _first_whole(run_dir, reversed(names(run_dir)))


def find(run_dir: Path, pointer: str) -> Path:
    """The checkpoint that ``pointer`` (best or latest) names, else the newest whole one.

    Raises UserError where the run has none.
    """
    wanted = pointed(run_dir, pointer)
    folder = _first_whole(run_dir, dict.fromkeys([*([wanted] if wanted else []), *reversed(names(run_dir))]))
    if folder is None:
        raise UserError(f"{run_dir} holds no whole checkpoint; train it first, or name another run directory.")
    return folder


def _first_whole(run_dir: Path, candidates: Iterable[str]) -> Path | None:
    for name in candidates:
        folder = run_dir / FOLDER / name
        problem = fault(folder)
        if problem is None:
            return folder
        log.warning("Checkpoint %s is not used: %s.", folder, problem)
    return None


def rotate(run_dir: Path, keep: int) -> None:
    """Remove all but the newest ``keep`` checkpoints and the best one."""
    best = pointed(run_dir, "best")
    for name in names(run_dir)[:-keep]:
        if name != best:
            shutil.rmtree(run_dir / FOLDER / name)


def keep_best(run_dir: Path) -> None:
    """Reduce a finished run to the weights that its scores are of: training cannot go on from there.

    Other checkpoints go, and the state of the optimizer, whose line leaves the manifest first: a process killed in
    between leaves a whole checkpoint and a file too many, which goes the next time.
    """
    best = pointed(run_dir, "best") or pointed(run_dir, "latest")
    if best is None:
        return
    for name in names(run_dir):
        if name != best:
            shutil.rmtree(run_dir / FOLDER / name)
    folder = run_dir / FOLDER / best
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    if manifest.pop(OPTIMIZER, None) is not None:
        write_json(folder / MANIFEST, manifest)
    (folder / OPTIMIZER).unlink(missing_ok=True)
