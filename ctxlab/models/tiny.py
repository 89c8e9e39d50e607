"""What the tiny random models share: one tokenizer, and weights that depend on nothing but a seed."""

import string
from collections.abc import Sequence
from itertools import product
from typing import Any

import torch
from transformers import BertTokenizer

from ctxlab.models.heads import auto_class
from ctxlab.models.loading import NO_LIMIT, quiet

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
MORE_PUNCTUATION = "“”‘’«»–—…•°€£§"


def make_tokenizer() -> Any:
    """Lower-casing WordPiece over letters, pairs of letters, digits and punctuation, made in code."""
    return BertTokenizer(vocab=vocabulary(), do_lower_case=True, model_max_length=NO_LIMIT)


def vocabulary() -> dict[str, int]:
    """Any word of letters and digits has pieces: single ones always fit."""
    pairs = ["".join(pair) for pair in product(string.ascii_lowercase, repeat=2)]
    pieces = [*string.ascii_lowercase, *string.digits, *pairs]
    tokens = [*SPECIAL, *string.punctuation, *MORE_PUNCTUATION, *pieces, *(f"##{piece}" for piece in pieces)]
    return {token: index for index, token in enumerate(tokens)}


def label_names(labels: Sequence[str]) -> dict[str, Any]:
    """``labels`` as fields of a config."""
    names = dict(enumerate(labels))
    return {"id2label": names, "label2id": {name: index for index, name in names.items()}}


def draw(config: Any, head: str, seed: int) -> Any:
    """The model of ``config`` with ``head``, in fp32 and evaluation mode; torch's global seed is left alone."""
    with torch.random.fork_rng(devices=[]), quiet():
        torch.manual_seed(seed)
        return auto_class(head).from_config(config, dtype=torch.float32).eval()
