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
        vocabulary: str = "letters",
    ) -> None:
        """Store the sizes; ``trained_length`` is the trained length of the rotary positions, in tokens."""
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
        """A new config; see ``Tiny.config``."""
        config = LlamaConfig(
            use_cache=False,  # whole windows are read at once
            rope_parameters={"rope_type": "default", "rope_theta": self.rope_theta},
            **self.sizes,
            **tokens,
        )
        config.classifier_dropout = 0.1 if self.dropout is None else self.dropout  # 0.1 is the library's own
        return config
