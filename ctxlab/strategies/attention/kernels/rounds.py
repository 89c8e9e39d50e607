"""One softmax over the pairs of several rounds of chunks, with the scores of one piece in memory at a time.

Rounds are combined by the log-sum-exp of their scores, which gives exactly the softmax over all pairs. The backward
pass recomputes the scores and needs only the common log-sum-exp, as in FlashAttention (Dao et al. 2022,
arXiv:2205.14135).

Shape legend: H query heads, K key heads, T tokens of one document, D head width, R rounds, N chunks of the document, M
tokens of a chunk, C chunks of keys that a chunk of queries attends to, P chunks of queries in a piece.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch.autograd.function import once_differentiable

from ctxlab.strategies.attention.kernels.chunks import Chunks

LAST_RESORT = -1e5
"""Added to a token's score with itself where it should attend to itself only if it has no other key."""


def attend_in_rounds(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    chunks: Chunks,
    *,
    last_resort: bool = False,
    dropout: float = 0.0,
) -> torch.Tensor:
    """Compute attention over the union of all rounds.

    Args:
        query: (H, T, D), scaled.
        key: (K, T, D)
        value: (K, T, D)
        chunks: Which keys each query has in each round.
        last_resort: Whether a token attends to itself only if it has no other key, instead of always.
        dropout: Fraction of weights to drop.

    Returns:
        (H, T, D)
    """
    output: torch.Tensor = Rounds.apply(query, key, value, chunks, last_resort, SeededDropout.draw(dropout))
    return output


@dataclass(frozen=True, slots=True)
class SeededDropout:
    """Dropout with a seed, so that the backward pass draws the same mask."""

    dropout: float
    seed: int

    @classmethod
    def draw(cls, dropout: float) -> "SeededDropout":
        """Draw a seed from the global random state, only if dropout is used."""
        return cls(dropout, int(torch.randint(2**31, ())) if dropout else 0)

    def apply(self, weights: torch.Tensor, place: int) -> torch.Tensor:
        """Return the weights after dropout; each ``place`` has its own mask."""
        if not self.dropout:
            return weights
        generator = torch.Generator(weights.device).manual_seed(self.seed * 1_000_003 + place)
        kept = torch.empty_like(weights).bernoulli_(1 - self.dropout, generator=generator)
        return weights * kept.div_(1 - self.dropout)


