"""What follows a stage: its best weights on the documents of all stages, and what later ones are to know of it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from ctxlab.core.continual import Lesson, Teacher
from ctxlab.core.files import write_json
from ctxlab.core.passes import Item
from ctxlab.core.types import Document
from ctxlab.evaluation.evaluator import evaluate
from ctxlab.runtime.forward import Passes, make_items, model_call
from ctxlab.workbench.bench import Workbench
from ctxlab.workbench.continuing import corpora as documents
from ctxlab.workbench.continuing.corpora import Corpora
from ctxlab.workbench.continuing.plan import Stage
from ctxlab.workbench.opening import Opened, open_bench
from ctxlab.workbench.parts import Start

ROW = "row.json"
"""File in the directory of a stage with the scores of its weights; it is written last of all."""

REMEMBERED = "remembered.safetensors"
"""File in the directory of a stage with what later ones know of it."""


@dataclass(frozen=True, slots=True)
class Cell:
    """Scores of one model on the documents of one stage."""

    metrics: Mapping[str, float]
    coverage: Mapping[str, float]
    tokens: int
    seconds: float
    documents: int


def untrained(stages: Sequence[Stage]) -> tuple[list[Cell], dict[str, Any]]:
    """Return the scores of the model before the first stage on the documents of each, and facts about the task."""
    found: list[Corpora] = []
    opened = open_bench(stages[0].parts, lambda task: _splits(stages, 0, task, found), learns=True, trains=True)
    bench = opened.bench
    bench.accelerator.prepare_model(bench.model, evaluation_mode=True)
    bench.model.eval()
    task = bench.task
    facts = {"metric": task.primary_metric, "lower_is_better": task.lower_is_better, "split": found[0].scored}
    return _row(bench, found[0]), facts


def judge(stages: Sequence[Stage], number: int) -> list[Cell]:
    """Score the best weights of a stage on the documents of each, and save what later ones are to know of it."""
    stage, found = stages[number], list[Corpora]()
    opened = _best(stages, number, found)
    cells = _row(opened.bench, found[0])
    continual = stage.parts.continual
    if continual.remembers:
        _save(dict(continual.remember(_lesson(opened.bench, found[0].splits[number].train))), stage.folder / REMEMBERED)
    write_json(stage.folder / ROW, {"cells": [asdict(cell) for cell in cells]})
    return cells


def read(folder: Path) -> list[Cell] | None:
    """Return the scores of a stage's weights; None as long as there are none."""
    path = folder / ROW
    if not path.is_file():
        return None
    return [Cell(**cell) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]]


def remembered(folder: Path) -> dict[str, torch.Tensor]:
    """Return what a stage has left for later ones."""
    return load_file(folder / REMEMBERED)


def teacher(stages: Sequence[Stage], number: int) -> Teacher:
    """Open the best weights of a stage, not to be trained."""
    bench = _best(stages, number, []).bench
    bench.model.requires_grad_(False)
    return Teacher(bench.model, bench.strategy)


def _best(stages: Sequence[Stage], number: int, found: list[Corpora]) -> Opened:
    stage = stages[number]
    parts = replace(stage.parts, start=Start(stage.folder, "best"))
    return open_bench(parts, lambda task: _splits(stages, number, task, found))


def _splits(stages: Sequence[Stage], number: int, task: Any, found: list[Corpora]) -> Any:
    found.append(documents.load(stages, task))
    return documents.of_stage(stages, found[-1], number)


def _row(bench: Workbench, corpora: Corpora) -> list[Cell]:
    return [_cell(bench, corpora.judged(number)) for number in range(len(corpora.splits))]


def _cell(bench: Workbench, judged: Sequence[Document]) -> Cell:
    result = evaluate(bench.reader(), bench.task, judged, bench.encode(judged))
    metrics = {name: float(value) for name, value in result.scores.metrics.items()}
    return Cell(
        metrics=metrics,
        coverage=asdict(result.coverage),
        tokens=result.tokens,
        seconds=result.seconds,
        documents=len(judged),
    )


def _lesson(bench: Workbench, train: Sequence[Document]) -> Lesson:
    passes = Passes(
        bench.strategy,
        model_call(bench.model, bench.strategy.attention),
        pad_id=bench.tokenizer.pad_token_id,
        device=bench.accelerator.device,
        target_place=bench.target_place,
    )
    return Lesson(bench.model, bench.task, passes, _items(bench, train))


def _items(bench: Workbench, train: Sequence[Document]) -> Iterator[Sequence[Item]]:
    """Yield the items of each document; one of which parts are hidden at random is seen as in an epoch 0."""
    for number, encoded in enumerate(bench.encode(train)):
        seen = bench.task.resample(encoded, number)
        yield make_items(number, seen, bench.strategy.reading.windows(seen, bench.length))


def _save(tensors: dict[str, torch.Tensor], path: Path) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, temporary)
    temporary.replace(path)
