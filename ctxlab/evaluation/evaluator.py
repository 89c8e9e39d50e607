"""Whole documents through model and strategy, and back to answers, scores and coverage."""

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
import torch

from ctxlab.core.strategy import Strategy
from ctxlab.core.task import Task
from ctxlab.core.types import Coverage, Document, Encoded, FloatArray, Merged, Prediction, Scores, Window
from ctxlab.data.collate import collate
from ctxlab.data.sampler import split_forward

_TOKENS_AT_ONCE = 1 << 19
"""Tokens whose outputs are held before they are merged: documents are taken in groups of about this size."""


@dataclass(frozen=True, eq=False)
class Reader:
    """A model, ready to read: how windows become outputs."""

    model: Any
    strategy: Strategy
    length: int
    tokens_per_forward: int
    pad_id: int
    device: torch.device

    def read(self, encoded: Sequence[Encoded], done: Callable[[int], None] = lambda _: None) -> Iterator[Merged]:
        """Outputs on every token of every document, in order; ``done`` hears of each token count read."""
        self.model.eval()
        for group in _groups(encoded):
            windows = [self.strategy.reading.windows(document, self.length) for document in group]
            outputs = self._outputs([window for row in windows for window in row], done)
            start = 0
            for document, row in zip(group, windows, strict=True):
                yield self.strategy.reading.merge(row, outputs[start : start + len(row)], len(document))
                start += len(row)

    @torch.inference_mode()
    def _outputs(self, windows: Sequence[Window], done: Callable[[int], None]) -> list[FloatArray]:
        """(W, C) outputs of each window; windows of like length share a forward pass."""
        lengths = [len(window) for window in windows]
        order = sorted(range(len(windows)), key=lengths.__getitem__, reverse=True)
        outputs: list[FloatArray] = [np.empty((0, 0), np.float32)] * len(windows)
        for part in split_forward(order, lengths, self.tokens_per_forward):
            batch = collate([windows[i] for i in part], None, self.pad_id)
            inputs = {name: tensor.to(self.device) for name, tensor in batch.items()}
            memory = self.strategy.memory
            result, _ = memory.step(self._forward, inputs, memory.start(len(part)))
            for i, row in zip(part, result.float().cpu().numpy(), strict=True):
                outputs[i] = row[: lengths[i]].copy()
            done(sum(lengths[i] for i in part))
        return outputs

    def _forward(self, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        outputs: torch.Tensor = self.model(**inputs).logits
        return outputs


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What came out for one split."""

    scores: Scores
    coverage: Coverage
    predictions: list[Prediction]
    tokens: int
    seconds: float


def predict(
    reader: Reader,
    task: Task,
    documents: Sequence[Document],
    encoded: Sequence[Encoded],
    done: Callable[[int], None] = lambda _: None,
) -> Iterator[tuple[Prediction, Merged]]:
    """An answer for each whole document, in order."""
    for document, tokens, merged in zip(documents, encoded, reader.read(encoded, done), strict=True):
        yield task.decode(document, tokens, merged), merged


def evaluate(
    reader: Reader,
    task: Task,
    documents: Sequence[Document],
    encoded: Sequence[Encoded],
    done: Callable[[int], None] = lambda _: None,
) -> Evaluation:
    """Scores of whole documents; gold that no window saw counts as missed."""
    started = perf_counter()
    predictions, seen = [], 0
    for prediction, merged in predict(reader, task, documents, encoded, done):
        predictions.append(prediction)
        seen += int(merged.seen.sum())
    seconds = perf_counter() - started
    tokens = sum(len(document) for document in encoded)
    scores = metric(task.metric)(documents, predictions)
    return Evaluation(scores, Coverage(seen / max(tokens, 1), scores.coverage_labels), predictions, tokens, seconds)


def metric(name: str) -> Callable[[Sequence[Document], Sequence[Prediction]], Scores]:
    """``score`` of ``ctxlab/evaluation/metrics/<name>.py``."""
    module = importlib.import_module(f"ctxlab.evaluation.metrics.{name}")
    score: Callable[[Sequence[Document], Sequence[Prediction]], Scores] = module.score
    return score


def _groups(encoded: Sequence[Encoded]) -> Iterator[list[Encoded]]:
    group: list[Encoded] = []
    size = 0
    for document in encoded:
        group.append(document)
        size += len(document)
        if size >= _TOKENS_AT_ONCE:
            yield group
            group, size = [], 0
    if group:
        yield group