class Rounds(torch.autograd.Function):
    """The forward and backward pass of attention over all rounds."""

    @staticmethod
    def forward(
        ctx: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        chunks: Chunks,
        last_resort: bool,
        dropout: SeededDropout,
    ) -> torch.Tensor:
        """Start with each token's own value, then add one round after the other."""
        ctx.chunks, ctx.last_resort, ctx.dropout = chunks, last_resort, dropout
        total = _itself(query, key, last_resort)
        ones = dropout.apply(torch.ones_like(total), -1)
        output = value.repeat_interleave(len(query) // len(key), 0).flatten(0, 1) * ones[:, None]
        for turn in range(len(chunks.queries)):
            found, top, mass = _round(query, key, value=value, chunks=chunks, turn=turn, dropout=dropout)
            common = torch.logaddexp(total, top + mass.log())  # (H·T), log-sum-exp so far
            output *= (total - common).exp_()[:, None]
            output += found * (top - common).exp_()[:, None]
            total = common
        ctx.save_for_backward(query, key, value, output, total)
        return output.view(*query.shape[:2], -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Recompute weights from the common log-sum-exp; output · gradient per query is computed once."""
        query, key, value, output, total = ctx.saved_tensors
        with torch.autocast(query.device.type, enabled=False):
            flat = gradient.flatten(0, 1)
            back = Backward(
                query,
                key,
                value=value,
                gradient=flat,
                gain=(flat * output).sum(-1),
                total=total,
                chunks=ctx.chunks,
                dropout=ctx.dropout,
            )
            sums = back.of_itself(ctx.last_resort)
            for turn in range(len(ctx.chunks.queries)):
                for one, more in zip(sums, back.of_round(turn), strict=True):
                    one += more.view_as(one)
        return (*sums, None, None, None)


def _itself(query: torch.Tensor, key: torch.Tensor, last_resort: bool) -> torch.Tensor:
    """Return (H·T): the score of each token with itself."""
    scores = (query.view(len(key), -1, *query.shape[1:]) * key[:, None]).sum(-1).flatten()
    return scores + LAST_RESORT if last_resort else scores


def _round(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, chunks: Chunks, turn: int, dropout: SeededDropout
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Compute one round.

    Args:
        query: (H, T, D)
        key: (K, T, D)
        value: (K, T, D)
        chunks: Which keys each query has.
        turn: Index of the round.
        dropout: Dropout of the weights.

    Returns:
        Weighted values (H·T, D), the maximum score (H·T), and the sum of weights relative to it (H·T).
    """
    queries, keys, values = query.flatten(0, 1), _chunked(key, chunks, turn), _chunked(value, chunks, turn)
    shape = chunks.queries.shape[1:]
    found = value.new_empty(*shape, value.shape[-1])
    top, mass = value.new_empty(shape), value.new_empty(shape)
    for piece in chunks.pieces():
        spans = chunks.spans[turn, piece]
        scores = _scores(_take(queries, chunks.queries[turn, piece]), _near(keys, spans), chunks.seen(turn, piece))
        # A query without keys in this round gets a finite maximum, so that its weights are 0 and not NaN.
        top[piece] = scores.amax(-1).clamp_(min=torch.finfo(scores.dtype).min)
        weights = scores.sub_(top[piece][..., None]).exp_()
        mass[piece] = weights.sum(-1)
        found[piece] = dropout.apply(weights, _place(chunks, turn, piece)) @ _near(values, spans)
    places = chunks.query_places[turn]
    return found.flatten(0, 1).index_select(0, places), top.take(places), mass.take(places)


@dataclass(frozen=True, slots=True)
class Backward:
    """The backward pass of one document."""

    query: torch.Tensor
    key: torch.Tensor
    value: torch.Tensor
    gradient: torch.Tensor
    """(H·T, D) gradient of the output."""
    gain: torch.Tensor
    """(H·T) dot product of output and gradient."""
    total: torch.Tensor
    """(H·T) log-sum-exp of all scores."""
    chunks: Chunks
    dropout: SeededDropout

    def of_itself(self, last_resort: bool) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the gradients of query, key and value through each token's attention to itself."""
        groups = len(self.query) // len(self.key)
        key, value = (part.repeat_interleave(groups, 0).flatten(0, 1) for part in (self.key, self.value))
        weights = (_itself(self.query, self.key, last_resort) - self.total).exp_()
        ones = self.dropout.apply(torch.ones_like(weights), -1)
        scores = (weights * ((self.gradient * value).sum(-1) * ones - self.gain))[:, None]
        of_key = (scores * self.query.flatten(0, 1)).view(len(self.key), groups, *self.key.shape[1:])
        of_value = ((weights * ones)[:, None] * self.gradient).view(len(self.key), groups, *self.value.shape[1:])
        return (scores * key).view_as(self.query), of_key.sum(1), of_value.sum(1)

    def of_round(self, turn: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the gradients of query, key and value through one round: (H·T, D), (K·T, D), (K·T, D)."""
        chunks, queries = self.chunks, self.query.flatten(0, 1)
        keys, values = _chunked(self.key, chunks, turn), _chunked(self.value, chunks, turn)
        of_query = queries.new_empty(*chunks.queries.shape[1:], queries.shape[-1])
        of_key, of_value = torch.zeros_like(keys), torch.zeros_like(values)
        for piece in chunks.pieces():
            rows, spans = chunks.queries[turn, piece], chunks.spans[turn, piece]
            own, near, upstream = _take(queries, rows), _near(keys, spans), _take(self.gradient, rows)
            weights = _scores(own, near, chunks.seen(turn, piece)).sub_(self.total[rows][..., None]).exp_()
            place = _place(chunks, turn, piece)
            _add(of_value, spans, self.dropout.apply(weights, place).mT @ upstream)
            scores = self.dropout.apply(upstream @ _near(values, spans).mT, place)
            scores = scores.sub_(self.gain[rows][..., None]).mul_(weights)
            of_query[piece] = scores @ near
            _add(of_key, spans, scores.mT @ own)
        by_query, by_key = chunks.query_places[turn], chunks.key_places[turn]
        sums = (of_query, by_query), (of_key, by_key), (of_value, by_key)
        first, second, third = (part.flatten(0, 1).index_select(0, places) for part, places in sums)
        return first, second, third


def _scores(query: torch.Tensor, key: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
    """Return (P, M, C·M): scores of queries (P, M, D) with keys (P, C·M, D), −inf where a pair is masked."""
    return (query @ key.mT).masked_fill_(~seen, -math.inf)


def _chunked(tokens: torch.Tensor, chunks: Chunks, turn: int) -> torch.Tensor:
    """Return (K·N, M, D): keys or values (K, T, D) in the order of a round."""
    return _take(tokens.flatten(0, 1), chunks.keys[turn])


def _take(tokens: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Return (P, M, D): rows (P, M) of tokens (T, D)."""
    taken: torch.Tensor = tokens.index_select(0, rows.flatten()).unflatten(0, rows.shape)
    return taken


def _near(tokens: torch.Tensor, spans: torch.Tensor) -> torch.Tensor:
    """Return (P, C·M, D): chunks ``spans`` (P, C) of tokens (K·N, M, D)."""
    return tokens.index_select(0, spans.flatten()).view(len(spans), -1, tokens.shape[-1])


def _add(total: torch.Tensor, spans: torch.Tensor, gradient: torch.Tensor) -> None:
    """Add ``gradient`` (P, C·M, D) to ``total`` (K·N, M, D) in place: the backward pass of ``_near``."""
    total.flatten(1).index_add_(0, spans.flatten(), gradient.reshape(spans.numel(), -1))


def _place(chunks: Chunks, turn: int, piece: slice) -> int:
    """Return a unique number for each piece of each round."""
    place: int = turn * chunks.queries.shape[1] + piece.start
    return place
