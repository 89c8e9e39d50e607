"""A BERT with random weights, for tests and smoke runs, built in under a second without any file."""

from typing import Any

from transformers import BertConfig

from ctxlab.models.loading.tiny import Tiny


class TinyBert(Tiny):
    """An encoder with learned positions."""

    def __init__(
        self,
        hidden_size: int = 64,
        num_layers: int = 2,
        num_heads: int = 2,
        trained_length: int = 512,
        seed: int = 0,
        dropout: float | None = None,
        attention_dropout: float = 0.0,
        name: str = "tiny_bert",
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
            "hidden_size": hidden_size,
            "num_hidden_layers": num_layers,
            "num_attention_heads": num_heads,
            "intermediate_size": 4 * hidden_size,
            "max_position_embeddings": trained_length,
        }

    def config(self, **tokens: Any) -> Any:
        """Return a new config; see ``Tiny.config``."""
        return BertConfig(vocab_size=tokens["vocab_size"], pad_token_id=tokens["pad_token_id"], **self.sizes)
