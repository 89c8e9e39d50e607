"""Measuring a candidate on a few short training steps, and one layer at the length of the run.

The steps are those of the training loop. Real windows, cut to a few hundred tokens, show how memory and operations grow
with tokens and with pairs of attention. Most of the time is spent in the layers, so that one of them is timed at the
length of the run itself, or as near to it as about a second allows.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from statistics import median
from time import perf_counter
from types import TracebackType
from typing import Any

import numpy as np
import torch

from ctxlab.core.passes import Item
from ctxlab.core.types import Document
from ctxlab.optim.parameters import (
    average_bytes,
    average_file_bytes,
    count_parameters,
    doubled_bytes,
    weight_bytes,
)
from ctxlab.planning import growth, heap
from ctxlab.planning.measured import Measured
from ctxlab.planning.shape import CONSTANT, PAIRS, ROW_PAIRS, TARGETS, TOKENS, Shape
from ctxlab.runtime.cost import FlopCounter, MemoryMeter
from ctxlab.runtime.forward import IN_DECODER
from ctxlab.runtime.live_tensors import LiveTensors
from ctxlab.training.loop import Trainer
from ctxlab.training.state import TrainState
from ctxlab.training.stream import Epoch
from ctxlab.workbench.bench import Workbench
from ctxlab.workbench.meter import start_meter
from ctxlab.workbench.parts import Parts
from ctxlab.workbench.planning import shapes
from ctxlab.workbench.planning.timing import pass_seconds
from ctxlab.workbench.trainer import Validation, make_trainer

WORK = (TOKENS, PAIRS, TARGETS)
"""Terms of floating point operations."""

MEMORY = (TOKENS, CONSTANT, PAIRS, TARGETS, ROW_PAIRS)
"""Terms of memory; with measurements of two lengths, growth with the pairs cannot be told from a constant."""

SHORT_TOKENS = 256
"""Tokens of the longest short window, from whose shorter ones memory and operations are extrapolated."""

TIMED_TOKENS = 512
"""Tokens of the short window that is timed."""

MOST_LINKED = 4
"""Linked windows that are measured together, at most."""

LEVEL_WIDTHS = ((256, 400), (512, 800), (768, 992), (1024, 1600))
"""Tokens of two short windows of level attention, the second not in whole blocks: pairs then differ from tokens."""

LEVEL = 0.95
"""Fraction of the pairs per token of the longest window from which they count as level."""


class Unwatched:
    """An observer of training that does nothing."""

    def __enter__(self) -> "Unwatched":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def step(self, progress: float, state: TrainState) -> None:
        """Do nothing."""

    def row(self, row: Mapping[str, Any]) -> None:
        """Do nothing."""


def measure(parts: Parts, bench: Workbench, documents: Sequence[Document]) -> Measured:
    """Measure a candidate; its weights change, and the workbench must not be used afterwards.

    Raises:
        UserError: Training is not possible with these parts or documents.
    """
    trainer = make_trainer(
        parts,
        bench,
        documents,
        validation=Validation(bench, ()),
        watcher=Unwatched(),
        memory=start_meter(bench),
    )
    trainer.job.objective.start(bench.model)
    epoch = trainer.job.stream.epoch(0, bench.strategy.curriculum.length(1.0, bench.length))
    load = shapes.load(trainer, epoch)
    live = LiveTensors([*bench.model.parameters(), *bench.model.buffers()])
    plain = list(_short_items(trainer, epoch, padded=False))
    _step(trainer, plain[0], live, computes=True)  # creates the optimizer's states, and what kernels need besides
    other_bytes = MemoryMeter(trainer.accelerator.device).peak_bytes() - live.live_bytes
    steps = [_step(trainer, items, live) for items in plain]
    peaks = {False: _peak_by_shape(trainer, plain, steps)}
    if any(shapes.is_padded(trainer, items) for items in shapes.groups(trainer, epoch)):
        padded = list(_short_items(trainer, epoch, padded=True))
        peaks[True] = _peak_by_shape(trainer, padded, [_step(trainer, items, live) for items in padded])
    terms = np.asarray([shapes.group_shapes(trainer, one)[0].terms for one in plain])
    flops = growth.fit(terms, np.asarray([[step.flops] for step in steps]), WORK)[:, 0]
    created = growth.fit(terms, np.asarray([[sum(step.sizes)] for step in steps]), MEMORY)[:, 0]
    return Measured(
        parameters=count_parameters(bench.model),
        trainable_parameters=count_parameters(bench.model, trainable=True),
        weight_bytes=weight_bytes(bench.model),
        doubled_bytes=doubled_bytes(bench.model, parts.tuning),
        average_bytes=average_bytes(bench.model, parts.averaging),
        average_file_bytes=average_file_bytes(bench.model, parts.averaging),
        state_bytes=sum(_states(trainer)),
        load=load,
        peaks=_largest_peaks(trainer, epoch, peaks),
        other_bytes=max(other_bytes, 0) + heap.LATER_BYTES,
        flops=flops.tolist(),
        pass_seconds=pass_seconds(trainer, epoch, _timed(trainer, epoch), flops).tolist(),
        update_seconds=median(step.update_seconds for step in steps),
        created_bytes=created.tolist(),
        operations=len(steps[0].sizes),
        precision=bench.accelerator.mixed_precision.replace("no", "fp32"),
    )


def _short_items(trainer: Trainer, epoch: Epoch, *, padded: bool) -> Iterator[list[Item]]:
    """Yield the items of each short step, cut from the longest item of the epoch.

    Args:
        trainer: The loop.
        epoch: An epoch of the run.
        padded: Whether the rows of a step differ in length: some kernels and masks then need more memory.
    """
    strategy = trainer.job.strategy
    item = max(epoch.items, key=trainer.accumulation.passes.size)
    longest = max(map(len, item.windows))
    if strategy.memory.sequential or strategy.reading.joins:
        num_windows = min(len(item.windows), strategy.memory.gradient_windows, MOST_LINKED)
        widths = _fractions(min(longest, SHORT_TOKENS))
    else:
        num_windows, widths = 1, _widths(strategy.attention.pairs, longest)
    is_decoded = trainer.job.target_place == IN_DECODER
    sizes = [(1 + is_decoded, width) for width in widths]
    if is_decoded or any(len(items) > 1 for items in shapes.groups(trainer, epoch)):
        # Another number of rows tells what grows with them from what they share, and targets from a constant.
        sizes.append((2 + is_decoded, widths[0]))
    for num_rows, width in sizes:
        rows = [width] * num_rows
        if padded and width > 1:
            rows = [*rows, width - 1]
        yield [shapes.shortened(item, num_windows, row) for row in rows]


def _widths(pairs: Callable[[int], int], longest: int) -> list[int]:
    """Return the widths of short windows.

    Attention over a limited span costs the same per token from some width on, which two widths show that are cut into
    blocks as the longest is. Otherwise three are needed, to tell growth with the tokens from growth with the pairs.

    Args:
        pairs: Pairs of attention by width.
        longest: Width of the longest window of the run.
    """
    for width, wider in LEVEL_WIDTHS:
        in_blocks = pairs(width) < width**2 or pairs(longest) == longest**2
        if wider <= longest and in_blocks and pairs(width) / width > LEVEL * pairs(longest) / longest:
            return [width, wider]
    return _fractions(min(longest, SHORT_TOKENS))


def _fractions(width: int) -> list[int]:
    """Return a quarter, half and the whole of a width."""
    return sorted({max(width // part, 1) for part in (4, 2, 1)})


@dataclass(frozen=True, slots=True)
class Step:
    """Figures of one short step."""

    sizes: list[int]
    """Bytes of each tensor that it creates."""
    at_most: list[float]
    """Bytes that each of them has at most in longer steps, see ``LiveTensors``."""
    events: list[tuple[int, bool]]
    """When each of them is created and freed, see ``LiveTensors``."""
    flops: float
    update_seconds: float


def _step(trainer: Trainer, items: Sequence[Item], live: LiveTensors, *, computes: bool = False) -> Step:
    epoch = shapes.short_epoch(items)
    live.begin(computes=computes)
    with live:
        with FlopCounter() as counter:
            weight = trainer.accumulation.step(epoch, epoch.steps[0]).weight
        started = perf_counter()
        trainer.apply(max(weight, 1.0), 0, [])
        trainer.optimizer.zero_grad()
        seconds = perf_counter() - started
    return Step(
        list(live.sizes),
        at_most=list(live.at_most),
        events=list(live.events),
        flops=counter.total,
        update_seconds=seconds,
    )


def _timed(trainer: Trainer, epoch: Epoch) -> list[Item]:
    """Return the items of the short step that is timed, cut from the longest item of the epoch."""
    item = max(epoch.items, key=trainer.accumulation.passes.size)
    memory, reading = trainer.job.strategy.memory, trainer.job.strategy.reading
    is_linked = memory.sequential or reading.joins
    num_windows = min(len(item.windows), memory.gradient_windows, MOST_LINKED) if is_linked else 1
    return [shapes.shortened(item, num_windows, TIMED_TOKENS // num_windows)]


def _states(trainer: Trainer) -> list[int]:
    """Return the bytes of each of the optimizer's states."""
    states = trainer.job.optimizer.state.values()
    return [value.nbytes for state in states for value in state.values() if isinstance(value, torch.Tensor)]


