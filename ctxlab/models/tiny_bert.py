"""A BERT with random weights, for tests and smoke runs: built in under a second, from nothing but this file."""

from collections.abc import Sequence
from typing import Any

from transformers import BertConfig

from ctxlab.models import tiny
from ctxlab.models.dropout import set_dropout
from ctxlab.models.loading import Configure


class TinyBert:
    """Random weights, the same for the same ``seed``, whatever torch's global seed is."""

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
    ) -> None:
        """Take sizes; ``trained_length`` is the number of positions in the table, in tokens."""
        self.name, self.seed = name, seed
        self.dropout, self.attention_dropout = dropout, attention_dropout
        self.sizes: dict[str, Any] = {
            "hidden_size": hidden_size,
            "num_hidden_layers": num_layers,
            "num_attention_heads": num_heads,
            "intermediate_size": 4 * hidden_size,
            "max_position_embeddings": trained_length,
        }

    def tokenizer(self) -> Any:
        """Lower-casing WordPiece over letters, pairs of letters, digits and punctuation, made in code."""
        return tiny.make_tokenizer()

    def build(self, head: str, labels: Sequence[str], configure: Configure | None = None) -> Any:
        """The model with a head for ``labels``, in fp32 and evaluation mode; see ``Pretrained.build``."""
        config = BertConfig(vocab_size=len(tiny.vocabulary()), **tiny.label_names(labels), **self.sizes)
        set_dropout(config, self.dropout, self.attention_dropout)
        if configure is not None:
            configure(config)
        return tiny.draw(config, head, self.seed)
