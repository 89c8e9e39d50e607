"""Layers that share their weights."""

from typing import Any

import torch

from ctxlab.compression.choosing.fitting import check_no_spans, check_unshared
from ctxlab.core.architecture import decoder_layers, layers
from ctxlab.core.compression import Compressed, Compression, Subject
from ctxlab.core.errors import UserError
from ctxlab.models.loading.reduced.rebuild import SHARED
from ctxlab.models.loading.reduced.shared import tie


class Share(Compression):
    """Consecutive layers get the mean of their weights, which they have in common from then on.

    Source: cross-layer sharing of ALBERT (Lan et al. 2020, arXiv:1909.11942), here of a trained model. The file gets
    smaller, and memory with it; the time of a pass stays. What only one of the layers has (T5's position bias) stays.
    """

    def __init__(self, size: int = 2) -> None:
        """Store the number of consecutive layers that share weights, from 2."""
        if size < 2:
            raise UserError(f"compression.size={size} shares nothing: give the number of layers that share, from 2.")
        self.size = size

    def check(self, model: Any, tokenizer: Any) -> None:
        """See ``Compression``."""
        del tokenizer
        check_unshared(model, "share")
        check_no_spans(model, "share")
        total = len(layers(model))
        if self.size > total:
            raise UserError(
                f"compression.size={self.size} layers are to share weights, and the model of this run has {total}: "
                f"give at most {total}, or use another compression=."
            )
        for stack in (layers(model), decoder_layers(model)):
            for group in _groups(len(stack), self.size):
                _check_alike([stack[place] for place in group], group)

    @torch.no_grad()
    def compress(self, subject: Subject) -> Compressed:
        """See ``Compression``."""
        leaders = []
        for stack in (layers(subject.model), decoder_layers(subject.model)):
            groups = _groups(len(stack), self.size)
            for group in groups:
                _average([stack[place] for place in group])
            leaders.append([group[0] for group in groups for _ in group])
        tie(subject.model, leaders)
        sets = sum(len(set(one)) for one in leaders)
        return Compressed(
            subject.tokenizer, f"{sets} sets of weights for {sum(map(len, leaders))} layers", {SHARED: leaders}
        )


def _groups(total: int, size: int) -> list[list[int]]:
    return [list(range(start, min(start + size, total))) for start in range(0, total, size)]


def _check_alike(group: list[torch.nn.Module], places: list[int]) -> None:
    """Refuse layers of different sizes; raises UserError."""
    first = dict(group[0].named_parameters())
    for place, layer in zip(places[1:], group[1:], strict=True):
        for name, weight in layer.named_parameters():
            if name in first and first[name].shape != weight.shape:
                raise UserError(
                    f"compression=share needs layers of one size, and {name} is {tuple(first[name].shape)} in layer "
                    f"{places[0]} and {tuple(weight.shape)} in layer {place}: share the layers of a run without "
                    "compression=heads."
                )


def _average(group: list[torch.nn.Module]) -> None:
    """Give the first layer the mean of those weights that all layers have."""
    own = [dict(layer.named_parameters()) for layer in group]
    for name in own[0]:
        if all(name in one for one in own):
            mean = torch.stack([one[name].double() for one in own]).mean(0)
            own[0][name].copy_(mean)
