"""Attention between tokens whose queries and keys have similar directions, found by locality-sensitive hashing."""

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from ctxlab.core.strategy import ModelKind
from ctxlab.strategies.attention.kernels import masks
from ctxlab.strategies.attention.kernels.base import BaseAttention
from ctxlab.strategies.attention.kernels.blocks import sdpa
from ctxlab.strategies.attention.kernels.chunks import cut
from ctxlab.strategies.attention.kernels.hashing import hash_tokens, num_buckets
from ctxlab.strategies.attention.kernels.interface import called_causally, install, refuse_unknown
from ctxlab.strategies.attention.kernels.masks import DenseMask, LibraryMask
from ctxlab.strategies.attention.kernels.rounds import attend_in_rounds
from ctxlab.strategies.attention.kernels.spans import Layout
from ctxlab.strategies.attention.kernels.sparse import at_least


@dataclass(frozen=True, slots=True, eq=False)
class Buckets:
    """Hash buckets of queries and keys; −1 for padding."""

    query: torch.Tensor
    """(B, H, R, L) int64."""
    key: torch.Tensor
    """(B, K, R, L) int64."""


class Lsh(BaseAttention):
    """Hashes tokens in several rounds; in each, tokens sorted by bucket and position attend within chunks.

    Source: Reformer (Kitaev et al. 2020, arXiv:2001.04451). As there: angular hashing by random rotations, chunks of
    fixed size that attend to themselves and to the previous one (the first to the last), rounds combined by their
    log-sum-exp, a pair found in several rounds counted once. In a document of at most two chunks all pairs attend.

    Deviations:
        - Queries and keys are hashed and sorted separately unless ``tied``. A chunk of queries attends to the chunk of
          keys into which its middle query would be sorted, so that buckets need not have equally many of both. If
          tied, this is its own chunk, and keys are the normalised queries, as in the paper.
        - A pair is counted in the first round that finds it, while the paper divides by the number of rounds that find
          it: the sum is the same.
        - A token always attends to itself; if tied, only where it sees no other token, as in the paper.
        - Buckets come from two rotations whose axes are paired (as in the authors' code for many buckets), with half a
          chunk of tokens per bucket on average. Key heads have their own rotations, the same in all layers.
        - Encoders and decoders both attend to one chunk before; ``num_after`` adds chunks after, useful for encoders.

    Padding is removed before hashing: it has no effect, and attends to itself only. Rounding may put a token on the
    border of two buckets into different ones in different batches. In a causal model no token attends to later ones,
    but as in the paper *which* earlier ones it attends to depends on the whole window. Queries that use a KV cache
    attend to all of it. A query head is hashed with the rotations of the key head that it shares.
    """

    supports: frozenset[ModelKind] = frozenset({"encoder", "decoder"})
    exact = False
    looks_ahead = True
    unexportable = "which tokens attend is found by sorting their hidden states"

    def __init__(self, chunk: int = 64, num_after: int = 0, rounds: int = 4, tied: bool = False, seed: int = 0) -> None:
        """Build the part.

        Args:
            chunk: Tokens of a chunk, which attend to each other and to the previous chunk.
            num_after: Chunks after its own that a chunk attends to.
            rounds: Rounds of hashing.
            tied: Whether the normalised queries are used as keys.
            seed: Seed of the rotations.

        Raises:
            UserError: A value is too small.
        """
        at_least(2, "tokens of a chunk, which attend to each other and to the previous chunk", chunk=chunk)
        at_least(0, "chunks after its own that a chunk attends to", num_after=num_after)
        at_least(1, "rounds of hashing", rounds=rounds)
        at_least(0, "the seed of the rotations", seed=seed)
        self.chunk, self.num_after, self.rounds, self.tied, self.seed = chunk, num_after, rounds, tied, seed

    @property
    def parameters(self) -> dict[str, Any]:
        """Return the options, which are part of the pattern's name and are recorded in the config."""
        names = ("chunk", "num_after", "rounds", "tied", "seed")
        return {name: getattr(self, name) for name in names}

    @property
    def name(self) -> str:
        """Return the name under which the pattern is registered with the library."""
        return "_".join(["ctxlab_lsh", *(str(value) for value in self.parameters.values())])

    def allowed(self, query: torch.Tensor, key: torch.Tensor, length: int) -> torch.Tensor:
        """Declare all pairs as an upper bound: which of them attend depends on the data, see ``buckets``."""
        del length
        return torch.ones(torch.broadcast_shapes(query.shape, key.shape), dtype=torch.bool, device=query.device)

    def pairs(self, length: int) -> int:
        """Return the pairs that the kernel computes for one head; in a causal model as many, some of them masked."""
        if length <= 2 * self.chunk and not self.tied:
            return length * length
        blocks = math.ceil(length / self.chunk) * self.chunk
        return self.rounds * blocks * (2 + self.num_after) * self.chunk + length

    def install(self, model: Any) -> None:
        """Make every self-attention of ``model`` use the pattern."""
        install(
            model,
            self.name,
            attention=self._attend,
            mask=self._mask,
            declared={"name": "lsh", **self.parameters},
            takes_tensors=True,
        )

    def buckets(self, query: torch.Tensor, key: torch.Tensor, real: torch.Tensor | None = None) -> Buckets:
        """Hash queries (B, H, L, D) and keys (B, K, L, D); ``real`` (B, L) is True for tokens, False for padding."""
        key = query if self.tied else key
        shape = self.rounds, query.shape[2]
        found = Buckets(
            torch.full((*query.shape[:2], *shape), -1, device=query.device),
            torch.full((*key.shape[:2], *shape), -1, device=query.device),
        )
        for row in range(len(query)):
            at = torch.arange(query.shape[2], device=query.device) if real is None else real[row].nonzero().flatten()
            if len(at):
                of_query, of_key = self._hash(query[row, :, at], key[row, :, at])
                found.query[row, :, :, at], found.key[row, :, :, at] = of_query, of_key
        return found

    def _hash(self, query: torch.Tensor, key: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return buckets (H, R, T) and (K, R, T) of one document's queries (H, T, D) and keys (K, T, D)."""
        count = num_buckets(query.shape[1], self.chunk)
        of_query = hash_tokens(query, len(key), rounds=self.rounds, buckets=count, seed=self.seed)
        return of_query, of_query if self.tied else hash_tokens(
            key, len(key), rounds=self.rounds, buckets=count, seed=self.seed
        )

    def _mask(self, *args: Any, **kwargs: Any) -> LibraryMask | DenseMask:
        """Return what the model allows, as the rest depends on each layer's data; called by the mask interface."""
        return self._prepare(masks.library_mask(*args, **kwargs))

    def _prepare(self, library: LibraryMask) -> LibraryMask | DenseMask:
        """Return a dense mask where queries use a KV cache or two chunks hold all tokens, else ``library`` itself."""
        cached = library.num_queries != library.num_keys
        if cached and self.tied:
            raise NotImplementedError("tied queries and keys cannot use a KV cache, whose keys are untied")
        if cached or (library.num_keys <= 2 * self.chunk and not self.tied):
            return masks.build(library, self.allowed, Layout(self.chunk, self.chunk, 0, 0))  # type: ignore[return-value]
        return library

    def _attend(
        self,
        module: torch.nn.Module,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: LibraryMask | DenseMask | torch.Tensor | None,
        dropout: float = 0.0,
        scaling: float | None = None,
        is_causal: bool | None = None,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, None]:
        """Map (B, H, L, D) to (B, L, H, D); called by the library's attention interface."""
        refuse_unknown(kwargs)
        if isinstance(attention_mask, torch.Tensor) or attention_mask is None:
            causal = called_causally(module, is_causal)
            attention_mask = self._prepare(masks.from_tensor(query, key, attention_mask, causal))
        if isinstance(attention_mask, DenseMask):
            dense = sdpa(query, key, value, attention_mask.pairs, dropout=dropout, scaling=scaling)
            return dense.transpose(1, 2).contiguous(), None
        with torch.autocast(query.device.type, enabled=False):
            # Not in half precision, as the sums of the rounds are combined by their logarithms.
            query, key, wide = (part.float() if part.itemsize < 4 else part for part in (query, key, value))
            output = self._by_document(query, key, value=wide, library=attention_mask, dropout=dropout, scaling=scaling)
        return output.transpose(1, 2).contiguous().to(value.dtype), None

    def _by_document(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        library: LibraryMask,
        dropout: float,
        scaling: float | None,
    ) -> torch.Tensor:
        """Compute each window separately, without its padding; returns (B, H, L, D).

        Args:
            query: (B, H, L, D)
            key: (B, K, L, D)
            value: (B, K, L, D)
            library: What the model allows.
            dropout: Fraction of weights to drop.
            scaling: Factor of the scores; None for D ** −0.5.
        """
        if self.tied:
            key = F.normalize(query, dim=-1) * query.shape[-1] ** 0.5
            value = value.repeat_interleave(query.shape[1] // value.shape[1], 1)
        query = query * (query.shape[-1] ** -0.5 if scaling is None else scaling)
        outputs = []
        for row, parts in enumerate(zip(query, key, value, strict=True)):
            real = None if library.padding is None else library.padding[row, : library.num_keys].nonzero().flatten()
            if real is None or len(real) == library.num_keys:
                outputs.append(self._document(*parts, library.row(row), None, dropout))
                continue
            alone = parts[2].repeat_interleave(len(parts[0]) // len(parts[2]), 0)  # padding sees itself only
            if len(real):
                one, other, third = (part.index_select(1, real) for part in parts)
                found = self._document(one, other, value=third, library=library.row(row), real=real, dropout=dropout)
                alone = alone.index_copy(1, real, found)
            outputs.append(alone)
        return torch.stack(outputs)

    def _document(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        library: LibraryMask,
        real: torch.Tensor | None,
        dropout: float,
    ) -> torch.Tensor:
        """Compute one document without padding.

        Args:
            query: (H, T, D)
            key: (K, T, D)
            value: (K, T, D)
            library: What the model allows in this window.
            real: (T,) indices of the tokens in the window; None where there is no padding.
            dropout: Fraction of weights to drop.

        Returns:
            (H, T, D)
        """

        def visible(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
            return library.at(*(at if real is None else real[at] for at in (one, other)))[0]

        chunks = cut(*self._hash(query, key), self.chunk, self.num_after, visible)
        return attend_in_rounds(query, key, value, chunks, last_resort=self.tied, dropout=dropout)
