"""A Llama with random weights, for tests and smoke runs: a decoder with rotary positions, built in under a second."""

from typing import Any

from transformers import LlamaConfig

from ctxlab.models.loading.tiny import Tiny


class TinyLlama(Tiny):
    """A decoder with rotary positions."""

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
        vocabulary: str = "bytes",
    ) -> None:
        """Store the sizes.

        Args:
            hidden_size: Width of the hidden states.
            num_layers: Transformer layers.
            num_heads: Attention heads of a layer; divides ``hidden_size``.
            trained_length: Tokens that the rotary positions are considered trained for.
            rope_theta: Base of the rotary frequencies.
            seed: Seed of the random weights.
            dropout: Rate before the head, 0 to 1; None means 0.1.
            attention_dropout: Rate on attention probabilities, 0 to 1; above 0 long windows are over 20 times
                slower on a CPU.
            name: Name in results.
            vocabulary: ``letters`` (pieces of English words) or ``bytes`` (one token per byte, any script).
        """
        super().__init__(
            name=name, seed=seed, dropout=dropout, attention_dropout=attention_dropout, vocabulary=vocabulary
        )
        self.rope_theta = rope_theta
        self.sizes: dict[str, Any] = {
            "hidden_size": hidden_size,
            "num_hidden_layers": num_layers,
            "num_attention_heads": num_heads,
            "intermediate_size": 4 * hidden_size,
            "max_position_embeddings": trained_length,
        }

    def config(self, **tokens: Any) -> Any:
        """Return a new config; see ``Tiny.config``."""
        config = LlamaConfig(
            use_cache=False,  # whole windows are read at once
            rope_parameters={"rope_type": "default", "rope_theta": self.rope_theta},
            **self.sizes,
            **tokens,
        )
        config.classifier_dropout = 0.1 if self.dropout is None else self.dropout  # 0.1 is the library's own
        return config
