"""A Llama with random weights, for tests and smoke runs: a decoder with rotary positions, built in under a second."""

import copy
from collections.abc import Sequence
from typing import Any

from transformers import LlamaConfig

from ctxlab.models import tiny
from ctxlab.models.dropout import set_dropout
from ctxlab.models.loading import Configure


class TinyLlama:
    """Random weights, the same for the same ``seed``, whatever torch's global seed is."""

    def __init__(
        self,
        hidden_size: int = 64,
        num_layers: int = 2,
        num_heads: int = 2,
        trained_length: int = 1024,
        rope_theta: float = 10_000.0,
        seed: int = 0,
        dropout: float | None = None,
        attention_dropout: float = 0.0,
        name: str = "tiny_llama",
    ) -> None:
        """Take sizes; ``trained_length`` is what the rotary positions count as trained for, in tokens."""
        self.name, self.seed = name, seed
        self.dropout, self.attention_dropout = dropout, attention_dropout
        self.sizes: dict[str, Any] = {
            "hidden_size": hidden_size,
            "num_hidden_layers": num_layers,
            "num_attention_heads": num_heads,
            "intermediate_size": 4 * hidden_size,
            "max_position_embeddings": trained_length,
            "rope_parameters": {"rope_type": "default", "rope_theta": rope_theta},
        }

    def tokenizer(self) -> Any:
        """The tokenizer of all tiny models: lower-casing WordPiece, made in code."""
        return tiny.make_tokenizer()

    def build(self, head: str, labels: Sequence[str], configure: Configure | None = None) -> Any:
        """The model with a head for ``labels``, in fp32 and evaluation mode; see ``Pretrained.build``."""
        ids = tiny.vocabulary()
        config = LlamaConfig(
            vocab_size=len(ids),
            pad_token_id=ids["[PAD]"],
            bos_token_id=ids["[CLS]"],
            eos_token_id=ids["[SEP]"],
            use_cache=False,  # whole windows are read at once
            **tiny.label_names(labels),
            **copy.deepcopy(self.sizes),
        )
        set_dropout(config, self.dropout, self.attention_dropout)
        config.classifier_dropout = 0.1 if self.dropout is None else self.dropout  # 0.1 is the library's own
        if configure is not None:
            configure(config)
        return tiny.draw(config, head, self.seed)
