"""Running windows through a model: which windows share a forward pass, in what order, and their outputs.

Shape legend: B windows of a pass, W tokens of the longest one, C outputs per token.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from ctxlab.core.added_modules import attached
from ctxlab.core.architecture import first_position
from ctxlab.core.fusion import GROUPS, KEPT
from ctxlab.core.model import MEMBER
from ctxlab.core.numbers import NUMBERS
from ctxlab.core.parts import Part
from ctxlab.core.passes import Item, Passed, PassRunner
from ctxlab.core.strategy import Attention, Forward, Strategy
from ctxlab.core.types import ADDED, LAST, NO_LABEL, Encoded, IntArray, Window
from ctxlab.runtime.collate import collate, few_widths, right_pad
from ctxlab.runtime.context_parallel import split_call


def make_items(document: int, encoded: Encoded, windows: Sequence[Window]) -> list[Item]:
    """Group the windows of a document into items; a window with ``begins`` starts a new item."""
    runs = linked(windows)
    targets = iter(window_targets(encoded, [fused(run) for run in runs] if is_fused(windows) else windows))
    return [
        Item(
            document,
            run,
            labels=[w.labels(encoded) for w in run],
            marks=[w.marks(encoded) for w in run],
            numbers=[w.numbers(encoded) for w in run],
            targets=[next(targets), *[NO_TARGET] * (len(run) - 1)] if is_fused(run) else [next(targets) for _ in run],
            member=encoded.member,
        )
        for run in runs
    ]


NO_TARGET: IntArray = np.zeros(0, np.int64)
"""Target of a window that is read together with an earlier one, which has the target of both."""


def linked(windows: Sequence[Window]) -> list[list[Window]]:
    """Return the windows of a document in sequences of linked ones."""
    runs: list[list[Window]] = []
    for window in windows:
        if window.begins or not runs:
            runs.append([])
        runs[-1].append(window)
    return runs


def is_fused(windows: Sequence[Window]) -> bool:
    """Return whether the decoder of an encoder-decoder reads linked ones of these ``windows`` together."""
    return any(window.kept is not None for window in windows)


def units(windows: Sequence[Window]) -> list[list[Window]]:
    """Return what one text each is generated after: a window, or several that the decoder reads together."""
    return linked(windows) if is_fused(windows) else [[window] for window in windows]


def fused(run: Sequence[Window]) -> Window:
    """Return windows that are read together as one, for what they contain."""
    ids = np.concatenate([window.input_ids for window in run])
    return Window(ids, np.concatenate([window.token_index for window in run]))


def window_targets(encoded: Encoded, windows: Sequence[Window]) -> list[IntArray]:
    """Return for each window (T,) the target tokens that it must generate.

    These are all target tokens that refer to the whole document, and those anchored to the window's own tokens. Target
    tokens that continue the document's end belong to the last window. A token that is in several windows counts for
    the first of them. If a target has evidence, every window that lacks part of it must generate the tokens for an
    absent answer instead. If windows reserve room for the target, it is truncated to that room.
    """
    free = np.ones(len(encoded) + 2, np.bool_)
    targets = []
    for window in windows:
        if not np.isin(encoded.evidence, window.token_index).all():
            targets.append(encoded.absent[: encoded.room] if encoded.room else encoded.absent)
            continue
        held = np.zeros(len(encoded) + 2, np.bool_)  # two extra places, addressed by ADDED and LAST from the end
        held[window.token_index] = True
        held[ADDED], held[LAST] = True, window is windows[-1]
        target = encoded.target[(held & free)[encoded.anchors]]
        targets.append(target[: encoded.room] if encoded.room else target)
        free[window.token_index[window.token_index != ADDED]] = False
    return targets


AFTER_WINDOW, IN_DECODER = "after_window", "in_decoder"
"""Where a target is placed: after its window for a decoder, or in the decoder of an encoder-decoder."""

TARGETS = "targets"
"""Name of the input of ``model_call`` with targets (B, T) for the decoder of an encoder-decoder."""


class Passes(PassRunner):
    """Runs items through a model with a strategy.

    If the task generates text, ``target_place`` says where targets are placed, and outputs and labels are those of the
    targets.
    """

    def __init__(
        self,
        strategy: Strategy,
        forward: Forward,
        pad_id: int,
        device: torch.device,
        target_place: str | None = None,
        context_length: int | None = None,
        part: Part | None = None,
        sides: int = 1,
    ) -> None:
        """Store what a pass needs.

        Args:
            strategy: Its memory and positions determine how windows are batched.
            forward: The model, as ``model_call`` returns it.
            pad_id: Token id that windows are padded with.
            device: Where the model is.
            target_place: ``AFTER_WINDOW`` or ``IN_DECODER`` for a task that generates text; None for others.
            context_length: Tokens up to which windows are padded to one of few widths, as training needs; None pads
                them to the longest of their pass.
            part: This process's part of every window, where several hold a window together; ``forward`` cuts it, and
                outputs, labels and figures are those of the part.
            sides: Number of kinds of windows that follow one another in an item, each of which is read in a pass of its
                own width, where windows are not linked (``Task.sides``).
        """
        self._strategy, self._forward, self._pad_id, self._device = strategy, forward, pad_id, device
        self._part = part
        self.sides = sides if part is None else 1
        self._target_place = target_place
        self._context_length = None if strategy.positions.by_batch else context_length

    def width(self, longest: int) -> int:
        """Return the tokens of a row, with padding, of a pass whose longest window has ``longest`` tokens."""
        width = longest if self._context_length is None else few_widths(longest, self._context_length)
        if self._part is None:
            return width
        return self._part.width(max(width, self._part.count * (self._strategy.attention.least_part or 1)))

    def size(self, item: Item) -> int:
        """Return the number of tokens of an item whose activations are in memory at the same time."""
        memory = self._strategy.memory
        held = range(len(item.windows))[: memory.gradient_windows if memory.sequential else None]
        return sum(self.width(self._tokens(item, window)) + memory.num_added for window in held)

    def run(self, items: Sequence[Item]) -> Iterator[Passed]:
        """Yield one pass over all windows of ``items``; with a memory, one pass over the n-th windows for each n.

        If positions depend on the longest window of a batch, only items with windows of equal lengths share passes.
        Items for different members of a task never do.
        """
        for chosen in self._together(items):
            for passed in self._run([items[i] for i in chosen]):
                yield replace(passed, rows=[(chosen[i], w) for i, w in passed.rows])

    def _together(self, items: Sequence[Item]) -> list[list[int]]:
        """Group the indices of the items that may share a pass."""
        groups: dict[tuple[int, tuple[tuple[int, int], ...]], list[int]] = {}
        for i, item in enumerate(items):
            widths = [(len(window), self._tokens(item, w)) for w, window in enumerate(item.windows)]
            alike = tuple(widths) if self._strategy.positions.by_batch else ()
            groups.setdefault((item.member, alike), []).append(i)
        return list(groups.values())

    def _run(self, items: Sequence[Item]) -> Iterator[Passed]:
        memory = self._strategy.memory
        if not memory.sequential:
            rows = [(i, w) for i, item in enumerate(items) for w in range(len(item.windows))]
            sides = [[row for row in rows if row[1] % self.sides == side] for side in range(self.sides)]
            yield joined([self._alone(items, side) for side in sides if side])
            return
        longest_first = sorted(range(len(items)), key=lambda i: len(items[i].windows), reverse=True)
        state, num_steps = memory.start(len(items)), len(items[longest_first[0]].windows)
        for step in range(num_steps):
            rows = [(i, step) for i in longest_first if step < len(items[i].windows)]
            inputs, labels = self._inputs(items, rows)
            outputs, state = memory.step(self._forward, inputs, memory.first(state, len(rows)))
            cut = (step + 1) % memory.gradient_windows == 0 or step + 1 == num_steps
            state = memory.detach(state) if cut else state
            yield self._passed(items, rows, outputs, labels, cut=cut)

    def _alone(self, items: Sequence[Item], rows: Sequence[tuple[int, int]]) -> Passed:
        """Run windows that are not linked in one pass."""
        inputs, labels = self._inputs(items, rows)
        memory = self._strategy.memory
        outputs, _ = memory.step(self._forward, inputs, memory.start(len(rows)))
        return self._passed(items, rows, outputs, labels, cut=True)

    def through(self, model: Any, strategy: Strategy) -> "Passes":
        """Return passes of the same items through another model."""
        return Passes(
            strategy,
            model_call(model, strategy.attention, self._part),
            pad_id=self._pad_id,
            device=self._device,
            target_place=self._target_place,
            context_length=self._context_length,
            part=self._part,
            sides=self.sides,
        )

    def _inputs(
        self, items: Sequence[Item], rows: Sequence[tuple[int, int]]
    ) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """Return the inputs of the model, and the labels (B, W)."""
        reading, attention = self._strategy.reading, self._strategy.attention
        marks = [items[i].marks[w] for i, w in rows] if attention.wants_marks else None
        windows, labels = [items[i].windows[w] for i, w in rows], [items[i].labels[w] for i, w in rows]
        targets = [items[i].targets[w] for i, w in rows] if self._target_place else []
        if self._target_place == AFTER_WINDOW:
            windows, labels = map(list, zip(*map(append_target, windows, targets), strict=True))
        batch = collate(
            windows,
            labels,
            pad_id=self._pad_id,
            marks=marks,
            numbers=[items[i].numbers[w] for i, w in rows if items[i].numbers],
            least=self.width(max(map(len, windows))),
        )
        if reading.joins:
            batch[GROUPS] = torch.tensor([i for i, _ in rows])
        if is_fused(windows):
            batch[KEPT] = kept_tokens(windows, batch["input_ids"].shape[1])
            targets = [target for target, (_, w) in zip(targets, rows, strict=True) if w == 0]
        if self._target_place == IN_DECODER:
            # If no window of the pass has a target, the decoder still needs a start token.
            batch["labels"] = batch[TARGETS] = right_pad(targets, NO_LABEL, least=1)
        if member := items[0].member:
            batch[MEMBER] = torch.full((len(rows),), member)  # a number for each row, as memories expect
        batch = {name: tensor.to(self._device) for name, tensor in batch.items()}
        return batch, batch.pop("labels")

    def _tokens(self, item: Item, window: int) -> int:
        """Return the tokens of a window and its target; after a window, the target's last token is not read."""
        if not self._target_place:
            return len(item.windows[window])
        target = len(item.targets[window])
        return len(item.windows[window]) + (max(target - 1, 0) if self._target_place == AFTER_WINDOW else target)

    def _passed(
        self,
        items: Sequence[Item],
        rows: Sequence[tuple[int, int]],
        outputs: torch.Tensor,
        labels: torch.Tensor,
        *,
        cut: bool,
    ) -> Passed:
        sizes = [self._tokens(items[i], w) for i, w in rows]
        tokens, width = sum(sizes), self.width(max(sizes))
        if self._part is not None:
            own = self._part.places(width)
            labels, width = labels[:, own], own.stop - own.start
            tokens = sum(min(max(size - own.start, 0), width) for size in sizes)
        padded = len(rows) * width
        if is_fused(items[0].windows):
            width = self.width(max(len(items[i].windows[w]) for i, w in rows))
            padded = len(rows) * width + labels.numel()
            rows = [row for row in rows if row[1] == 0]
        return Passed(
            outputs,
            labels,
            rows=rows,
            tokens=tokens,
            width=width,
            cut=cut,
            padded_tokens=padded,
            member=items[0].member,
        )


