"""One softmax over the pairs of several rounds of chunks, never holding the scores of more than a piece.

Each round gives its sums and their logarithm, which weighs it against the others: together, exactly the softmax over
all pairs. The backward pass computes the scores anew and needs only the common logarithm, as in FlashAttention
(Dao et al. 2022, arXiv:2205.14135).

Shape legend: H query heads, K key heads, T tokens of one document, D head width, R rounds, N chunks of the document, M
tokens of a chunk, C chunks of keys that a chunk of queries sees, P chunks of queries in a piece.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch.autograd.function import once_differentiable

from ctxlab.strategies.attention.kernels.chunks import Chunks

LAST_RESORT = -1e5
"""Added to a token's score with itself where it shall see itself only if it sees nothing else."""


def attend_in_rounds(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    chunks: Chunks,
    *,
    last_resort: bool = False,
    dropout: float = 0.0,
) -> torch.Tensor:
    """Attention of scaled queries (H, T, D) to keys (K, T, D), values (K, T, D): to (H, T, D).

    Each token sees what ``chunks`` show it in any round, and itself: always, or as a ``last_resort`` only.
    """
    output: torch.Tensor = Rounds.apply(query, key, value, chunks, last_resort, SeededDropout.draw(dropout))
    return output


@dataclass(frozen=True, slots=True)
class SeededDropout:
    """Dropout that gives the same again in the backward pass."""

    dropout: float
    seed: int

    @classmethod
    def draw(cls, dropout: float) -> "SeededDropout":
        """Take a seed from the global state, but only where it is needed."""
        return cls(dropout, int(torch.randint(2**31, ())) if dropout else 0)

    def of(self, weights: torch.Tensor, place: int) -> torch.Tensor:
        """Dropped and scaled up; each ``place`` has its own draw."""
        if not self.dropout:
            return weights
        generator = torch.Generator(weights.device).manual_seed(self.seed * 1_000_003 + place)
        kept = torch.empty_like(weights).bernoulli_(1 - self.dropout, generator=generator)
        return weights * kept.div_(1 - self.dropout)


