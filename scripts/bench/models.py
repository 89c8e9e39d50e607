"""The models that are compared: BERT of MiniLM's sizes with a part of ctxlab, and the library's Longformer."""

from collections.abc import Callable
from typing import Any

import torch
from transformers import BertConfig, BertForTokenClassification, LongformerConfig, LongformerForTokenClassification

from ctxlab.runtime.dropout import use_words
from ctxlab.strategies.attention.full import Full
from ctxlab.strategies.attention.local import Local
from ctxlab.strategies.positions.tile import Tile

WINDOW = 128
SIZES: dict[str, Any] = {
    "hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 1536,
    "vocab_size": 30522, "num_labels": 9, "attention_probs_dropout_prob": 0.0,
}  # fmt: skip


def bert(length: int, attention: Local | Full) -> torch.nn.Module:
    """Return a BERT of MiniLM's sizes with random weights, made ready as for ``ctxlab train``."""
    torch.manual_seed(0)
    model = BertForTokenClassification(BertConfig(**SIZES))
    Tile().extend(model, length)
    attention.install(model)
    use_words(model)
    return model


def longformer(length: int) -> torch.nn.Module:
    """Return the library's Longformer of the same sizes, whose window counts both sides."""
    torch.manual_seed(0)
    config = LongformerConfig(**SIZES, attention_window=2 * WINDOW, max_position_embeddings=length + 2, pad_token_id=1)
    return LongformerForTokenClassification(config)


def training_step(model: torch.nn.Module, length: int, *, bf16: bool, rows: int = 1) -> Callable[[], None]:
    """Return a step to time: forward pass, backward pass and AdamW on random tokens.

    Args:
        model: A model with one output per token and class.
        length: Tokens of a row.
        bf16: Whether to compute in bf16.
        rows: Rows of the batch.
    """
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    tokens = torch.randint(5, 30000, (rows, length))
    labels = torch.randint(0, 9, (rows, length))

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            logits = model(input_ids=tokens, attention_mask=torch.ones_like(tokens)).logits
        torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), labels.flatten()).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step
