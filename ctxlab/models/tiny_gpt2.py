"""A GPT-2 with random weights, for tests and smoke runs: a decoder with learned positions, built in under a second."""

from typing import Any

from transformers import GPT2Config

from ctxlab.models.loading.tiny import Tiny


class TinyGpt2(Tiny):
    """A decoder with learned positions."""

    def __init__(
        self,
        hidden_size: int = 64,
        num_layers: int = 2,
        num_heads: int = 2,
        trained_length: int = 1024,
        seed: int = 0,
        dropout: float | None = None,
        attention_dropout: float = 0.0,
        name: str = "tiny_gpt2",
        vocabulary: str = "bytes",
    ) -> None:
        """Store the sizes.

        Args:
            hidden_size: Width of the hidden states.
            num_layers: Transformer layers.
            num_heads: Attention heads of a layer; divides ``hidden_size``.
            trained_length: Positions of the learned table.
            seed: Seed of the random weights.
            dropout: Rate on hidden states, 0 to 1; None means 0.1.
            attention_dropout: Rate on attention probabilities, 0 to 1; above 0 long windows are over 20 times
                slower on a CPU.
            name: Name in results.
            vocabulary: ``letters`` (pieces of English words) or ``bytes`` (one token per byte, any script).
        """
        super().__init__(
            name=name, seed=seed, dropout=dropout, attention_dropout=attention_dropout, vocabulary=vocabulary
        )
        self.sizes: dict[str, Any] = {
            "n_embd": hidden_size,
            "n_layer": num_layers,
            "n_head": num_heads,
            "n_positions": trained_length,
        }

    def config(self, **tokens: Any) -> Any:
        """Return a new config; see ``Tiny.config``."""
        config = GPT2Config(use_cache=False, **self.sizes, **tokens)  # whole windows are read at once
        config.classifier_dropout = 0.1 if self.dropout is None else self.dropout  # 0.1 is the library's own
        return config
