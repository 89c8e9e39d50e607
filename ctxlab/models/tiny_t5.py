"""A T5 with random weights, for tests and smoke runs: encoder and decoder with relative positions."""

from typing import Any

from transformers import T5Config

from ctxlab.models.loading.tiny import Tiny


class TinyT5(Tiny):
    """An encoder-decoder with relative positions; heads that classify use its encoder alone, as the library does."""

    def __init__(
        self,
        hidden_size: int = 64,
        num_layers: int = 2,
        num_heads: int = 2,
        seed: int = 0,
        dropout: float | None = None,
        attention_dropout: float = 0.0,
        name: str = "tiny_t5",
        vocabulary: str = "bytes",
    ) -> None:
        """Store the sizes.

        Args:
            hidden_size: Width of the hidden states.
            num_layers: Transformer layers of the encoder, and as many of the decoder.
            num_heads: Attention heads of a layer; divides ``hidden_size``.
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
            "d_model": hidden_size,
            "d_kv": hidden_size // num_heads,
            "d_ff": 4 * hidden_size,
            "num_layers": num_layers,
            "num_heads": num_heads,
        }

    def config(self, **tokens: Any) -> Any:
        """Return a new config; see ``Tiny.config``. A T5 starts generation with the padding token."""
        config = T5Config(**self.sizes, **tokens)
        config.decoder_start_token_id = tokens["pad_token_id"]
        return config
