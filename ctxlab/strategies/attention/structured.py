"""Attention to neighbours, and to global tokens chosen by the document's structure.

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
from ctxlab.strategies.attention.kernels.blocks import BlockMask, as_additive, sdpa
from ctxlab.strategies.attention.kernels.latest import Latest, named_bits
from ctxlab.strategies.attention.kernels.masks import LibraryMask
from ctxlab.strategies.attention.kernels.plan import Plan, PreparedPlan, PreparedPlans, sliding
from ctxlab.strategies.attention.kernels.spans import Layout
from ctxlab.strategies.attention.kernels.sparse import Sparse, at_least
from ctxlab.strategies.attention.kernels.structure import MARKS, SALIENT, choose

FIRST_BLOCK = 128
"""Fewest queries of a block; more than a short window, so that global keys are copied less often."""


class Structured(Sparse):
    """Combines a sliding window with global tokens at sentences, paragraphs, headings, salient terms or given places.

    Global tokens attend to all and are attended by all, with the trained projections. They depend on the document, so
    each window of a batch has its own. ``at`` lists the sources; where these have more than ``max_global`` tokens,
    those marked by the data come first, then headings, paragraphs, sentences, salient terms, evenly spread in each
    (see ``structure``).

    In a causal model this choice would leak information about later tokens. There, besides the first tokens, a token
    attends to the latest ``max_global`` structure tokens before its own window (see ``latest``), and these do not
    attend to more than others; salient terms are not used, as they depend on the whole window.

    Source: global tokens at task and structure tokens in ETC (Ainslie et al. 2020, arXiv:2004.08483) and Longformer
    (Beltagy et al. 2020, arXiv:2004.05150). Deviations: tokens of the document are global, no extra summary tokens are
    added; choosing salient terms by TF-IDF within the window is ours.
    """

    wants_marks = True
    unexportable = "its global tokens are chosen from the text of each window"

    def __init__(
        self,
        window: int = 128,
        at: Sequence[str] | None = None,
        max_global: int = 64,
        num_salient: int = 16,
        num_global: int = 1,
    ) -> None:
        """Build the part.

        Args:
            window: Tokens on each side that a token attends to.
            at: Sources, any of given, headings, paragraphs, sentences, salient; None for all that the model allows.
            max_global: Most global tokens of a window, besides the first ones.
            num_salient: Number of salient terms, those with the largest TF-IDF.
            num_global: First tokens of a window that are always global.

        Raises:
            UserError: A value is too small, or a source is unknown.
        """
        at_least(1, "tokens on each side that a token attends to", window=window)
        at_least(1, "global tokens of a window that the structure marks", max_global=max_global)
        at_least(0, "salient terms of a window", num_salient=num_salient)
        at_least(0, "first tokens of a window that attend to all", num_global=num_global)
        named = None if at is None else list(at)
        if named is not None and (not named or not set(named) <= {*MARKS, SALIENT}):
            raise UserError(f"strategy.attention.at={named} must list some of {', '.join((*MARKS, SALIENT))}.")
        super().__init__(window=window, at=named, max_global=max_global, num_salient=num_salient, num_global=num_global)
        self.window, self.at, self.max_global = window, named, max_global
        self.sources = [*MARKS, SALIENT] if named is None else named
        self.num_salient, self.num_global = num_salient, num_global
        self.is_causal = False
        """Whether the model that it is installed in is causal."""
        self._chosen: tuple[torch.Size, torch.Tensor] | None = None

    def places(self, ids: torch.Tensor, real: torch.Tensor, marks: torch.Tensor | None) -> torch.Tensor:
        """Return (B, G): global tokens of each window, −1 where a window has fewer.

        Args:
            ids: (B, L) token ids.
            real: (B, L) bool, False for padding.
            marks: (B, L) marks of the tokens, or None where there are none.
        """
        rows = []
        for row in range(len(ids)):
            own = real[row].nonzero().flatten()  # (tokens without padding,)
            tokens = ids[row, own].cpu().numpy()
            known = torch.zeros_like(own) if marks is None else marks[row, own]
            first = torch.arange(min(self.num_global, ids.shape[1]), device=ids.device)
            num_first = int((own < len(first)).sum())
            chosen = choose(
                tokens,
                known.cpu().numpy(),
                sources=self.sources,
                num_salient=self.num_salient,
                most=self.max_global,
                first=num_first,
            )
            rows.append(torch.cat([first, own[torch.from_numpy(chosen).to(own.device)]]).unique())
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=-1)

    def choose_global(self, inputs: Mapping[str, Any]) -> None:
        """Choose the global tokens of the next forward pass; called by a forward pre-hook of the model.

        Args:
            inputs: ``input_ids`` (B, L), and ``attention_mask`` and ``marks`` of the same shape where there are any.

        Raises:
            UserError: The model receives embeddings instead of token ids.
        """
        if inputs.get("input_ids") is None:
            raise UserError(
                "strategy/attention=structured needs token ids, but this strategy/memory passes embeddings to the "
                "model: use strategy/attention=local with it."
            )
        chosen = self._named(inputs) if self.is_causal else self._places(inputs)
        self._chosen = inputs["input_ids"].shape, chosen

    def _named(self, inputs: Mapping[str, Any]) -> torch.Tensor:
        """Return (B, L) bool: tokens that start a unit of the structure, independent of later tokens."""
        bits, marks = named_bits(self.sources), inputs.get("marks")
        return torch.zeros_like(inputs["input_ids"], dtype=torch.bool) if marks is None else (marks & bits) > 0

    def _places(self, inputs: Mapping[str, Any]) -> torch.Tensor:
        ids, real = inputs["input_ids"], inputs.get("attention_mask")
        real = torch.ones_like(ids, dtype=torch.bool) if real is None else real.bool()
        return self.places(ids, real, inputs.get("marks"))

    def pattern(self, inputs: Mapping[str, torch.Tensor], row: int) -> Pattern:
        """Return the pattern with the global tokens of this window."""
        if self.is_causal:
            latest = self._latest(self._named(inputs))
            return lambda query, key, _: latest.allowed(row, query, key)
        places = self._places(inputs)[row]
        return lambda query, key, _: self.allowed_at(places[places >= 0], query, key)

    def install(self, model: Any) -> None:
        """Make every self-attention of ``model`` use the pattern, with a hook that chooses global tokens first.

        Raises:
            UserError: ``at`` lists salient terms and the model is causal, or the pattern would not take effect.
        """
        self.is_causal = is_causal(model)
        if self.is_causal and self.at is not None and SALIENT in self.at:
            raise UserError(
                f"strategy.attention.at={self.at} chooses salient terms by the whole window, but this model is causal: "
                "remove salient, or give null for all sources that it allows."
            )
        for handle in getattr(model, "ctxlab_structured", ()):
            handle.remove()

        def take_inputs(
            _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
        ) -> tuple[tuple[Any, ...], dict[str, Any]]:
            self.choose_global({"input_ids": args[0], **kwargs} if args else kwargs)
            return args, {name: value for name, value in kwargs.items() if name != "marks"}

        model.ctxlab_structured = (model.register_forward_pre_hook(take_inputs, with_kwargs=True),)
        super().install(model)

    def allowed(self, query: torch.Tensor, key: torch.Tensor, length: int) -> torch.Tensor:
        """Declare neighbours and first tokens; other global tokens depend on the document (see ``pattern``)."""
        del length
        near = (query - key).abs() <= self.window
        return near | (query < self.num_global) | (key < self.num_global)

    def allowed_at(self, places: torch.Tensor, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        """Declare the pattern of one window with global tokens at ``places`` (G,)."""
        return ((query - key).abs() <= self.window) | torch.isin(query, places) | torch.isin(key, places)

    def pairs(self, length: int) -> int:
        """Return the pairs of a window with the maximum number of global tokens."""
        num_global = min(self.max_global + self.num_global, length)
        return min(length * length, Plan(self.allowed, self._layout(num_global)).pairs(length) + num_global * length)

    def plans(self, length: int, lengths: Sequence[int]) -> tuple[Plan, ...]:
        """Return one plan without global tokens of the structure; ``_prepare`` adds them."""
        del length, lengths
        return (Plan(self.allowed, self._layout(self.num_global)),)

    def _layout(self, num_extra: int, window: int = 0) -> Layout:
        reach = max(self.window, window)
        return sliding(reach, block=max(FIRST_BLOCK, sliding(reach).block), num_extra=num_extra)

    def _prepare(self, library: LibraryMask) -> PreparedPlans:
        """Prepare the global tokens of each window as extra keys of each block, and rows for their own queries."""
        if self.is_causal:
            return self._prepare_causal(library)
        places = self._placed(library)

        def pattern(query: torch.Tensor, key: torch.Tensor, window: int) -> torch.Tensor:
            return self.allowed_at(places[window][places[window] >= 0], query, key)

        # The pattern receives the index of its window instead of a length, on which it does not depend.
        windows = range(library.batch_size)
        mask = masks.build(
            library, pattern, layout=self._layout(places.shape[1]), extra=places[:, None], lengths=windows
        )
        if not isinstance(mask, BlockMask):
            return PreparedPlans((PreparedPlan(mask),))
        query, key = places.clamp(min=0)[..., None], torch.arange(library.num_keys, device=library.device)
        seen = torch.cat([library.row(row).at(query[row], key) for row in windows])
        rows = masks.never_empty(seen, query == key)
        return PreparedPlans((WithRows(mask, places=places, rows=rows[:, None]),))

    def _prepare_causal(self, library: LibraryMask) -> PreparedPlans:
        """Prepare the latest structure tokens before the span of each block of each window as its extra keys."""
        shape = (library.batch_size, library.num_keys)
        seen = self._chosen is not None and self._chosen[0] == shape
        named = self._chosen[1] if seen else torch.zeros(shape, dtype=torch.bool)  # type: ignore[index]
        latest = self._latest(named.to(library.device))
        layout = replace(self._layout(self.max_global, latest.delay), num_global=self.num_global)
        starts = torch.arange(layout.num_blocks(library.num_keys), device=library.device) * layout.block

        def pattern(query: torch.Tensor, key: torch.Tensor, window: int) -> torch.Tensor:
            return latest.allowed(window, query, key)

        extra, windows = latest.before(starts), range(library.batch_size)
        return PreparedPlans(
            (PreparedPlan(masks.build(library, pattern, layout=layout, extra=extra, lengths=windows)),)
        )

    def _latest(self, named: torch.Tensor) -> Latest:
        return Latest(named, self.window, self.max_global, self.num_global)

    def _placed(self, library: LibraryMask) -> torch.Tensor:
        """Return (B, G): the global tokens last chosen, if they are for this batch; else only the first tokens."""
        if self._chosen is not None and self._chosen[0] == (library.batch_size, library.num_keys):
            return self._chosen[1].to(library.device)
        first = torch.arange(min(self.num_global, library.num_keys), device=library.device)
        return first.expand(library.batch_size, -1)


@dataclass(frozen=True, slots=True, eq=False)
class WithRows(PreparedPlan):
    """Blocked attention, and a few queries anywhere in the window that attend to all keys."""

    places: torch.Tensor | None = None
    """(B, G) indices of these queries, −1 for none."""
    rows: torch.Tensor | None = None
    """(B, 1, G, L) bool: keys that the model allows for each of them."""

    def attend(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *, dropout: float, scaling: float | None
    ) -> torch.Tensor:
        """Map query (B, H, L, D), key and value (B, K, L, D) to (B, L, H, D).

        Args:
            query: (B, H, L, D)
            key: (B, K, L, D)
            value: (B, K, L, D)
            dropout: Fraction of weights to drop.
            scaling: Factor of the scores; None for D ** −0.5.
        """
        assert self.places is not None
        assert self.rows is not None
        # Not super(): @dataclass(slots=True) creates a new class, so __class__ would refer to the original one.
        blocks = PreparedPlan.attend(self, query, key, value, dropout=dropout, scaling=scaling)
        batch, heads, length, width = query.shape
        if not self.places.shape[1]:
            return blocks
        index = self.places.clamp(min=0)[:, None, :, None].expand(-1, heads, -1, width)
        picked, hidden = query.gather(2, index), as_additive(self.rows, query.dtype)  # (B, H, G, D), (B, 1, G, L)
        if self.bias is None:
            rows = sdpa(picked, key, value, hidden, dropout=dropout, scaling=scaling, prefix=self.prefix)
        else:
            keys = torch.arange(length, device=query.device)
            pairs = self.bias.entry(self.places.clamp(min=0)[:, :, None], keys)
            at = Places(slice(0, batch), 1, (pairs[:, None],))
            rows = biased_sdpa(
                picked, key, value=value, bias=self.bias, places=at, hidden=hidden, dropout=dropout, scaling=scaling
            )
        # Absent queries (−1) are written to an extra last row that is dropped: no row may be written twice.
        target = self.places.where(self.places >= 0, length)[..., None, None].expand(-1, -1, heads, value.shape[-1])
        padded = torch.cat([blocks, blocks.new_zeros(batch, 1, heads, value.shape[-1])], dim=1)  # (B, L + 1, H, D)
        return padded.scatter(1, target, rows.transpose(1, 2).to(padded.dtype))[:, :length]
