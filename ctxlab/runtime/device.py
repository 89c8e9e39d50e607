"""Device and precision of a model, by accelerate."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from ctxlab.core.errors import UserError

STARTERS = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""Environment variables by which accelerate notices other processes."""


def make_accelerator(device: str, precision: str, *, deterministic: bool = False) -> Accelerator:
    """Return an accelerator for ``auto | cpu | cuda`` and ``auto | fp32 | bf16 | fp16``.

    ``auto`` chooses bf16 if the hardware multiplies it natively, else fp32.

    Args:
        device: Name of the device.
        precision: Name of the precision.
        deterministic: Whether operations that add in a different order every time are refused, or replaced by slower
            ones where torch has them. A CPU has none.

    Raises:
        UserError: The device is missing or does not support the precision.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("trainer.device=cuda finds no CUDA device; use trainer.device=auto or cpu.")
    on_cuda = device != "cpu" and torch.cuda.is_available()
    if precision == "fp16" and not on_cuda:
        raise UserError("trainer.precision=fp16 needs a CUDA device; use trainer.precision=auto, bf16 or fp32.")
    if precision == "auto":
        precision = "bf16" if _multiplies_bf16(on_cuda) else "fp32"
    if deterministic and on_cuda:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS asks for it, before its first product
    torch.use_deterministic_algorithms(deterministic)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # takes time
    AcceleratorState._reset_state(reset_partial_state=True)  # jobs of one multirun may differ in precision
    with _alone():
        return Accelerator(cpu=device == "cpu", mixed_precision="no" if precision == "fp32" else precision)


def slow_precision(accelerator: Accelerator) -> str | None:
    """Return a sentence for the screen and the report where the hardware computes the precision in software only."""
    on_cuda = accelerator.device.type == "cuda"
    if accelerator.mixed_precision != "bf16" or _multiplies_bf16(on_cuda):
        return None
    return (
        "trainer.precision=bf16: this machine has no instructions for bf16 and computes its products in software, "
        "many times slower than those of trainer.precision=fp32."
    )


@contextmanager
def _alone() -> Iterator[None]:
    """Hide the other processes of the run from accelerate, whose wrapper cannot share uneven steps."""
    hidden = {name: os.environ.pop(name) for name in STARTERS if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(hidden)


def _multiplies_bf16(on_cuda: bool) -> bool:
    if on_cuda:
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
