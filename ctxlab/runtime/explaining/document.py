"""One document in front of a model, in the windows that its strategy reads, as mechanisms of explanation see it.

Shape legend: L tokens of a document, S variants or points of the way, P places of a window whose outputs are used,
T tokens whose outputs make a score, C outputs per token, W tokens of a window.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from ctxlab.core.architecture import pooled_places
from ctxlab.core.contract import option
from ctxlab.core.errors import UserError
from ctxlab.core.explanation import Attended, Path, Subject, Target
from ctxlab.core.passes import Item
from ctxlab.core.types import ADDED, BoolArray, DoubleArray, Encoded, FloatArray, IntArray, Window
from ctxlab.runtime.explaining import reach, weights
from ctxlab.runtime.explaining.embeddings import Expected, Mover, moving
from ctxlab.runtime.explaining.gradients import Plan, Points
from ctxlab.runtime.explaining.merging import merged, shares_of
from ctxlab.runtime.forward import Passes, make_items, model_call
from ctxlab.runtime.reader import Reader

Reduce = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Reduces outputs (B, W, C) with labels (B, W): ``Task.explained_outputs``."""

NEVER = 1 << 40
"""Windows after which a memory's state is detached, so that gradients pass through all of them."""


@dataclass(eq=False)
class ReadDocument(Subject):
    """A document, the windows that it is read in, and the model."""

    reader: Reader
    encoded: Encoded
    reduce: Reduce
    mask_id: int
    """Token that replaces hidden ones."""
    pooled: bool
    """Whether the model's head has one output per window."""
    units: dict[str, list[IntArray]]
    pause: Callable[[int], None] = lambda _: None
    """Called before each forward pass with its tokens, when nothing is changed on the model and no gradient is kept."""
    windows: Sequence[Window] = ()
    items: Sequence[Item] = ()
    first: list[int] = field(default_factory=list)
    _plans: dict[int, tuple[Target, Plan]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        strategy = self.reader.strategy
        self.windows = strategy.reading.windows(self.encoded, self.reader.length)
        self.items = make_items(0, self.encoded, self.windows)
        self.num_tokens = len(self.encoded)
        sizes = [len(item.windows) for item in self.items]
        self.first = np.cumsum([0, *sizes]).tolist()

    # What a score is made from.

    def plan(self, target: Target) -> Plan:
        """Return which outputs the score of a target is made from."""
        if id(target) not in self._plans:
            shares = shares_of(self.reader.strategy.reading, self.windows, self.num_tokens, target.tokens)
            items = sorted({self._item_of(number) for number in shares})
            self._plans[id(target)] = target, Plan(shares, items, len(target.tokens))
        return self._plans[id(target)][1]

    def _item_of(self, window: int) -> int:
        return int(np.searchsorted(self.first, window, side="right")) - 1

    def outputs(self, tokens: IntArray) -> FloatArray:
        """Return the merged outputs (T, C) of some tokens."""
        target = Target("", tokens, lambda rows: rows.sum())
        plan = self.plan(target)
        del self._plans[id(target)]
        return self._merged(plan, {}).cpu().numpy()

    def reached(self, target: Target) -> BoolArray:
        """Return (L,) which tokens the strategy declares that the score may depend on."""
        plan, found = self.plan(target), np.zeros(self.num_tokens, np.bool_)
        nothing = np.zeros(0, np.int64)
        for i in plan.items:
            numbers = range(self.first[i], self.first[i + 1])
            asked = [plan.shares[number].places if number in plan.shares else nothing for number in numbers]
            found |= reach.reached(
                self.reader.model,
                self.reader.strategy,
                self.items[i],
                asked,
                num_tokens=self.num_tokens,
                pooled=self.pooled,
                pad_id=self.reader.pad_id,
            )
        return found

    # Variants of the document.

    def scores(self, target: Target, hidden: Sequence[IntArray]) -> DoubleArray:
        """Return (S,) the scores of variants; equal contents of linked windows are read once."""
        plan = self.plan(target)
        keys: dict[int, list[bytes]] = {}
        found: dict[int, dict[bytes, list[torch.Tensor]]] = {}
        for i in plan.items:
            index = np.concatenate([window.token_index for window in self.items[i].windows])
            rows = [np.isin(index, own) for own in hidden]
            keys[i] = [row.tobytes() for row in rows]
            found[i] = self._variants(plan, i, dict(zip(keys[i], rows, strict=True)))
        scores = np.zeros(len(hidden))
        for s in range(len(hidden)):
            own = {number: one for i in plan.items for number, one in self.named(plan, i, found[i][keys[i][s]])}
            scores[s] = float(target.score(merged(plan.shares, own, plan.num_rows)))
        return scores

    def named(self, plan: Plan, i: int, outputs: Sequence[torch.Tensor]) -> Iterator[tuple[int, torch.Tensor]]:
        """Yield number and outputs of each window of an item that the plan uses."""
        yield from zip(self._used(plan, i), outputs, strict=True)

    def _used(self, plan: Plan, i: int) -> list[int]:
        return [number for number in range(self.first[i], self.first[i + 1]) if number in plan.shares]

    def _merged(self, plan: Plan, hidden: Mapping[int, BoolArray]) -> torch.Tensor:
        """Return the merged outputs (T, C) of the document as it is."""
        del hidden
        own: dict[int, torch.Tensor] = {}
        with torch.inference_mode():
            for i in plan.items:
                own |= dict(self.named(plan, i, self.read(plan, i, [self.items[i]])[0]))
        return merged(plan.shares, own, plan.num_rows)

    @torch.inference_mode()
    def _variants(self, plan: Plan, i: int, hidden: Mapping[bytes, BoolArray]) -> dict[bytes, list[torch.Tensor]]:
        """Return the outputs of each variant of an item, by what is hidden in it.

        All passes have the same shape, and the item as it is goes through one of them, so that outputs that do not
        depend on what is hidden are found equal to the bit, and are replaced by those of one and the same place.
        """
        item, names = self.items[i], list(hidden)
        size = self._passes().size(item)
        width = max(1, min(len(names), self.reader.tokens_per_forward // max(size, 1)))
        plain = self.read(plan, i, [item] * width)
        found: dict[bytes, list[torch.Tensor]] = {}
        for start in range(0, len(names), width):
            group = names[start : start + width]
            variants = [self._without(item, hidden[name]) for name in group]
            rows = self.read(plan, i, [*variants, *[item] * (width - len(group))])
            for place, name in enumerate(group):
                same = [torch.equal(a, b) for a, b in zip(rows[place], plain[place], strict=True)]
                pairs = zip(rows[place], plain[0], same, strict=True)
                found[name] = [base if equal else own for own, base, equal in pairs]
        return found

    def _without(self, item: Item, hidden: BoolArray) -> Item:
        """Return an item in which some of its tokens, in the order of its windows, are replaced by the mask token."""
        cuts = np.cumsum([len(window) for window in item.windows])[:-1]
        windows = [
            Window(
                np.where(gone & (window.token_index != ADDED), self.mask_id, window.input_ids),
                window.token_index,
                window.begins,
            )
            for window, gone in zip(item.windows, np.split(hidden, cuts), strict=True)
        ]
        return replace(item, windows=windows)

    # Passes.

    def _passes(self) -> Passes:
        reader = self.reader
        return Passes(reader.strategy, model_call(reader.model), reader.pad_id, reader.device)

    def read(
        self, plan: Plan, i: int, copies: Sequence[Item], mover: Mover | None = None, shares: torch.Tensor | None = None
    ) -> list[list[torch.Tensor]]:
        """Return of each copy of an item the outputs (P, C) of each window that the plan uses.

        Args:
            plan: Which outputs are used.
            i: Number of the item.
            copies: Variants of it.
            mover: Moves the embeddings of these passes, if given.
            shares: (S,) how far those of each copy are moved.
        """
        used, count = self._used(plan, i), len(self.items[i].windows)
        found: list[dict[int, torch.Tensor]] = [{} for _ in copies]
        sequential = self.reader.strategy.memory.sequential
        steps = [[(c, w) for c in range(len(copies))] for w in range(count)] if sequential else [
            [(c, w) for c in range(len(copies)) for w in range(count)]
        ]  # fmt: skip
        self.pause(len(copies) * self._passes().size(self.items[i]))
        self.reader.model.eval()
        with self.reader.strategy.attention.reading(), self._whole_memory(mover is not None):
            rest = iter(steps)
            self._expect(mover, copies, next(rest, None), shares)
            for passed in self._passes().run(copies):
                outputs = self.reduce(passed.outputs, passed.labels)
                for row, (c, w) in zip(outputs, passed.rows, strict=True):
                    number = self.first[i] + w
                    if number in plan.shares:
                        places = torch.as_tensor(plan.shares[number].places, device=row.device)
                        found[c][number] = row[places].float()
                self._expect(mover, copies, next(rest, None), shares)
        return [[own[number] for number in used] for own in found]

    def _expect(
        self,
        mover: Mover | None,
        copies: Sequence[Item],
        rows: Sequence[tuple[int, int]] | None,
        shares: torch.Tensor | None,
    ) -> None:
        """Tell the mover which windows the next pass has.

        Args:
            mover: Moves embeddings; None for a pass without.
            copies: The items.
            rows: (item, window) of each row.
            shares: (S,) how far those of each item are moved.
        """
        if mover is None:
            return
        assert shares is not None
        if rows is None:
            mover.expected = None
            return
        mover.expected = Expected([copies[c].windows[w] for c, w in rows], shares[[c for c, _ in rows]])

    # Gradients.

    def path(self, target: Target, shares: DoubleArray, baseline: str) -> Path:
        """Return scores and gradients along the way; of several linked windows, one is differentiated at a time."""
        plan = self.plan(target)
        self._check_gradient(plan)
        size = max((self._passes().size(self.items[i]) for i in plan.items), default=1)
        width = max(1, self.reader.tokens_per_forward // max(size, 1))
        found = []
        with moving(self.reader.model, baseline, self.mask_id) as mover:
            for start in range(0, len(shares), width):
                part = torch.as_tensor(shares[start : start + width], dtype=torch.float32)
                found.append(Points(self, plan, target, mover=mover, shares=part).gradients())
        return Path(
            np.concatenate([one.scores for one in found]),
            np.concatenate([one.products for one in found]),
            np.concatenate([one.added for one in found]),
        )

    def _check_gradient(self, plan: Plan) -> None:
        memory = self.reader.strategy.memory
        if memory.sequential and memory.num_cached != 0 and any(len(self.items[i].windows) > 1 for i in plan.items):
            raise UserError(
                f"Gradients do not pass through the cached keys of strategy/memory={option(memory)}: use "
                "explanation=occlusion or explanation=shapley, which need none."
            )

    @contextmanager
    def _whole_memory(self, wanted: bool) -> Iterator[None]:
        """Within the block, gradients pass through all windows that a memory links, if they are wanted."""
        memory = self.reader.strategy.memory
        before = memory.gradient_windows
        memory.gradient_windows = NEVER if wanted else before
        try:
            yield
        finally:
            memory.gradient_windows = before

    # Attention.

    @torch.inference_mode()
    def attended(self, target: Target, longest: int) -> list[Attended]:
        """Return the attention of each window that has outputs of the target."""
        reader, plan = self.reader, self.plan(target)
        weights.check_known(reader.model, reader.strategy)
        total = sum(float(share.weights.sum()) for share in plan.shares.values())
        found = []
        for number, share in plan.shares.items():
            window, i = self.windows[number], self._item_of(number)
            if len(window) > longest:
                raise UserError(
                    f"A window of {len(window):,} tokens has {len(window) ** 2:,} attention weights a layer, more than "
                    f"for explanation.longest={longest}: use explanation=gradient, or raise it."
                )
            start = torch.zeros(len(window))
            if self.pooled:
                places = pooled_places(reader.model, len(window))
                start[places] = float(share.weights.sum()) / total / len(places)
            else:
                start.index_add_(0, torch.from_numpy(share.places), torch.from_numpy(share.weights / total).float())
            found.append(Attended(window.token_index, self._layers(i, number), start))
        return found

    def _layers(self, i: int, number: int) -> list[torch.Tensor]:
        """Return the weights (W, W) of each layer in one window."""
        reader, item, w = self.reader, self.items[i], number - self.first[i]
        alone = Item(0, [item.windows[w]], [item.labels[w]], [item.marks[w]])
        held: list[list[torch.Tensor]] = []

        def forward(inputs: Mapping[str, Any]) -> Any:
            with weights.recorded(reader.model, reader.strategy, inputs) as layers:
                output = model_call(reader.model)(inputs)
            held.append([one.cpu() for one in layers])
            return output

        self.pause(len(item.windows[w]))
        reader.model.eval()
        with reader.strategy.attention.reading():
            list(Passes(reader.strategy, forward, reader.pad_id, reader.device).run([alone]))
        if not held[-1]:
            raise UserError(
                "explanation=rollout: the attention of this model is not called by the library's interface: use "
                "explanation=gradient or explanation=occlusion."
            )
        return held[-1]
