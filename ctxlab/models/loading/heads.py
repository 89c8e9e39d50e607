"""Model classes by head, and properties of heads."""

from collections.abc import Sequence
from typing import Any

import torch
import transformers

from ctxlab.core.architecture import has_encoder_and_decoder
from ctxlab.core.errors import UserError

HEADS = {
    "token_classification": "AutoModelForTokenClassification",
    "sequence_classification": "AutoModelForSequenceClassification",
    "question_answering": "AutoModelForQuestionAnswering",
    "causal_lm": "AutoModelForCausalLM",
    "masked_lm": "AutoModelForMaskedLM",
    "seq2seq_lm": "AutoModelForSeq2SeqLM",
    "body": "AutoModel",
    "states": "AutoModelForTokenClassification",
}

NEW = frozenset({"token_classification", "sequence_classification", "question_answering", "states"})
"""Heads that are new for every task, because published weights have none for its labels."""

POOLED = frozenset({"sequence_classification"})
"""Heads with one output per window instead of one per token."""

BARE = frozenset({"states"})
"""Heads that return the last hidden state of every token, for tasks with modules of their own."""

LAST = ("classifier", "score")
"""The library's names for the projection of hidden states to labels."""

NOTED = frozenset({"masked_lm"})
"""Heads that published weights may lack (sentence encoders); a randomly initialised one is noted in the report."""

SERVING = {
    "causal_lm": "model=smollm2 or model=tiny_llama",
    "masked_lm": "model=minilm or model=tiny_bert",
    "seq2seq_lm": "model=tiny_t5 or model.path=<folder or hub id>",
}
"""Head → models to suggest if an architecture does not have it."""

UNNAMED = ("LABEL_0", "LABEL_1")
"""The library's default labels of models without label names, which its saved configs omit."""


def auto_class(head: str) -> Any:
    """Return the library's class that loads any architecture with this ``head``.

    Raises:
        UserError: No class is known for it.
    """
    if head not in HEADS:
        raise UserError(
            f"head `{head}` of the task is not one of {', '.join(HEADS)}; add it to ctxlab/models/loading/heads.py."
        )
    return getattr(transformers, HEADS[head])


def kind_of(config: Any) -> str:
    """Return the kind of a ``config``: ``encoder``, ``decoder`` or ``encoder_decoder``."""
    if has_encoder_and_decoder(config):
        return "encoder_decoder"
    causal = type(config) in auto_class("causal_lm")._model_mapping
    return "decoder" if causal and not _sees_both_sides(config) else "encoder"


def _sees_both_sides(config: Any) -> bool:
    """Return whether attention is bidirectional: the library offers a causal head for BERT-like models too."""
    return type(config) in auto_class("masked_lm")._model_mapping and not getattr(config, "is_decoder", False)


def bare(model: Any, head: str) -> Any:
    """Remove the projection to labels if ``head`` returns states: ``logits`` are then (B, W, hidden size).

    Raises:
        UserError: The projection of the architecture has another name.
    """
    if head not in BARE:
        return model
    for name in LAST:
        if isinstance(getattr(model, name, None), torch.nn.Linear):
            setattr(model, name, torch.nn.Identity())
            return model
    raise UserError(
        f"{type(model).__name__} has no projection called {' or '.join(LAST)}, which the {head} head of the task "
        "leaves out: use model=minilm or another BERT."
    )


def check_head(config: Any, head: str) -> None:
    """Raise UserError if the architecture of ``config`` has no model with this ``head``."""
    if type(config) not in auto_class(head)._model_mapping or (head == "causal_lm" and _sees_both_sides(config)):
        serving = SERVING.get(head, "a model of another architecture")
        raise UserError(f"A model of type {config.model_type} has no {head} head, which the task needs: use {serving}.")


def label_fields(labels: Sequence[str]) -> dict[str, Any]:
    """Return ``labels`` as fields of a config.

    Without labels (language models, and answers with a start and an end) these are the library's defaults, so that
    labels of another task in the config are not mistaken for this one's.
    """
    names = dict(enumerate(labels or UNNAMED))
    return {"num_labels": len(names), "id2label": names, "label2id": {name: index for index, name in names.items()}}
