"""Torch's own counter of operations, as an oracle of ours.

It sees attention only where that runs in the MATH kernel, and is told the closed formulae of fused attention that is
called directly.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

FUSED = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
FUSED_BACKWARD = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward


def pairs(query, key):
    """B · H · queries · keys of shapes (B, H, tokens, D)."""
    return query[0] * query[1] * query[2] * key[2]


FORMULAE = {
    FUSED: lambda query, key, value, *_, **__: 2 * pairs(query, key) * (query[3] + value[3]),
    FUSED_BACKWARD: lambda _, query, key, value, *__, **___: 4 * pairs(query, key) * (query[3] + value[3]),
}


@contextmanager
def torchs_counter() -> Iterator[FlopCounterMode]:
    """Counts what runs inside."""
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False, custom_mapping=FORMULAE) as counter:
        yield counter