def kept_tokens(windows: Sequence[Window], width: int) -> torch.Tensor:
    """Return (B, W) 1 for the tokens that a decoder reads of windows padded to ``width``, 0 for the others."""
    return right_pad([np.asarray(window.kept, np.int64) for window in windows], 0, width)


def joined(passes: Sequence[Passed]) -> Passed:
    """Return one pass with the rows of several, in their order; outputs and labels are padded to the longest width."""
    if len(passes) == 1:
        return passes[0]
    width = max(one.outputs.shape[1] for one in passes)
    rows = [row for one in passes for row in one.rows]
    order = sorted(range(len(rows)), key=rows.__getitem__)
    outputs = torch.cat([F.pad(one.outputs, (0, 0, 0, width - one.outputs.shape[1])) for one in passes])
    labels = torch.cat([F.pad(one.labels, (0, width - one.labels.shape[1]), value=NO_LABEL) for one in passes])
    return Passed(
        outputs[order],
        labels[order],
        rows=[rows[i] for i in order],
        tokens=sum(one.tokens for one in passes),
        width=width,
        cut=passes[-1].cut,
        padded_tokens=sum(one.padded_tokens for one in passes),
        member=passes[0].member,
    )


def append_target(window: Window, target: IntArray) -> tuple[Window, IntArray]:
    """Append ``target`` (T,) to a window; returns it with labels, each target token at the position before it."""
    read_on = target[:-1]
    ids = np.concatenate([window.input_ids, read_on])
    index = np.concatenate([window.token_index, np.full(len(read_on), ADDED)])
    labels = np.full(len(ids), NO_LABEL)
    labels[len(ids) - len(target) :] = target
    return Window(ids, index, window.begins), labels


def model_call(model: Any, attention: Attention | None = None, part: Part | None = None) -> Callable[..., Any]:
    """Wrap ``model`` in the form that memories call: with one mapping of named inputs.

    Args:
        model: The model.
        attention: The attention part that is installed in it; needed with ``part``.
        part: This process's part of every window, which the call cuts from the inputs; None for whole windows.
    """

    takes_numbers = attached(unwrapped(model), NUMBERS) is not None

    def call(inputs: Mapping[str, Any]) -> Any:
        if NUMBERS in inputs and not takes_numbers:  # a teacher that reads text alone
            inputs = {name: value for name, value in inputs.items() if name != NUMBERS}
        if TARGETS not in inputs:
            return model(**inputs)
        others = {name: value for name, value in inputs.items() if name != TARGETS}
        start = unwrapped(model).prepare_decoder_input_ids_from_labels(labels=inputs[TARGETS])
        return model(**others, decoder_input_ids=start)

    if part is None:
        return call
    assert attention is not None
    return split_call(call, attention, part, first=first_position(unwrapped(model)))


def unwrapped(model: Any) -> Any:
    """Return the Transformers model inside a wrapper of distributed training."""
    return getattr(model, "module", model)
