"""Kernels alone: forward and backward pass of every sparse part against dense SDPA, and its growth with the length.

The parts are those of ``conf/strategy/attention``, with the defaults of their files, so that a new part is measured
without being listed here. They are called as a model calls them, through the library's attention and mask interfaces,
and the mask is built every time.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from transformers import BertConfig, BertModel
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from ctxlab.config import catalogue
from ctxlab.config.build import build
from ctxlab.core.strategy import Attention
from ctxlab.core.types import SENTENCE
from ctxlab.strategies.attention.structured import Structured
from scripts.bench.timing import alternate, row

HEADS, WIDTH = 12, 32
LENGTH = 8192
SHORT, LONG = 2048, 16384
AT_LEAST: dict[str, float] = {"local": 7, "dilated": 7, "time_mask": 7, "lsh": 2}
"""Target of each part: how many times faster than dense SDPA at ``LENGTH``; 4 for parts not listed."""
AT_MOST: dict[str, float] = {"lsh": 14}
"""Target of each part: how many times slower with eight times the tokens; 10 for parts not listed."""
DENSE = {"full", "adaptive_span", "dynamic_heads", "scaled"}
"""Parts without a sparse pattern, which have no such targets."""
MEDIUM = 4096
"""Tokens at which the parts of ``DENSE`` are measured."""


def measure(_: Path) -> list[dict[str, Any]]:
    """Compare all parts with dense SDPA at 8,192 tokens, then each with itself at two lengths."""
    names = [name for name in catalogue.options("strategy/attention") if name not in DENSE]
    rows = []
    for dtype in (torch.float32, torch.bfloat16):
        wanted = names if dtype == torch.float32 else ["local"]
        seconds = alternate(
            {"dense": dense(LENGTH, dtype)} | {name: sparse(name, LENGTH, dtype) for name in wanted}, rounds=5
        )
        for name in wanted:
            precision = str(dtype).removeprefix("torch.")
            what = f"{name} attention, forward + backward, {precision}: times faster than dense SDPA at {LENGTH:,}"
            rows.append(row(what, seconds["dense"] / seconds[name], at_least=AT_LEAST.get(name, 4)))
    for name in names:
        actions = {str(length): sparse(name, length, torch.float32) for length in (SHORT, LONG)}
        seconds = alternate(actions, rounds=5)
        growth = seconds[str(LONG)] / seconds[str(SHORT)]
        what = f"… {name}: times as long at {LONG:,} as at {SHORT:,}"
        rows.append(row(what, growth, at_most=AT_MOST.get(name, 10)))
    return rows + shares()


def shares() -> list[dict[str, Any]]:
    """Compare parts that leave out heads or distant tokens with dense SDPA."""
    half = {"reference": MEDIUM // 2, "exponent": 1.0}
    narrow = {"max_span": MEDIUM, "initial": 1 / 8}  # on each side
    wide = {"max_span": MEDIUM, "initial": 1 / 4}
    seconds = alternate(
        {
            "dense": dense(MEDIUM, torch.float32),
            "heads": sparse("dynamic_heads", MEDIUM, torch.float32, **half),
            "narrow": sparse("adaptive_span", MEDIUM, torch.float32, **narrow),
            "wide": sparse("adaptive_span", MEDIUM, torch.float32, **wide),
        },
        rounds=5,
    )
    name = f"forward + backward, float32: time over that of dense SDPA at {MEDIUM:,}"
    span = f"adaptive_span with learned spans of {MEDIUM // 8} tokens on each side, a quarter of the text"
    return [
        row(f"dynamic_heads with half of the heads, {name}", seconds["heads"] / seconds["dense"], at_most=0.65),
        row(f"{span}, {name}", seconds["narrow"] / seconds["dense"], at_most=0.5),
        row(f"… with {MEDIUM // 4} tokens on each side, {name}", seconds["wide"] / seconds["dense"]),
    ]


def tensors(length: int, dtype: torch.dtype) -> list[torch.Tensor]:
    """Return random query, key and value (1, H, L, D)."""
    torch.manual_seed(0)
    return [torch.randn(1, length, HEADS, WIDTH, dtype=dtype).transpose(1, 2).requires_grad_() for _ in range(3)]


def sparse(name: str, length: int, dtype: torch.dtype, **changes: Any) -> Callable[[], None]:
    """Return a step of one layer with the part of that name; ``changes`` override the defaults of its file."""
    part = build(catalogue.read(catalogue.option_file("strategy/attention", name)) | changes, Attention)
    sizes = {"hidden_size": HEADS * WIDTH, "intermediate_size": 8, "vocab_size": 16}
    config: Any = BertConfig.from_dict(sizes | {"num_hidden_layers": 1, "num_attention_heads": HEADS})
    config.attention_probs_dropout_prob = 0.0
    model: Any = BertModel(config)
    part.install(model)
    installed = model.config._attn_implementation
    attend, mask_of = ALL_ATTENTION_FUNCTIONS[installed], ALL_MASK_ATTENTION_FUNCTIONS[installed]
    module, parts = model.encoder.layer[0].attention.self, tensors(length, dtype)
    inputs = {"input_ids": torch.arange(length)[None], "marks": (torch.arange(length)[None] % 32 == 0) * SENTENCE}

    def step() -> None:
        if isinstance(part, Structured):  # a sentence every 32 tokens: the maximum of global tokens
            part.choose_global(inputs)
        mask = mask_of(batch_size=1, q_length=length, kv_length=length)
        query, key, value = parts
        attend(module, query, key, value, mask)[0].sum().backward()

    return step


def dense(length: int, dtype: torch.dtype) -> Callable[[], None]:
    """Return a step of one layer of dense SDPA."""
    parts = tensors(length, dtype)

    def step() -> None:
        query, key, value = parts
        F.scaled_dot_product_attention(query, key, value).sum().backward()

    return step