class Rounds(torch.autograd.Function):
    """The sum over all rounds and its gradient."""

    @staticmethod
    def forward(
        ctx: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        chunks: Chunks,
        last_resort: bool,
        keep: SeededDropout,
    ) -> torch.Tensor:
        """Begin with each token itself, then add one round after the other."""
        ctx.chunks, ctx.last_resort, ctx.keep = chunks, last_resort, keep
        total = _itself(query, key, last_resort)
        ones = keep.of(torch.ones_like(total), -1)
        output = value.repeat_interleave(len(query) // len(key), 0).flatten(0, 1) * ones[:, None]
        for turn in range(len(chunks.queries)):
            found, top, mass = _round(query, key, value, chunks, turn, keep)
            common = torch.logaddexp(total, top + mass.log())
            output *= (total - common).exp_()[:, None]
            output += found * (top - common).exp_()[:, None]
            total = common
        ctx.save_for_backward(query, key, value, output, total)
        return output.view(*query.shape[:2], -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Weights from the common logarithm; what each token gains from its output is subtracted once."""
        query, key, value, output, total = ctx.saved_tensors
        with torch.autocast(query.device.type, enabled=False):
            flat = gradient.flatten(0, 1)
            back = Backward(query, key, value, flat, (flat * output).sum(-1), total, ctx.chunks, ctx.keep)
            sums = back.of_itself(ctx.last_resort)
            for turn in range(len(ctx.chunks.queries)):
                for one, more in zip(sums, back.of_round(turn), strict=True):
                    one += more.view_as(one)
        return (*sums, None, None, None)


def _itself(query: torch.Tensor, key: torch.Tensor, last_resort: bool) -> torch.Tensor:
    """(H·T) score of each token with itself."""
    scores = (query.view(len(key), -1, *query.shape[1:]) * key[:, None]).sum(-1).flatten()
    return scores + LAST_RESORT if last_resort else scores


def _round(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, chunks: Chunks, turn: int, keep: SeededDropout
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Weighted values (H·T, D), the highest score and the sum of weights relative to it (H·T), of one round."""
    queries, keys, values = query.flatten(0, 1), _chunked(key, chunks, turn), _chunked(value, chunks, turn)
    shape = chunks.queries.shape[1:]
    found = value.new_empty(*shape, value.shape[-1])
    top, mass = value.new_empty(shape), value.new_empty(shape)
    for piece in chunks.pieces():
        spans = chunks.spans[turn, piece]
        scores = _scores(_take(queries, chunks.queries[turn, piece]), _near(keys, spans), chunks.seen(turn, piece))
        # A query that sees nothing here: a finite top, so that its weights are 0 and not NaN.
        top[piece] = scores.amax(-1).clamp_(min=torch.finfo(scores.dtype).min)
        weights = scores.sub_(top[piece][..., None]).exp_()
        mass[piece] = weights.sum(-1)
        found[piece] = keep.of(weights, _place(chunks, turn, piece)) @ _near(values, spans)
    places = chunks.query_places[turn]
    return found.flatten(0, 1).index_select(0, places), top.take(places), mass.take(places)


@dataclass(frozen=True, slots=True)
class Backward:
    """The backward pass of one document."""

    query: torch.Tensor
    key: torch.Tensor
    value: torch.Tensor
    gradient: torch.Tensor
    """(H·T, D) of the output."""
    gain: torch.Tensor
    """(H·T) product of output and gradient."""
    total: torch.Tensor
    """(H·T) logarithm of the sum of all weights."""
    chunks: Chunks
    keep: SeededDropout

    def of_itself(self, last_resort: bool) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Gradients of query, key and value by way of each token's sight of itself."""
        groups = len(self.query) // len(self.key)
        key, value = (part.repeat_interleave(groups, 0).flatten(0, 1) for part in (self.key, self.value))
        weights = (_itself(self.query, self.key, last_resort) - self.total).exp_()
        ones = self.keep.of(torch.ones_like(weights), -1)
        scores = (weights * ((self.gradient * value).sum(-1) * ones - self.gain))[:, None]
        of_key = (scores * self.query.flatten(0, 1)).view(len(self.key), groups, *self.key.shape[1:])
        of_value = ((weights * ones)[:, None] * self.gradient).view(len(self.key), groups, *self.value.shape[1:])
        return (scores * key).view_as(self.query), of_key.sum(1), of_value.sum(1)

    def of_round(self, turn: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The same by way of one round: (H·T, D), (K·T, D), (K·T, D)."""
        chunks, queries = self.chunks, self.query.flatten(0, 1)
        keys, values = _chunked(self.key, chunks, turn), _chunked(self.value, chunks, turn)
        of_query = queries.new_empty(*chunks.queries.shape[1:], queries.shape[-1])
        of_key, of_value = torch.zeros_like(keys), torch.zeros_like(values)
        for piece in chunks.pieces():
            rows, spans = chunks.queries[turn, piece], chunks.spans[turn, piece]
            own, near, upstream = _take(queries, rows), _near(keys, spans), _take(self.gradient, rows)
            weights = _scores(own, near, chunks.seen(turn, piece)).sub_(self.total[rows][..., None]).exp_()
            place = _place(chunks, turn, piece)
            _add(of_value, spans, self.keep.of(weights, place).mT @ upstream)
            scores = self.keep.of(upstream @ _near(values, spans).mT, place)
            scores = scores.sub_(self.gain[rows][..., None]).mul_(weights)
            of_query[piece] = scores @ near
            _add(of_key, spans, scores.mT @ own)
        by_query, by_key = chunks.query_places[turn], chunks.key_places[turn]
        sums = (of_query, by_query), (of_key, by_key), (of_value, by_key)
        first, second, third = (part.flatten(0, 1).index_select(0, places) for part, places in sums)
        return first, second, third


def _scores(query: torch.Tensor, key: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
    """(P, M, D) and (P, C·M, D) to (P, M, C·M), −inf where a pair is hidden."""
    return (query @ key.mT).masked_fill_(~seen, -math.inf)


def _chunked(tokens: torch.Tensor, chunks: Chunks, turn: int) -> torch.Tensor:
    """Keys or values (K, T, D) in the order of a round, (K·N, M, D)."""
    return _take(tokens.flatten(0, 1), chunks.keys[turn])


def _take(tokens: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Rows (P, M) of (T, D), as (P, M, D)."""
    taken: torch.Tensor = tokens.index_select(0, rows.flatten()).unflatten(0, rows.shape)
    return taken


def _near(tokens: torch.Tensor, spans: torch.Tensor) -> torch.Tensor:
    """Of (K·N, M, D), what chunks with spans (P, C) see: (P, C·M, D)."""
    return tokens.index_select(0, spans.flatten()).view(len(spans), -1, tokens.shape[-1])


def _add(total: torch.Tensor, spans: torch.Tensor, gradient: torch.Tensor) -> None:
    """The reverse of ``_near``, in place."""
    total.flatten(1).index_add_(0, spans.flatten(), gradient.reshape(spans.numel(), -1))


def _place(chunks: Chunks, turn: int, piece: slice) -> int:
    """A number of its own for each piece of each round."""
    place: int = turn * chunks.queries.shape[1] + piece.start
    return place
