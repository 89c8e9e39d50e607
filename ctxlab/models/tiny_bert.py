"""A BERT with random weights, for tests and smoke runs, built in under a second without any file."""

from dataclasses import dataclass
from typing import Any

from transformers import BertConfig

from ctxlab.models.loading.tiny import Tiny


@dataclass(kw_only=True, eq=False)
class TinyBert(Tiny):
    """An encoder with learned positions."""

    trained_length: int = 512
    """Positions of the learned table."""

    def config(self, **tokens: Any) -> Any:
        """Return a new config; see ``Tiny.config``."""
        return BertConfig(
            vocab_size=tokens["vocab_size"],
            pad_token_id=tokens["pad_token_id"],
            hidden_size=self.hidden_size,
            num_hidden_layers=self.num_layers,
            num_attention_heads=self.num_heads,
            intermediate_size=4 * self.hidden_size,
            max_position_embeddings=self.trained_length,
        )
