"""How fast a machine multiplies matrices: the limit by which it is judged how far from it a strategy runs."""

import hashlib
import json
from contextlib import suppress
from time import perf_counter

import torch

from ctxlab.core.cache import cache_dir
from ctxlab.core.files import write_json
from ctxlab.runtime.machine import description

FOLDER = "matrix_rate"
"""Folder of the measurements in the cache."""

SIZES = {"cpu": 2048, "cuda": 8192}
"""Rows and columns of the matrices, by type of device: large enough that starting a product does not count."""

SECONDS = 0.3
"""How long is measured."""

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def matrix_rate(device: torch.device, precision: str) -> float:
    """Return the operations per second of matrix products; measured once for each machine and precision, then cached.

    Args:
        device: Where the products run.
        precision: ``fp32``, ``bf16`` or ``fp16``.
    """
    key = f"{description(device)}, {precision}, torch {torch.__version__}"
    path = cache_dir() / FOLDER / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"
    with suppress(OSError, ValueError, KeyError, TypeError):
        entry = json.loads(path.read_text(encoding="utf-8"))
        if entry["key"] == key and entry["flops_per_second"] > 0:
            return float(entry["flops_per_second"])
    found = _measure(device, DTYPES[precision])
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"key": key, "flops_per_second": found})
    return found


@torch.inference_mode()
def _measure(device: torch.device, dtype: torch.dtype) -> float:
    """Return the rate of the fastest of several products, as a busy machine only makes them slower."""
    size = SIZES.get(device.type, SIZES["cpu"])
    left = torch.ones(size, size, device=device, dtype=dtype)
    product = left @ left  # the first one chooses a kernel
    best, until = float("inf"), perf_counter() + SECONDS
    while best == float("inf") or perf_counter() < until:
        _wait(device)
        started = perf_counter()
        torch.matmul(left, left, out=product)
        _wait(device)
        best = min(best, perf_counter() - started)
    return 2 * size**3 / best


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
