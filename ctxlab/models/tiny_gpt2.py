"""A GPT-2 with random weights, for tests and smoke runs: a decoder with learned positions, built in under a second."""

from dataclasses import dataclass
from typing import Any

from transformers import GPT2Config

from ctxlab.models.loading.tiny import Tiny


@dataclass(kw_only=True, eq=False)
class TinyGpt2(Tiny):
    """A decoder with learned positions."""

    trained_length: int = 1024
    """Positions of the learned table."""

    def config(self, **tokens: Any) -> Any:
        """Return a new config; see ``Tiny.config``."""
        config = GPT2Config(
            use_cache=False,  # whole windows are read at once
            n_embd=self.hidden_size,
            n_layer=self.num_layers,
            n_head=self.num_heads,
            n_positions=self.trained_length,
            **tokens,
        )
        config.classifier_dropout = 0.1 if self.dropout is None else self.dropout  # 0.1 is the library's own
        return config
