"""Tiny models with what a mechanism may ask of them, and their way through a folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import DistilBertConfig, LlamaConfig, ModernBertConfig, RobertaConfig

from ctxlab.config import catalogue
from ctxlab.config.build import build, locate
from ctxlab.core.architecture import installed, note_installed
from ctxlab.core.compression import Compressed, Compression, Subject
from ctxlab.core.types import Encoded
from ctxlab.models.loading.checkpointed import Checkpointed, save_tokenizer, save_weights
from ctxlab.models.loading.reduced.rebuild import FAMILY
from ctxlab.models.loading.tiny import draw, make_tokenizer
from ctxlab.optim.tuning.full import Full

TAGS = ("token_classification", ("O", "B", "I"))
SIZES = {"hidden_size": 32, "num_layers": 4, "num_heads": 4}
WIDTH, LAYERS, HEADS = 32, 4, 4
TEXTS = ("the ship sailed to the north with nine men", "an old letter of the captain", "they went home")


@dataclass
class Made:
    """A model on its way."""

    model: Any
    tokenizer: Any
    head: str
    labels: tuple[str, ...]


def tiny(name: str, head: str = TAGS[0], labels=TAGS[1], vocabulary: str = "letters", **sizes) -> Made:
    """A model of ``conf/model``."""
    cls = locate(catalogue.read(catalogue.option_file("model", name))["_target_"])
    source = cls(vocabulary=vocabulary, **SIZES | sizes)
    return Made(source.build(head, list(labels)), source.tokenizer(), head, tuple(labels))


def other(name: str, **fields) -> Made:
    """A small model of an architecture that has no tiny one."""
    tokenizer = make_tokenizer()
    shared = {"vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id, "num_labels": 3}
    config = {
        "distilbert": lambda: DistilBertConfig(dim=WIDTH, n_layers=LAYERS, n_heads=HEADS, hidden_dim=64, **shared),
        "roberta": lambda: RobertaConfig(
            hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS, intermediate_size=64, **shared
        ),
        "modernbert": lambda: ModernBertConfig(
            hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS, intermediate_size=64,
            bos_token_id=2, eos_token_id=3, cls_token_id=2, sep_token_id=3, **shared
        ),
        "grouped": lambda: LlamaConfig(
            hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS, num_key_value_heads=2,
            intermediate_size=64, bos_token_id=2, eos_token_id=3, **shared
        ),
    }[name]()  # fmt: skip
    config.update({"id2label": dict(enumerate(TAGS[1])), "label2id": {label: i for i, label in enumerate(TAGS[1])}})
    return Made(draw(config, TAGS[0], 0), tokenizer, *TAGS)


def ids_of(made: Made) -> torch.Tensor:
    """(1, W) the texts, one after the other."""
    return torch.tensor([made.tokenizer(" ".join(TEXTS))["input_ids"]])


def logits(made: Made, ids: torch.Tensor | None = None) -> torch.Tensor:
    """The model's outputs without dropout; an encoder-decoder is to write the text that it reads."""
    ids = ids_of(made) if ids is None else ids
    writes = {"decoder_input_ids": ids} if made.head == "seq2seq_lm" else {}
    with torch.no_grad():
        return made.model.eval()(input_ids=ids, **writes).logits


def subject(made: Made) -> Subject:
    """What a mechanism gets: documents, and passes with an arbitrary loss."""
    encoded = []
    for text in TEXTS:
        ids = np.asarray(made.tokenizer(text, add_special_tokens=False)["input_ids"])
        encoded.append(Encoded(ids, np.arange(len(ids)), np.zeros(len(ids), np.int64)))

    def read(with_gradient: bool) -> None:
        with torch.set_grad_enabled(with_gradient):
            ids = ids_of(made)
            writes = {"decoder_input_ids": ids} if made.head == "seq2seq_lm" else {}
            out = made.model.eval()(input_ids=ids, **writes).logits
            if with_gradient:
                out.logsumexp(-1).sum().backward()
        made.model.zero_grad()

    return Subject(made.model, made.tokenizer, encoded, read)


def mechanism(name: str, **options) -> Compression:
    """A mechanism as ``conf/compression`` has it."""
    return build(dict(catalogue.read(catalogue.option_file("compression", name))) | options, Compression)


def compress(made: Made, name: str, **options) -> Compressed:
    """Check and compress ``made`` in place."""
    how = mechanism(name, **options)
    how.check(made.model, made.tokenizer)
    found = how.compress(subject(made))
    made.tokenizer = found.tokenizer
    note = installed(made.model.config, FAMILY) | dict(found.note) | {"made_from": "a", "steps": [found.summary]}
    note_installed(made.model.config, FAMILY, note)
    return found


def reloaded(made: Made, folder: Path) -> Made:
    """The model as it comes back from the disk."""
    save_weights(made.model, Full(), folder)
    save_tokenizer(made.tokenizer, 128, folder)
    source = Checkpointed(str(folder))
    return Made(source.build(made.head, list(made.labels)), source.tokenizer(), made.head, made.labels)
