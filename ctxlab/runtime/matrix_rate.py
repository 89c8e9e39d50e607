"""How fast a machine multiplies matrices: the limit by which it is judged how far from it a strategy runs."""

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from time import perf_counter

import torch

from ctxlab.core.cache import cache_dir
from ctxlab.core.files import write_json
from ctxlab.runtime.machine import description

FOLDER = "matrix_rate"
"""Folder of the measurements in the cache."""

SIZES = {"cpu": 2048, "cuda": 8192}
"""Most rows and columns of the matrices, by type of device: starting a product then does not count."""

LEAST_SIZE = 256
"""Rows and columns to begin with."""

SECONDS = 0.3
"""How long is measured."""

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def matrix_rate(device: torch.device, precision: str, reached: float = 0.0) -> float:
    """Return the operations per second of matrix products; measured once for each machine and precision, then cached.

    Args:
        device: Where the products run.
        precision: ``fp32``, ``bf16`` or ``fp16``.
        reached: Operations per second of a run. A cached figure below them is of a time when the machine was busy, and
            is measured again; the larger one is kept.
    """
    key = f"{description(device)}, {precision}, torch {torch.__version__}"
    path = cache_dir() / FOLDER / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"
    cached = _cached(path, key)
    if cached and cached >= reached:
        return cached
    found = max(cached, _measure(device, DTYPES[precision]))
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"key": key, "flops_per_second": found})
    return found


def _cached(path: Path, key: str) -> float:
    """Return the operations per second in a file of the cache; 0 if there are none."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        entry = json.loads(path.read_text(encoding="utf-8"))
        if entry["key"] == key and entry["flops_per_second"] > 0:
            return float(entry["flops_per_second"])
    return 0.0


@torch.inference_mode()
def _measure(device: torch.device, dtype: torch.dtype) -> float:
    """Return the rate of the fastest of several products, as a busy machine only makes them slower."""
    size = _size(device, dtype)
    until, best = perf_counter() + SECONDS, float("inf")
    while best == float("inf") or perf_counter() < until:
        best = min(best, _seconds(size, device, dtype))
    return 2 * size**3 / best


def _size(device: torch.device, dtype: torch.dtype) -> int:
    """Return the size of matrices: smaller where a product takes long, such as bf16 in software (minutes at 2,048)."""
    size, most = LEAST_SIZE, SIZES.get(device.type, SIZES["cpu"])
    _seconds(size, device, dtype)  # the first one chooses a kernel
    while size < most and 8 * _seconds(size, device, dtype) < SECONDS:  # twice the size, eight times the operations
        size *= 2
    return size


def _seconds(size: int, device: torch.device, dtype: torch.dtype) -> float:
    left = torch.ones(size, size, device=device, dtype=dtype)
    product = torch.empty_like(left)
    _wait(device)
    started = perf_counter()
    torch.matmul(left, left, out=product)
    _wait(device)
    return perf_counter() - started


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
