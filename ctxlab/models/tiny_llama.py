"""A Llama with random weights, for tests and smoke runs: a decoder with rotary positions, built in under a second."""

from dataclasses import dataclass
from typing import Any

from transformers import LlamaConfig

from ctxlab.models.loading.tiny import Tiny


@dataclass(kw_only=True, eq=False)
class TinyLlama(Tiny):
    """A decoder with rotary positions."""

    trained_length: int = 1024
    """Tokens that its rotary positions are considered trained for."""
    rope_theta: float = 10_000.0
    """Base of the rotary frequencies."""

    def config(self, **tokens: Any) -> Any:
        """Return a new config; see ``Tiny.config``."""
        config = LlamaConfig(
            use_cache=False,  # whole windows are read at once
            hidden_size=self.hidden_size,
            num_hidden_layers=self.num_layers,
            num_attention_heads=self.num_heads,
            intermediate_size=4 * self.hidden_size,
            max_position_embeddings=self.trained_length,
            rope_parameters={"rope_type": "default", "rope_theta": self.rope_theta},
            **tokens,
        )
        config.classifier_dropout = 0.1 if self.dropout is None else self.dropout  # 0.1 is the library's own
        return config
