"""Seconds of blocked local attention against flex attention and dense attention, forward and backward."""

from collections.abc import Callable
from functools import lru_cache
from time import perf_counter
from typing import Any

import torch
import torch.nn.functional as F
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

from ctxlab.strategies.attention.local import Local
from scripts.gpu.parts import HEADS, WIDTH, installed

WINDOW = 512
LENGTHS, SMALL_LENGTHS = (8_192, 32_768, 131_072), (512,)
ROUNDS = 5
MOST_DENSE = 32_768
"""Tokens up to which dense attention is timed; it takes four times as long for twice as many."""


def check(device: torch.device, small: bool) -> list[dict[str, Any]]:
    """Return the milliseconds of each kernel at each length, in bf16."""
    rows = []
    for length in SMALL_LENGTHS if small else LENGTHS:
        kernels = {"blocked": _blocked(length, device), "flex attention": _flex(length, device)}
        if length <= MOST_DENSE:
            kernels["dense SDPA"] = _dense(length, device)
        seconds = {name: _seconds(step, device) for name, step in kernels.items()}
        for name, found in seconds.items():
            what = f"{name} at {length:,} tokens, window {WINDOW}, forward and backward, bf16, ms"
            rows.append({"what": what, "measured": 1e3 * found})
        if device.type == "cuda":
            ratio = seconds["flex attention"] / seconds["blocked"]
            rows.append({"what": f"flex attention over blocked at {length:,}, time", "measured": ratio})
    return rows


def _tensors(length: int, device: torch.device) -> list[torch.Tensor]:
    torch.manual_seed(0)
    return [
        torch.randn(1, HEADS, length, WIDTH, device=device, dtype=torch.bfloat16).requires_grad_() for _ in range(3)
    ]


def _blocked(length: int, device: torch.device) -> Callable[[], None]:
    """Return a step of the project's own kernel, whose mask is built every time."""
    module, attend, mask_of = installed(Local(WINDOW, 0), device)
    given = _tensors(length, device)

    def step() -> None:
        mask = mask_of(batch_size=1, q_length=length, kv_length=length, device=device)
        attend(module, *given, mask)[0].sum().backward()

    return step


def _flex(length: int, device: torch.device) -> Callable[[], None]:
    """Return a step of flex attention under the same pattern, compiled on a GPU as its authors advise."""
    given, call = _tensors(length, device), _compiled(device)
    mask = _block_mask(length, device)

    def step() -> None:
        call(*given, block_mask=mask).sum().backward()

    return step


@lru_cache
def _compiled(device: torch.device) -> Callable[..., torch.Tensor]:
    return torch.compile(flex_attention) if device.type == "cuda" else _by_dense_mask


def _by_dense_mask(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *, block_mask: BlockMask
) -> torch.Tensor:
    """Compute what flex attention does where no compiler is needed; its eager form has no backward pass on a CPU."""
    tokens, first = torch.arange(query.shape[2]), torch.zeros((), dtype=torch.long)
    seen = block_mask.mask_mod(first, first, tokens[:, None], tokens[None])
    return F.scaled_dot_product_attention(query, key, value, attn_mask=seen)


@lru_cache
def _block_mask(length: int, device: torch.device) -> BlockMask:
    """Return the mask of the declared pattern, which flex attention needs once for each length."""
    part = Local(WINDOW, 0)

    def seen(_: torch.Tensor, __: torch.Tensor, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        return part.allowed(query, key, length)

    return create_block_mask(seen, B=None, H=None, Q_LEN=length, KV_LEN=length, device=str(device))


def _dense(length: int, device: torch.device) -> Callable[[], None]:
    query, key, value = _tensors(length, device)

    def step() -> None:
        F.scaled_dot_product_attention(query, key, value).sum().backward()

    return step


def _seconds(step: Callable[[], None], device: torch.device) -> float:
    """Return the shortest time of a step, after one that compiles."""
    found = []
    for _ in range(ROUNDS + 1):
        started = perf_counter()
        step()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        found.append(perf_counter() - started)
    return min(found[1:])
