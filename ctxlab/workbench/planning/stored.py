"""Measurements that are kept in the user's cache folder, by all that they depend on."""

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from ctxlab.core.cache import cache_dir
from ctxlab.core.files import write_json
from ctxlab.planning.measured import Measured, as_dict, from_dict
from ctxlab.runtime.machine import description
from ctxlab.workbench.parts import Parts

logger = logging.getLogger(__name__)

FOLDER = "plan"

PACKAGE = Path(__file__).resolve().parents[2]
"""Folder of ctxlab, whose code a measurement depends on."""

GROUPS = (
    "task",
    "model",
    "data",
    "probe",
    "context",
    "strategy",
    "optimizer",
    "tuning",
    "averaging",
    "objective",
    "augment",
    "knowledge",
)
"""Groups whose every key may change a measurement."""

DAMAGED = (OSError, ValueError, TypeError, KeyError, AttributeError, StopIteration)
"""Errors of reading an entry that is absent, damaged or of another program."""

KEYS = ("data_seed", "seed", "folds", "fold")

TRAINER = (
    "tokens_per_step",
    "tokens_per_forward",
    "precision",
    "device",
    "deterministic",
    "activation_checkpointing",
    "clip_norm",
)
"""Keys of ``trainer`` that change a measurement."""

LIBRARIES = ("torch", "transformers", "accelerate")


def measured(parts: Parts, measure: Callable[[], Measured]) -> Measured:
    """Return the measurement of a candidate: from the cache, else by ``measure``; a damaged entry is replaced."""
    key = _key(parts)
    path = cache_dir() / FOLDER / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"
    with suppress(*DAMAGED):
        entry = json.loads(path.read_text(encoding="utf-8"))
        if entry["key"] == key:
            return from_dict(entry["measured"])
    found = measure()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"key": key, "measured": as_dict(found)})
    except OSError as error:
        logger.warning("The measurement is not kept: %s cannot be written (%s).", path, error)
    return found


def _key(parts: Parts) -> str:
    """Return everything that a measurement depends on, as text."""
    config = parts.origin.config
    device = torch.device("cuda" if parts.trainer.device != "cpu" and torch.cuda.is_available() else "cpu")
    chosen = {
        **{name: config.get(name) for name in (*GROUPS, *KEYS)},
        "trainer": {name: getattr(parts.trainer, name) for name in TRAINER},
        "files": sorted(_files({name: config.get(name) for name in ("data", "model")})),
        "program": sorted(_stamp(path) for path in PACKAGE.rglob("*.py")),
        "libraries": [version(name) for name in LIBRARIES],
        "machine": description(device),
    }
    return json.dumps(chosen, sort_keys=True, default=str)


def _files(value: Any) -> Iterator[list[Any]]:
    """Yield a stamp of every file, and of every file in a folder, that a configuration names."""
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _files(inner)
    elif isinstance(value, str) and value:
        with suppress(OSError, ValueError):
            path = Path(value).expanduser()
            if path.is_file():
                yield _stamp(path)
            elif path.is_dir():
                yield from (_stamp(inner) for inner in path.iterdir() if inner.is_file())


def _stamp(path: Path) -> list[Any]:
    """Return path, size and time of change of a file."""
    facts = path.stat()
    return [str(path.absolute()), facts.st_size, facts.st_mtime_ns]
