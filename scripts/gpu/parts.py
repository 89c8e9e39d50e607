"""Every attention part against dense attention under its declared pattern, forward and backward.

Shape legend: H heads, L tokens, D head width.
"""

from typing import Any

import torch
from transformers import BertConfig, BertModel
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from ctxlab.config import catalogue
from ctxlab.config.build import build
from ctxlab.core.strategy import Attention
from ctxlab.core.types import SENTENCE
from ctxlab.strategies.attention.structured import Structured

HEADS, WIDTH = 4, 64
LENGTH, SMALL_LENGTH = 2048, 640

TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 3e-2}
"""Largest relative deviation (Frobenius norm) from dense attention in float64."""

SENTENCE_TOKENS = 32


def check(device: torch.device, small: bool) -> list[dict[str, Any]]:
    """Return the deviation of outputs and gradients of each exact part, in fp32 and bf16."""
    length = SMALL_LENGTH if small else LENGTH
    rows = []
    for name in catalogue.options("strategy/attention"):
        part = build(catalogue.read(catalogue.option_file("strategy/attention", name)), Attention)
        if not part.exact or part.reweights:
            continue
        for dtype, most in TOLERANCE.items():
            found = _deviation(part, length, device, dtype)
            what = f"{name}, {str(dtype).removeprefix('torch.')}: output and gradients against dense attention"
            rows.append({"what": what, "measured": found, "target": most, "met": found <= most})
    return rows


def _deviation(part: Attention, length: int, device: torch.device, dtype: torch.dtype) -> float:
    """Return the largest relative deviation of the outputs and the three gradients."""
    module, attend, mask_of = installed(part, device)
    tokens = torch.arange(length, device=device)
    marks = (tokens[None] % SENTENCE_TOKENS == 0) * SENTENCE
    inputs = {"input_ids": tokens[None], "attention_mask": torch.ones_like(tokens[None]), "marks": marks}
    if isinstance(part, Structured):
        part.choose_global(inputs)
    torch.manual_seed(0)
    given = [torch.randn(1, HEADS, length, WIDTH, device=device).to(dtype).requires_grad_() for _ in range(3)]
    weight = torch.randn(1, length, HEADS, WIDTH, device=device).to(dtype)
    mask = mask_of(batch_size=1, q_length=length, kv_length=length, device=device)
    output = attend(module, *given, mask)[0]  # (1, L, H, D)
    found = [output, *torch.autograd.grad(output, given, weight)]
    wide = [one.detach().double().requires_grad_() for one in given]
    seen = torch.stack(
        [part.pattern_of_head(inputs, 0, head, HEADS)(tokens[:, None], tokens[None], length) for head in range(HEADS)]
    )  # (H, L, L)
    query, key, value = wide
    sharp = part.sharpening(seen.sum(-1, keepdim=True)).double()  # (H, L, 1)
    scores = (query @ key.transpose(-1, -2) * WIDTH**-0.5 * sharp).masked_fill(~seen[None], -torch.inf)
    dense = (scores.softmax(-1) @ value).transpose(1, 2)  # (1, L, H, D)
    expected = [dense, *torch.autograd.grad(dense, wide, weight.double())]
    return max(
        float((a.double() - b).detach().norm() / b.detach().norm()) for a, b in zip(found, expected, strict=True)
    )


def installed(part: Attention, device: torch.device) -> tuple[Any, Any, Any]:
    """Return the module of a model's only layer, and the functions of attention and mask that it calls."""
    sizes = {"hidden_size": HEADS * WIDTH, "intermediate_size": 8, "vocab_size": 16, "num_hidden_layers": 1}
    config: Any = BertConfig.from_dict({**sizes, "num_attention_heads": HEADS})
    config.attention_probs_dropout_prob = 0.0
    model: Any = BertModel(config)
    model.to(device)
    part.install(model)
    name = model.config._attn_implementation
    return (
        model.encoder.layer[0].attention.self,
        ALL_ATTENTION_FUNCTIONS[name],
        ALL_MASK_ATTENTION_FUNCTIONS[name],
    )
