"""Given texts held against a model as what follows a window, in place of a head's outputs.

Shape legend: B windows of a batch, W tokens of the longest one, C continuations, S tokens of a stem, V tokens of the
vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ctxlab.core.architecture import output_layer
from ctxlab.core.task import Continuations
from ctxlab.runtime.forward import unwrapped
from ctxlab.runtime.precision import exact


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the library's models return, as far as it is read."""

    logits: torch.Tensor
    """(B, C) log probabilities of the continuations (nats), in fp32."""


class Chooser(torch.nn.Module):
    """A decoder whose outputs are the log probabilities of continuations of a window, sums over their tokens.

    A window is read with *stems* behind it: a continuation without its last token, as that one is only told. Stems that
    begin another share its forward pass, so that continuations of a single token take one pass in all. Nothing is kept
    from pass to pass: attention patterns and positions are those of any window.
    """

    def __init__(self, model: Any, continuations: Continuations) -> None:
        """Take the decoder and what may follow."""
        super().__init__()
        self.model, self.continuations = model, continuations
        stems = [ids if continuations.ends else ids[:-1] for ids in continuations.token_ids]
        self._passes = passes(stems)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Chosen:
        """Of windows (B, W), padded behind."""
        logs = torch.empty(len(input_ids), len(self.continuations.token_ids), device=input_ids.device)
        for stem, numbers in self._passes:
            told = self._told(input_ids, attention_mask, stem)
            for number in numbers:
                logs[:, number] = self._sum(told, self.continuations.token_ids[number])
        return Chosen(logs)

    def _told(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, stem: tuple[int, ...]) -> torch.Tensor:
        """(B, S + 1, V) log probabilities of what follows each window, and each token of ``stem`` behind it."""
        steps = torch.arange(len(stem) + 1, device=input_ids.device)
        last = attention_mask.sum(dim=1, keepdim=True) - 1
        places = last + steps  # (B, S + 1) of the window's last token, and of the stem's
        ids, mask = (torch.nn.functional.pad(rows, (0, len(stem))) for rows in (input_ids, attention_mask))
        ids.scatter_(1, places[:, 1:], torch.tensor(stem, dtype=ids.dtype, device=ids.device).expand(len(ids), -1))
        mask.scatter_(1, places[:, 1:], 1)
        kept = places.unique()  # logits of all tokens would take V times the room
        # In bf16 the logits of large models lie an eighth of a nat apart.
        with exact(output_layer(unwrapped(self.model))):
            logits = self.model(input_ids=ids, attention_mask=mask, logits_to_keep=kept).logits
        rows = torch.arange(len(ids), device=ids.device)[:, None]
        told: torch.Tensor = logits[rows, torch.searchsorted(kept, places)].float().log_softmax(dim=-1)
        return told

    def _sum(self, told: torch.Tensor, ids: tuple[int, ...]) -> torch.Tensor:
        """(B,) of ``told`` (B, S + 1, V): log probability of ``ids``, and of an end where one must follow."""
        total = told[:, range(len(ids)), ids].sum(dim=1)
        if self.continuations.ends:
            total = total + told[:, len(ids), self.continuations.ends].logsumexp(dim=1)
        return total


def passes(stems: Sequence[tuple[int, ...]]) -> list[tuple[tuple[int, ...], list[int]]]:
    """The stems that begin no other, each with the numbers of those that begin it; every number once."""
    left, plan = set(range(len(stems))), []
    for stem in sorted(set(stems), key=len, reverse=True):
        numbers = [number for number in sorted(left) if stem[: len(stems[number])] == stems[number]]
        if numbers:
            plan.append((stem, numbers))
            left -= set(numbers)
    return plan
