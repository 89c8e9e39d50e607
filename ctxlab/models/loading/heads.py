"""Which model class carries which head, and what is new about it."""

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
"""Heads that are new for every task, as published weights have none for its labels."""

POOLED = frozenset({"sequence_classification"})
"""Heads that give one output a window instead of one a token."""

BARE = frozenset({"states"})
"""Heads that give the last hidden state of every token, for a task with modules of its own."""

LAST = ("classifier", "score")
"""What the library calls the projection of hidden states to labels."""

NOTED = frozenset({"masked_lm"})
"""Heads that published weights may lack (sentence encoders): one drawn at random does, but a report must say so."""

SERVING = {
    "causal_lm": "model=smollm2 or model=tiny_llama",
    "masked_lm": "model=minilm or model=tiny_bert",
    "seq2seq_lm": "model=tiny_t5 or model.path=<folder or hub id>",
}
"""What to take where an architecture has no such head."""

UNNAMED = ("LABEL_0", "LABEL_1")
"""The library's own labels, of models whose outputs have no names: its configs leave them out when saved."""


def auto_class(head: str) -> Any:
    """The library's class that loads any architecture with this ``head``.

    Raises:
        UserError: No class is known for it.
    """
    if head not in HEADS:
        raise UserError(
            f"head `{head}` of the task is not one of {', '.join(HEADS)}; add it to ctxlab/models/loading/heads.py."
        )
    return getattr(transformers, HEADS[head])


def kind_of(config: Any) -> str:
    """``encoder``, ``decoder`` or ``encoder_decoder``: what models of this ``config`` are."""
    if has_encoder_and_decoder(config):
        return "encoder_decoder"
    causal = type(config) in auto_class("causal_lm")._model_mapping
    return "decoder" if causal and not _sees_both_sides(config) else "encoder"


def _sees_both_sides(config: Any) -> bool:
    """The library gives BERT and its kin a causal head too, on a body that sees both sides."""
    return type(config) in auto_class("masked_lm")._model_mapping and not getattr(config, "is_decoder", False)


def bare(model: Any, head: str) -> Any:
    """``model``, without the projection to labels where ``head`` wants states: ``logits`` are (B, W, hidden size).

    Raises:
        UserError: The architecture calls its projection something else.
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
    """Raise UserError where no model of the architecture of ``config`` serves with this ``head``."""
    if type(config) not in auto_class(head)._model_mapping or (head == "causal_lm" and _sees_both_sides(config)):
        serving = SERVING.get(head, "a model of another architecture")
        raise UserError(f"A model of type {config.model_type} has no {head} head, which the task needs: use {serving}.")


def label_fields(labels: Sequence[str]) -> dict[str, Any]:
    """``labels`` as fields of a config.

    Without any (language models, whose outputs are their vocabulary, and answers, which have a start and an end) those
    of the library, two without a name: what another task left in the config would be taken for this one's.
    """
    names = dict(enumerate(labels or UNNAMED))
    return {"num_labels": len(names), "id2label": names, "label2id": {name: index for index, name in names.items()}}
