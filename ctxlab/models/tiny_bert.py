"""A BERT with random weights, for tests and smoke runs: built in under a second, from nothing but this file."""

import string
from collections.abc import Sequence
from itertools import product
from typing import Any

import torch
from transformers import BertConfig, BertTokenizer

from ctxlab.models.dropout import set_dropout
from ctxlab.models.heads import auto_class
from ctxlab.models.loading import NO_LIMIT, Configure, quiet

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
MORE_PUNCTUATION = "“”‘’«»–—…•°€£§"


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
        return BertTokenizer(vocab=_vocabulary(), do_lower_case=True, model_max_length=NO_LIMIT)

    def build(self, head: str, labels: Sequence[str], configure: Configure | None = None) -> Any:
        """The model with a head for ``labels``, in fp32 and evaluation mode; see ``Pretrained.build``."""
        names = dict(enumerate(labels))
        config = BertConfig(
            vocab_size=len(_vocabulary()),
            id2label=names,
            label2id={name: index for index, name in names.items()},
            **self.sizes,
        )
        set_dropout(config, self.dropout, self.attention_dropout)
        if configure is not None:
            configure(config)
        with torch.random.fork_rng(devices=[]), quiet():
            torch.manual_seed(self.seed)
            return auto_class(head).from_config(config, dtype=torch.float32).eval()


def _vocabulary() -> dict[str, int]:
    """Any word of letters and digits has pieces: single ones always fit."""
    pairs = ["".join(pair) for pair in product(string.ascii_lowercase, repeat=2)]
    pieces = [*string.ascii_lowercase, *string.digits, *pairs]
    tokens = [*SPECIAL, *string.punctuation, *MORE_PUNCTUATION, *pieces, *(f"##{piece}" for piece in pieces)]
    return {token: index for index, token in enumerate(tokens)}
