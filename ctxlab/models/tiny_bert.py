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
        vocabulary: str = "letters",
    ) -> None:
        """Store the sizes; ``trained_length`` is the number of positions in the table, in tokens."""
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
        """A new config; see ``Tiny.config``."""
        return BertConfig(vocab_size=tokens["vocab_size"], pad_token_id=tokens["pad_token_id"], **self.sizes)
