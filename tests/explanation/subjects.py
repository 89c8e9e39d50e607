"""Documents in front of tiny random models, and of functions whose explanations are known in closed form."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from ctxlab.command.compose import compose
from ctxlab.core.explanation import SENTENCE, TOKEN, WORD, Subject, Target
from ctxlab.core.types import Encoded
from ctxlab.models.loading.heads import POOLED
from ctxlab.models.tiny_bert import TinyBert
from ctxlab.models.tiny_llama import TinyLlama
from ctxlab.optim.tuning.full import Full
from ctxlab.runtime.explaining.document import ReadDocument
from ctxlab.runtime.reader import Reader
from ctxlab.tasks.classification import Classification
from ctxlab.tasks.lm import LM, next_tokens
from ctxlab.tasks.ner import NER
from ctxlab.workbench.assemble import assemble
from ctxlab.workbench.parts import make_strategy

MASK, PAD, SPECIAL = 4, 0, 3
NOTHING = Target("all", np.zeros(0, np.int64), lambda rows: rows.sum())


class Game(Subject):
    """A document of words that are sentences too, whose score is a function of which words are there."""

    def __init__(self, worth: Callable[[np.ndarray], float], count: int) -> None:
        self.worth, self.num_tokens, self.asked = worth, count, 0
        each = [np.array([i]) for i in range(count)]
        self.units = {TOKEN: each, WORD: each, SENTENCE: each}

    def scores(self, target: Target, hidden: Sequence[np.ndarray]) -> np.ndarray:
        self.asked += len(hidden)
        return np.array([self.worth(~np.isin(np.arange(self.num_tokens), own)) for own in hidden])

    def path(self, target: Target, shares: np.ndarray, baseline: str) -> Any:
        raise NotImplementedError

    def attended(self, target: Target, longest: int) -> Any:
        raise NotImplementedError


def tiny(kind: str, *words: str, length: int = 32, layers: int = 2, scale: float = 3.0) -> tuple[Any, Any, Any]:
    """Task, strategy and model of ``ner``, ``classification`` or ``lm``; random weights, large enough to matter."""
    torch.manual_seed(0)
    source = (TinyLlama if kind == "lm" else TinyBert)(hidden_size=32, num_layers=layers)
    if kind == "classification":
        task: Any = Classification(labels=["a", "b"])
    else:
        task = LM() if kind == "lm" else NER(["X"])
        if kind == "ner":
            task.learn_labels([])
    strategy = make_strategy(compose("train", words or ["strategy=chunk"]).strategy)
    model, _ = assemble(strategy, source, task, Full(), length)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(scale)
            if not parameter.any():  # such as a projection that begins at zero, behind which nothing would matter
                parameter.normal_(0, 0.05)
    return task, strategy, model.eval()


def encoded(count: int, seed: int = 0, sentence: int = 6) -> Encoded:
    """Random tokens between special ones."""
    ids = np.random.default_rng(seed).integers(6, 200, count)
    return Encoded(ids, np.arange(count), next_tokens(ids), before=(SPECIAL,), after=(SPECIAL,),
                   marks=(np.arange(count) % sentence == 0).astype(np.int64))  # fmt: skip


def document(
    task: Any, strategy: Any, model: Any, tokens: Encoded, length: int = 32, at_once: int = 4096
) -> ReadDocument:
    reader = Reader(model, strategy, length, at_once, PAD, torch.device("cpu"), task.reduce_outputs)
    found = ReadDocument(reader, tokens, task.explained_outputs, mask_id=MASK, pooled=task.head in POOLED, units={})
    read = np.arange(len(tokens))
    sentences = np.cumsum(tokens.marks)
    found.units = {
        TOKEN: [read[i : i + 1] for i in read],
        WORD: [read[i : i + 1] for i in read],
        SENTENCE: [np.flatnonzero(sentences == number) for number in np.unique(sentences)],
    }
    return found


def logit(token: int, index: int) -> Target:
    """One output of one token."""
    return Target("logit", np.array([token]), lambda rows: rows[0, index].double())
