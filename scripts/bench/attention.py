"""The kernel alone: forward and backward of local attention against dense SDPA."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from ctxlab.strategies.attention.local import Local
from scripts.bench.models import WINDOW
from scripts.bench.timing import row, take_turns

HEADS, WIDTH = 12, 32


def measure(_: Path) -> list[dict[str, Any]]:
    """At 8,192 tokens in fp32 and bf16, and growth with the length."""
    rows = []
    for dtype in (torch.float32, torch.bfloat16):
        seconds = take_turns({"local": local(8192, dtype), "dense": dense(8192, dtype)}, rounds=5)
        name = str(dtype).removeprefix("torch.")
        what = f"local attention, forward + backward, {name}: times faster than dense SDPA at 8,192"
        rows.append(row(what, seconds["dense"] / seconds["local"], at_least=7))
    return rows


def tensors(length: int, dtype: torch.dtype) -> list[torch.Tensor]:
    """Query, key and value (1, H, L, D)."""
    torch.manual_seed(0)
    return [torch.randn(1, length, HEADS, WIDTH, dtype=dtype).transpose(1, 2).requires_grad_() for _ in range(3)]


def local(length: int, dtype: torch.dtype) -> Callable[[], None]:
    """One layer of ctxlab's local attention, its mask built anew."""
    part, parts, module = Local(WINDOW, 1), tensors(length, dtype), torch.nn.Module()

    def step() -> None:
        mask = part._mask(batch_size=1, q_length=length, kv_length=length)
        query, key, value = parts
        part._attend(module, query, key, value, mask)[0].sum().backward()

    return step


def dense(length: int, dtype: torch.dtype) -> Callable[[], None]:
    """One layer of the library's best dense attention."""
    parts = tensors(length, dtype)

    def step() -> None:
        query, key, value = parts
        F.scaled_dot_product_attention(query, key, value).sum().backward()

    return step
