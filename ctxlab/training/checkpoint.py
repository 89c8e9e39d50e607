"""Checkpoints that are whole, verified and free of pickle.

A checkpoint is a folder ``checkpoints/step-00000120`` that Transformers loads by itself (``config.json``,
``model.safetensors``, tokenizer) with ``optimizer.safetensors`` and ``state.json`` beside it. It is written under
another name, synced, given a manifest of checksums, and renamed: a killed save leaves a temporary folder, never half
a checkpoint. Checksums are needed because flipped bits load silently in every tensor format.
"""

import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from safetensors import SafetensorError

from ctxlab.core.errors import UserError
from ctxlab.core.files import sync_folder, write_json

log = logging.getLogger(__name__)

FOLDER = "checkpoints"
MANIFEST = "manifest.json"
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
    temporary = root / f".saving-{step_name(step)}"
    try:
        root.mkdir(exist_ok=True)
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        write(temporary)
        write_json(temporary / MANIFEST, {path.name: _sha256(path, sync=True) for path in sorted(temporary.iterdir())})
        if final.exists():  # a damaged checkpoint of the same step, or the same step saved again after resuming
            shutil.rmtree(final)
        temporary.rename(final)
        sync_folder(root)
    except (OSError, SafetensorError) as error:  # safetensors wraps a full disk in an error of its own
        shutil.rmtree(temporary, ignore_errors=True)
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


def fault(folder: Path) -> str | None:
    """What is wrong with a checkpoint, or None when every file has the checksum of its manifest."""
    manifest = folder / MANIFEST
    if not manifest.is_file():
        return "its manifest is missing"
    try:
        expected = json.loads(manifest.read_text(encoding="utf-8"))
    except ValueError:
        return "its manifest is damaged"
    for name, checksum in expected.items():
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        if _sha256(path) != checksum:
            return f"{name} is damaged (its checksum does not match)"
    return None


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


def _sha256(path: Path, *, sync: bool = False) -> str:
    with path.open("rb") as file:
        if sync:
            os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()