def _peak_by_shape(
    trainer: Trainer, items: Sequence[Sequence[Item]], steps: Sequence[Step]
) -> Callable[[Shape], heap.Peak]:
    """Return the function from the shape of a forward pass to the peak memory of its step, without weights.

    The size of every tensor is extrapolated on its own. Where steps of the same rows differ in their operations, the
    peak is; a step of other rows that differs in them is left out.
    """
    points = np.asarray([max(shapes.group_shapes(trainer, one)[1]).terms for one in items])
    events, kept = steps[0].events, _states(trainer)
    alike = [step.events == events for step in steps]
    if all(same for same, one in zip(alike, items, strict=True) if len(one) == len(items[0])):
        found_sizes = [step.sizes for step, same in zip(steps, alike, strict=True) if same]
        sizes = growth.fit(points[alike], np.asarray(found_sizes, dtype=np.float64), MEMORY)
        at_most = np.asarray(steps[0].at_most)
        return lambda shape: heap.peak(events, np.minimum(shape.terms @ sizes, at_most).tolist(), kept)
    found = [heap.peak(step.events, step.sizes, kept) for step in steps]
    peaks = growth.fit(points, np.asarray([astuple(one)[:4] for one in found]), MEMORY)
    return lambda shape: heap.Peak(*(shape.terms @ peaks).tolist())


def _largest_peaks(
    trainer: Trainer, epoch: Epoch, peaks: Mapping[bool, Callable[[Shape], heap.Peak]]
) -> dict[int, heap.Peak]:
    """Return the peak memory of training by tokens of a forward pass; ``peaks`` are those without and with padding."""
    weights = list(trainer.job.model.parameters())
    gradients = [p.nbytes for p in weights if p.requires_grad]
    is_scattered = trainer.settings.activation_checkpointing or len(gradients) < len(weights)

    def of(one: shapes.Held) -> heap.Peak:
        own = peaks[one.padded](one.shape)
        if is_scattered:
            own = replace(own, holes=heap.HOLES_SCATTERED)
        return own.beside(gradients) if one.later else own

    return {
        limit: max(map(of, largest), key=lambda one: one.process_bytes)
        for limit, largest in shapes.held(trainer, epoch).items()
    }
