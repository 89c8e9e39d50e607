"""The run that is compressed: its model with its own tuning, and what a mechanism may ask of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from ctxlab.config import recorded
from ctxlab.config.build import build
from ctxlab.core import run_state
from ctxlab.core.architecture import installed
from ctxlab.core.compression import Compression
from ctxlab.core.errors import UserError
from ctxlab.core.model import UNMERGED
from ctxlab.core.optim import Tuning
from ctxlab.core.passes import Item
from ctxlab.core.task import Task
from ctxlab.core.types import Document
from ctxlab.data.sampler import split_forward
from ctxlab.data.splits import Splits, load_documents
from ctxlab.runtime.forward import Passes, model_call
from ctxlab.training.stream import Stream
from ctxlab.training.window_selection import window_chooser
from ctxlab.workbench.bench import Workbench
from ctxlab.workbench.opening import Opened, open_bench
from ctxlab.workbench.parts import Parts

CONFIG = "config.yaml"
"""File of a run directory with its composed configuration."""

SCORED = ("validation", "test")


@dataclass(frozen=True, eq=False)
class Original:
    """The run that is compressed."""

    opened: Opened
    tuning: Tuning
    """The rule that it was trained with."""
    name: str
    """Its run directory and checkpoint, as notes call it."""


def open_original(parts: Parts, mechanism: Compression, steps: int) -> Original:
    """Open the run with the tuning that it was trained with, and check that it can be compressed.

    Args:
        parts: The command.
        mechanism: How it is compressed.
        steps: Steps of healing.

    Raises:
        UserError: The run, its model or its documents do not fit.
    """
    assert parts.start is not None
    folder = parts.start.folder

    def refuse(task: Task) -> None:
        if not task.runs_model:
            raise UserError(f"task={task.name} with these options runs no model, so that there is none to compress.")
        if steps:
            parts.objective.fit(task)

    own = _tuning_of(folder)
    opened = open_bench(replace(parts, tuning=own), lambda task: load(parts, task), scored=SCORED, refuse=refuse)
    rule = installed(opened.bench.model.config, UNMERGED).get("name")
    if rule is not None:
        raise UserError(
            f"run={folder} was trained with tuning={rule}, which cannot be merged into the weights that are "
            "compressed: give a run with tuning=full, or tuning=lora, which is merged."
        )
    mechanism.check(opened.bench.model, opened.bench.tokenizer)
    if (folder / run_state.FAILURE).is_file():
        opened.bench.task.notes.append(f"The run {folder.name} ended in an error; its checkpoint was compressed.")
    assert opened.checkpoint is not None
    return Original(opened, own, f"{folder.name}/{opened.checkpoint.name}")


def _tuning_of(folder: Path) -> Tuning:
    """Return the tuning rule that the run in ``folder`` was trained with.

    Raises:
        UserError: Its configuration is damaged.
    """
    try:
        config = recorded.load(folder / CONFIG)
    except ValueError as error:
        raise UserError(f"run={folder} cannot be read: {error}.") from error
    try:
        return build(config.get("tuning"), Tuning)
    except UserError as error:
        raise UserError(f"run={folder} cannot be used, since in {folder / CONFIG}: {error}") from error


def load(parts: Parts, task: Task) -> Splits:
    """Load the documents of the run.

    Raises:
        UserError: There are none to train with, or none to score.
    """
    splits = load_documents(parts.data, task, parts.data_seed, parts.hold_out)
    if not splits.train:
        raise UserError("There are no training documents, by which a model is compressed; give data.train_file=<file>.")
    if not (splits.validation or splits.test):
        raise UserError("There are no documents to score the model on; give data.validation_file=<file>.")
    return splits


def reads(bench: Workbench, documents: Sequence[Document], seed: int) -> Callable[[bool], None]:
    """Return what runs the model over some training documents; see ``core.compression.Subject.read``.

    Args:
        bench: Has the model.
        documents: The documents, of which the windows with labels are read.
        seed: Seed of the run, for tasks that draw what they ask of a document.
    """
    stream = Stream(
        bench.encode(documents),
        bench.strategy.reading.windows,
        resample=bench.task.resample,
        choose=window_chooser(bench.strategy, bench.task, generates=bench.target_place is not None),
        tokens_per_step=bench.settings.tokens_per_step,
        seed=seed,
    )
    passes = Passes(
        bench.strategy,
        model_call(bench.model, bench.strategy.attention),
        pad_id=bench.tokenizer.pad_token_id,
        device=bench.accelerator.device,
        target_place=bench.target_place,
        context_length=bench.length,
    )

    def read(with_gradient: bool) -> None:
        epoch, limit = stream.epoch(0, bench.length), bench.settings.tokens_per_forward
        bench.model.eval()
        with torch.set_grad_enabled(with_gradient):
            for step in epoch.steps:
                sizes = {place: passes.size(epoch.items[place]) for place in step}
                for group in split_forward(step, sizes, limit or bench.settings.tokens_per_step):
                    _pass(bench, passes, [epoch.items[place] for place in group], with_gradient=with_gradient)
        bench.model.zero_grad()

    return read


def _pass(bench: Workbench, passes: Passes, items: Sequence[Item], *, with_gradient: bool) -> None:
    carried: torch.Tensor | None = None
    for passed in passes.run([item for item in items for _ in range(bench.task.views)]):
        if not with_gradient:
            continue
        loss = bench.task.loss(passed.outputs, passed.labels)
        mean = loss.total / loss.weight.clamp_min(1e-12)
        carried = mean if carried is None else carried + mean
        if passed.cut:
            carried.backward()
            carried = None
