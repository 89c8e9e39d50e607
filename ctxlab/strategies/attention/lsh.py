"""Tokens attend to those whose queries and keys point the same way, found by hashing."""

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from ctxlab.core.strategy import ModelKind
from ctxlab.strategies.attention.kernels import masks
from ctxlab.strategies.attention.kernels.base import Base
from ctxlab.strategies.attention.kernels.blocks import Layout, sdpa
from ctxlab.strategies.attention.kernels.chunks import cut
from ctxlab.strategies.attention.kernels.hashing import hash_tokens, num_buckets
from ctxlab.strategies.attention.kernels.interface import install, refuse_unknown
from ctxlab.strategies.attention.kernels.masks import DenseMask, LibraryMask
from ctxlab.strategies.attention.kernels.rounds import attend_in_rounds
from ctxlab.strategies.attention.kernels.sparse import at_least


@dataclass(frozen=True, slots=True, eq=False)
class Buckets:
    """Where queries and keys fell; −1 for padding."""

    query: torch.Tensor
    """(B, H, R, L) long."""
    key: torch.Tensor
    """(B, K, R, L) long."""


class Lsh(Base):
    """Several rounds of hashing; in each, tokens sorted by bucket and position attend within chunks.

    Source: Reformer (Kitaev et al. 2020, arXiv:2001.04451). As there: angular hashing by random rotations, chunks of
    fixed size that see themselves and the one before (the first sees the last), rounds weighed by their log-sum-exp,
    a pair that several rounds find counted once. In a document of at most two chunks every token sees every other.

    Deviations:
        - Queries and keys are hashed and sorted apart unless ``tied``. A chunk of queries meets the chunk of keys into
          which its middle query would be sorted, so that the two need not fill the buckets alike. Tied, this is its own
          chunk, and keys are the queries, normalised, as in the paper.
        - A pair is counted in the first round that finds it, where the paper divides by the number of rounds that do:
          the same sum.
        - A token always sees itself; tied, only where it sees nothing else, as in the paper.
        - The buckets come from two rotations whose axes are paired (the authors' code does so for many buckets), half a
          chunk of tokens in each on average. Key heads have rotations of their own, all layers the same.
        - Encoders and decoders alike see one chunk before; ``num_after`` adds chunks behind, of use to encoders.

    Padding is left out before hashing: it changes nothing, and sees itself only. Two batches may round a token that
    lies between two buckets differently. In a causal model no token attends to later ones, but as in the paper *which*
    earlier ones it attends to depends on the whole window. Queries that read a cache attend to all of it. A query
    head is hashed with the rotations of the key head that it shares.
    """

    supports: frozenset[ModelKind] = frozenset({"encoder", "decoder"})
    exact = False
    looks_ahead = True

    def __init__(self, chunk: int = 64, num_after: int = 0, rounds: int = 4, tied: bool = False, seed: int = 0) -> None:
        """Take tokens of a chunk, chunks seen behind, rounds of hashing, whether keys are queries, and the seed."""
        at_least(2, "tokens of a chunk, which attend to each other and to the chunk before", chunk=chunk)
        at_least(0, "chunks behind its own that a chunk attends to", num_after=num_after)
        at_least(1, "rounds of hashing", rounds=rounds)
        at_least(0, "what the rotations are drawn from", seed=seed)
        self.chunk, self.num_after, self.rounds, self.tied, self.seed = chunk, num_after, rounds, tied, seed

    @property
    def parameters(self) -> dict[str, Any]:
        """What names the pattern and goes into the saved config."""
        names = ("chunk", "num_after", "rounds", "tied", "seed")
        return {name: getattr(self, name) for name in names}

    @property
    def name(self) -> str:
        """Under which the pattern is registered with the library."""
        return "_".join(["ctxlab_lsh", *(str(value) for value in self.parameters.values())])

    def allowed(self, query: torch.Tensor, key: torch.Tensor, length: int) -> torch.Tensor:
        """Everything: what is seen depends on the data, see ``buckets``."""
        del length
        return torch.ones(torch.broadcast_shapes(query.shape, key.shape), dtype=torch.bool, device=query.device)

    def pairs(self, length: int) -> int:
        """Pairs that the kernel computes for one head; a causal model computes as many and hides a part."""
        if length <= 2 * self.chunk and not self.tied:
            return length * length
        blocks = math.ceil(length / self.chunk) * self.chunk
        return self.rounds * blocks * (2 + self.num_after) * self.chunk + length

    def install(self, model: Any) -> None:
        """Put the pattern into every self-attention of ``model``."""
        install(model, self.name, self._attend, self._mask, {"name": "lsh", **self.parameters})

    def buckets(self, query: torch.Tensor, key: torch.Tensor, real: torch.Tensor | None = None) -> Buckets:
        """Hash queries (B, H, L, D) and keys (B, K, L, D); ``real`` (B, L) tells tokens from padding."""
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
        """Buckets (H, R, T) and (K, R, T) of one document's queries (H, T, D) and keys (K, T, D)."""
        count = num_buckets(query.shape[1], self.chunk)
        of_query = hash_tokens(query, len(key), self.rounds, count, self.seed)
        return of_query, of_query if self.tied else hash_tokens(key, len(key), self.rounds, count, self.seed)

    def _mask(self, *args: Any, **kwargs: Any) -> LibraryMask | DenseMask:
        """For the library's mask interface: what the model allows; the rest depends on each layer's data."""
        return self._ready(masks.library_mask(*args, **kwargs))

    def _ready(self, library: LibraryMask) -> LibraryMask | DenseMask:
        """A dense mask where queries read a cache, and where two chunks hold everything."""
        cached = library.num_queries != library.num_keys
        if cached and self.tied:
            raise NotImplementedError("tied queries and keys cannot read a cache, which holds untied keys")
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
        """For the library's attention interface: (B, H, L, D) to (B, L, H, D)."""
        refuse_unknown(kwargs)
        if isinstance(attention_mask, torch.Tensor) or attention_mask is None:
            causal = bool(getattr(module, "is_causal", True) if is_causal is None else is_causal)
            attention_mask = self._ready(masks.from_tensor(query, key, attention_mask, causal))
        if isinstance(attention_mask, DenseMask):
            dense = sdpa(query, key, value, attention_mask.pairs, dropout=dropout, scaling=scaling)
            return dense.transpose(1, 2).contiguous(), None
        with torch.autocast(query.device.type, enabled=False):
            # Not in half precision: the sums of the rounds are weighed against each other.
            query, key, wide = (part.float() if part.itemsize < 4 else part for part in (query, key, value))
            output = self._by_document(query, key, wide, attention_mask, dropout, scaling)
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
        """Each window alone, its padding left out: (B, H, L, D)."""
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
            alone = parts[2].repeat_interleave(len(parts[0]) // len(parts[2]), 0)  # padding sees itself
            if len(real):
                one, other, third = (part.index_select(1, real) for part in parts)
                found = self._document(one, other, third, library.row(row), real, dropout)
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
        """(H, T, D), (K, T, D) twice to (H, T, D); ``real`` says where in the window the T tokens stand."""

        def visible(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
            return library.at(*(at if real is None else real[at] for at in (one, other)))[0]

        chunks = cut(*self._hash(query, key), self.chunk, self.num_after, visible)
        return attend_in_rounds(query, key, value, chunks, last_resort=self.tied, dropout=dropout)
