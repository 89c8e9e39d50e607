"""Neighbours, and global tokens where the document has structure.

Shape legend: B windows, H heads, L tokens, D head width, G global tokens of a window.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from ctxlab.core.architecture import is_causal
from ctxlab.core.errors import UserError
from ctxlab.core.strategy import Pattern
from ctxlab.strategies.attention.kernels import masks
from ctxlab.strategies.attention.kernels.bias import Places, biased_sdpa
from ctxlab.strategies.attention.kernels.blocks import BlockMask, Layout, as_additive, sdpa
from ctxlab.strategies.attention.kernels.latest import Latest, named_bits
from ctxlab.strategies.attention.kernels.masks import LibraryMask
from ctxlab.strategies.attention.kernels.plan import Plan, Ready, ReadyPlans, sliding
from ctxlab.strategies.attention.kernels.sparse import Sparse, at_least
from ctxlab.strategies.attention.kernels.structure import MARKS, SALIENT, choose

FIRST_BLOCK = 128
"""Queries of a block: longer than a short window, so that the global keys are copied less often."""


class Structured(Sparse):
    """Sliding window, and global tokens at sentence starts, paragraphs, headings, salient terms or given places.

    Global tokens attend to all and are attended by all, through the trained projections. Which they are depends on the
    document: each window of a batch has its own. ``at`` names the sources; where they offer more than ``max_global``
    places, those that the data gives come first, then headings, paragraphs, sentences, salient terms, each evenly
    spread (see ``structure``).

    In a causal model that choice would tell a token what comes after it. There, besides the first tokens, a token
    attends to the latest ``max_global`` tokens that the structure names before its own window (see ``latest``), and
    none of these attends to more than others; salient terms, which only the whole window shows, are left out.

    Source: global tokens at task and structure tokens in ETC (Ainslie et al. 2020, arXiv:2004.08483) and Longformer
    (Beltagy et al. 2020, arXiv:2004.05150). Deviations: the tokens of the document themselves are global, no summary
    tokens are added; salience by TF-IDF within the window is ours.
    """

    wants_marks = True

    def __init__(
        self,
        window: int = 128,
        at: Sequence[str] | None = None,
        max_global: int = 64,
        num_salient: int = 16,
        num_global: int = 1,
    ) -> None:
        """Take tokens on each side, sources of global tokens, their number, and the first tokens that always are.

        Args:
            window: Tokens on each side that a token attends to.
            at: Sources, any of given, headings, paragraphs, sentences, salient; None for all that the model allows.
            max_global: Global tokens of a window, besides the first ones.
            num_salient: Terms with the largest TF-IDF.
            num_global: First tokens of a window that are always global.
        """
        at_least(1, "tokens on each side that a token attends to", window=window)
        at_least(1, "global tokens of a window, those of the structure", max_global=max_global)
        at_least(0, "salient terms of a window", num_salient=num_salient)
        at_least(0, "first tokens of a window that attend to all", num_global=num_global)
        named = None if at is None else list(at)
        if named is not None and (not named or not set(named) <= {*MARKS, SALIENT}):
            raise UserError(f"strategy.attention.at={named} must list some of {', '.join((*MARKS, SALIENT))}.")
        super().__init__(window=window, at=named, max_global=max_global, num_salient=num_salient, num_global=num_global)
        self.window, self.at, self.max_global = window, [*MARKS, SALIENT] if named is None else named, max_global
        self.num_salient, self.num_global = num_salient, num_global
        self.is_causal = False
        """Of the model that it is installed in."""
        self._seen: tuple[torch.Size, torch.Tensor] | None = None

    def places(self, ids: torch.Tensor, real: torch.Tensor, marks: torch.Tensor | None) -> torch.Tensor:
        """(B, G) global tokens of each window, −1 where one has fewer.

        Args:
            ids: (B, L) token ids.
            real: (B, L) bool, which of them are no padding.
            marks: (B, L) marks of the tokens, or None where nothing is known.
        """
        rows = []
        for row in range(len(ids)):
            own = real[row].nonzero().flatten()
            tokens = ids[row, own].cpu().numpy()
            known = torch.zeros_like(own) if marks is None else marks[row, own]
            first = torch.arange(min(self.num_global, ids.shape[1]), device=ids.device)
            num_first = int((own < len(first)).sum())
            chosen = choose(tokens, known.cpu().numpy(), self.at, self.num_salient, self.max_global, num_first)
            rows.append(torch.cat([first, own[torch.from_numpy(chosen).to(own.device)]]).unique())
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=-1)

    def see(self, inputs: Mapping[str, Any]) -> None:
        """Choose the global tokens of the windows that the model is about to read; a model's pre-hook calls it.

        Args:
            inputs: ``input_ids`` (B, L), and ``attention_mask`` and ``marks`` of the same shape where there are any.

        Raises:
            UserError: The model is given embeddings in place of tokens.
        """
        if inputs.get("input_ids") is None:
            raise UserError(
                "strategy/attention=structured must see tokens, and is given embeddings by the memory: "
                "use strategy/attention=local with it."
            )
        chosen = self._named(inputs) if self.is_causal else self._places(inputs)
        self._seen = inputs["input_ids"].shape, chosen

    def _named(self, inputs: Mapping[str, Any]) -> torch.Tensor:
        """(B, L) bool: tokens at which the structure begins something, whatever comes after them."""
        bits, marks = named_bits(self.at), inputs.get("marks")
        return torch.zeros_like(inputs["input_ids"], dtype=torch.bool) if marks is None else (marks & bits) > 0

    def _places(self, inputs: Mapping[str, Any]) -> torch.Tensor:
        ids, real = inputs["input_ids"], inputs.get("attention_mask")
        real = torch.ones_like(ids, dtype=torch.bool) if real is None else real.bool()
        return self.places(ids, real, inputs.get("marks"))

    def pattern(self, inputs: Mapping[str, torch.Tensor], row: int) -> Pattern:
        """With the global tokens of this window."""
        if self.is_causal:
            latest = self._latest(self._named(inputs))
            return lambda query, key, _: latest.allowed(row, query, key)
        places = self._places(inputs)[row]
        return lambda query, key, _: self.allowed_at(places[places >= 0], query, key)

    def install(self, model: Any) -> None:
        """Put the pattern into every self-attention of ``model``, and let it see the tokens first.

        Raises:
            UserError: Salient terms were asked for by name, and the model is causal.
        """
        self.is_causal = is_causal(model)
        if self.is_causal and self.parameters["at"] is not None and SALIENT in self.at:
            raise UserError(
                f"strategy.attention.at={self.at} chooses salient terms by the whole window, and this model sees only "
                "what comes before: leave salient out, or give null for all that it allows."
            )
        for handle in getattr(model, "ctxlab_structured", ()):
            handle.remove()

        def look(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
            self.see({"input_ids": args[0], **kwargs} if args else kwargs)
            return args, {name: value for name, value in kwargs.items() if name != "marks"}

        model.ctxlab_structured = (model.register_forward_pre_hook(look, with_kwargs=True),)
        super().install(model)

    def allowed(self, query: torch.Tensor, key: torch.Tensor, length: int) -> torch.Tensor:
        """Neighbours and first tokens; which others are global only the document says (``pattern``)."""
        del length
        near = (query - key).abs() <= self.window
        return near | (query < self.num_global) | (key < self.num_global)

    def allowed_at(self, places: torch.Tensor, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        """The pattern of one window with global tokens at ``places`` (G,)."""
        return ((query - key).abs() <= self.window) | torch.isin(query, places) | torch.isin(key, places)

    def pairs(self, length: int) -> int:
        """Of a window that has as many global tokens as are allowed."""
        num_global = min(self.max_global + self.num_global, length)
        return min(length * length, Plan(self.allowed, self._layout(num_global)).pairs(length) + num_global * length)

    def plans(self, length: int, lengths: Sequence[int]) -> tuple[Plan, ...]:
        """Without global tokens of the structure; see ``_ready``."""
        del length, lengths
        return (Plan(self.allowed, self._layout(self.num_global)),)

    def _layout(self, num_extra: int, window: int = 0) -> Layout:
        reach = max(self.window, window)
        return sliding(reach, block=max(FIRST_BLOCK, sliding(reach).block), num_extra=num_extra)

    def _ready(self, library: LibraryMask) -> ReadyPlans:
        """The global tokens of each window beside the span of each block, and rows for their own queries."""
        if self.is_causal:
            return self._ready_causal(library)
        places = self._placed(library)

        def pattern(query: torch.Tensor, key: torch.Tensor, window: int) -> torch.Tensor:
            return self.allowed_at(places[window][places[window] >= 0], query, key)

        # The pattern is told which window it is for, in place of a length, which does not matter here.
        windows = range(library.batch_size)
        mask = masks.build(library, pattern, self._layout(places.shape[1]), places[:, None], windows)
        if not isinstance(mask, BlockMask):
            return ReadyPlans((Ready(mask),))
        query, key = places.clamp(min=0)[..., None], torch.arange(library.num_keys, device=library.device)
        seen = torch.cat([library.row(row).at(query[row], key) for row in windows])
        rows = masks.never_empty(seen, query == key)
        return ReadyPlans((WithRows(mask, places=places, rows=rows[:, None]),))

    def _ready_causal(self, library: LibraryMask) -> ReadyPlans:
        """The latest named tokens before the span of each block of each window."""
        shape = (library.batch_size, library.num_keys)
        seen = self._seen is not None and self._seen[0] == shape
        named = self._seen[1] if seen else torch.zeros(shape, dtype=torch.bool)  # type: ignore[index]
        latest = self._latest(named.to(library.device))
        layout = replace(self._layout(self.max_global, latest.delay), num_global=self.num_global)
        starts = torch.arange(layout.num_blocks(library.num_keys), device=library.device) * layout.block

        def pattern(query: torch.Tensor, key: torch.Tensor, window: int) -> torch.Tensor:
            return latest.allowed(window, query, key)

        extra, windows = latest.before(starts), range(library.batch_size)
        return ReadyPlans((Ready(masks.build(library, pattern, layout, extra, windows)),))

    def _latest(self, named: torch.Tensor) -> Latest:
        return Latest(named, self.window, self.max_global, self.num_global)

    def _placed(self, library: LibraryMask) -> torch.Tensor:
        """(B, G) as last seen, if it was for this batch; else the first tokens alone."""
        if self._seen is not None and self._seen[0] == (library.batch_size, library.num_keys):
            return self._seen[1].to(library.device)
        first = torch.arange(min(self.num_global, library.num_keys), device=library.device)
        return first.expand(library.batch_size, -1)


@dataclass(frozen=True, slots=True, eq=False)
class WithRows(Ready):
    """Blocks, and a few queries anywhere in the window that see every key."""

    places: torch.Tensor | None = None
    """(B, G) these queries, −1 for none."""
    rows: torch.Tensor | None = None
    """(B, 1, G, L) bool: keys that the model lets each of them see."""

    def attend(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *, dropout: float, scaling: float | None
    ) -> torch.Tensor:
        """(B, H, L, D), (B, K, L, D) twice, to (B, L, H, D)."""
        assert self.places is not None
        assert self.rows is not None
        # Not super(): a dataclass with slots is made anew, and the name of its class means the first one.
        blocks = Ready.attend(self, query, key, value, dropout=dropout, scaling=scaling)
        batch, heads, length, width = query.shape
        if not self.places.shape[1]:
            return blocks
        index = self.places.clamp(min=0)[:, None, :, None].expand(-1, heads, -1, width)
        picked, hidden = query.gather(2, index), as_additive(self.rows, query.dtype)
        if self.bias is None:
            rows = sdpa(picked, key, value, hidden, dropout=dropout, scaling=scaling)
        else:
            keys = torch.arange(length, device=query.device)
            pairs = self.bias.entry(self.places.clamp(min=0)[:, :, None], keys)
            at = Places(slice(0, batch), 1, (pairs[:, None],))
            rows = biased_sdpa(picked, key, value, self.bias, at, hidden, dropout=dropout, scaling=scaling)
        # What is absent is written behind the window and dropped: twice the same place would count twice in a gradient.
        target = self.places.where(self.places >= 0, length)[..., None, None].expand(-1, -1, heads, value.shape[-1])
        room = torch.cat([blocks, blocks.new_zeros(batch, 1, heads, value.shape[-1])], dim=1)
        return room.scatter(1, target, rows.transpose(1, 2).to(room.dtype))[:, :length]
