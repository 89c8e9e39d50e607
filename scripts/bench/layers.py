"""Whole layers: ctxlab's bigbird and lsh in a BERT against the library's BigBird and Reformer of the same sizes.

The patterns have the same sizes (blocks and random blocks; chunk and rounds). Forward and backward pass in fp32.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import BertConfig, BertModel, BigBirdConfig, BigBirdModel, ReformerConfig, ReformerModel

from ctxlab.config import catalogue
from ctxlab.config.build import build
from ctxlab.core.strategy import Attention
from scripts.bench.timing import alternate, row

LENGTH, LAYERS, HIDDEN, HEADS, INNER, VOCABULARY = 8192, 2, 384, 12, 1536, 1000
SIZES: dict[str, Any] = {
    "hidden_size": HIDDEN, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "vocab_size": VOCABULARY,
    "hidden_dropout_prob": 0.0, "max_position_embeddings": LENGTH, "pad_token_id": 0,
}  # fmt: skip


def measure(_: Path) -> list[dict[str, Any]]:
    """Return the seconds of the library's model over those of ours."""
    torch.manual_seed(0)
    models = {"bigbird": ours("bigbird"), "lsh": ours("lsh"), "BigBirdModel": bigbird(), "ReformerModel": reformer()}
    seconds = alternate({name: step(model) for name, model in models.items()}, rounds=3)
    what = "layers, forward + backward, float32: times faster than"
    return [
        row(f"{mine} {what} {other} at {LENGTH:,}", seconds[other] / seconds[mine], at_least=2)
        for mine, other in (("bigbird", "BigBirdModel"), ("lsh", "ReformerModel"))
    ]


def ours(name: str) -> torch.nn.Module:
    """Return a BERT with a part installed, with the defaults of its file."""
    config = BertConfig(**SIZES, intermediate_size=INNER, attention_probs_dropout_prob=0.0)
    model = BertModel(config, add_pooling_layer=False)
    options(name, built=True).install(model)
    return model


def options(name: str, *, built: bool = False) -> Any:
    """Return the keys of a part's file, or the part itself if ``built``."""
    config = catalogue.read(catalogue.option_file("strategy/attention", name))
    return build(config, Attention) if built else config


def bigbird() -> torch.nn.Module:
    """Return a block-sparse BigBird; it must not see a short batch, which would switch it to full attention for
    good."""
    part = options("bigbird")
    config = BigBirdConfig(
        **SIZES, intermediate_size=INNER, attention_probs_dropout_prob=0.0, attention_type="block_sparse",
        block_size=part["block"], num_random_blocks=part["num_random"],
    )  # fmt: skip
    model = BigBirdModel(config, add_pooling_layer=False)
    assert model.attention_type == "block_sparse"
    return model


def reformer() -> torch.nn.Module:
    """Return a Reformer of LSH layers only, with our chunk, rounds and number of buckets."""
    part = options("lsh")
    config = ReformerConfig(
        **SIZES, attn_layers=["lsh"] * LAYERS, attention_head_size=HIDDEN // HEADS, feed_forward_size=INNER,
        lsh_attn_chunk_length=part["chunk"], num_hashes=part["rounds"], num_buckets=[16, 16], hash_seed=0,
        axial_pos_embds=False, hidden_act="gelu",
    )  # fmt: skip
    return ReformerModel(config)


def step(model: torch.nn.Module) -> Callable[[], None]:
    """Return a step: forward and backward pass on random tokens."""
    model.train()
    tokens = torch.randint(5, VOCABULARY, (1, LENGTH))
    upstream: list[torch.Tensor] = []

    def act() -> None:
        states = model(input_ids=tokens).last_hidden_state
        if not upstream:  # random, because the sum of normalised states has no gradient
            upstream.append(torch.randn_like(states))
        states.backward(upstream[0])
        model.zero_grad()

    return act
