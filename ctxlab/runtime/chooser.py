"""Log probabilities of given continuations of a window, used in place of a head's outputs.

Shape legend: B windows of a batch, W tokens of the longest one, C continuations, S tokens of a stem, V vocabulary size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ctxlab.core.architecture import output_layer
from ctxlab.core.generation import Continuations
from ctxlab.runtime.forward import unwrapped
from ctxlab.runtime.precision import exact


@dataclass(frozen=True, slots=True)
class ContinuationScores:
    """The output of a Transformers model, as far as it is used."""

    logits: torch.Tensor
    """(B, C) log probabilities of the continuations (nats), in fp32."""


class Chooser(torch.nn.Module):
    """A decoder whose outputs are the log probabilities of continuations of a window, summed over their tokens.

    A window is read with *stems* appended: a stem is a continuation without its last token, which is only predicted.
    Stems that are prefixes of another share its forward pass, so that continuations of a single token take one pass in
    all. No KV cache is used between passes: attention patterns and positions are those of any window.
    """

    def __init__(self, model: Any, continuations: Continuations) -> None:
        """Store the decoder and the possible continuations."""
        super().__init__()
        self.model, self.continuations = model, continuations
        stems = [ids if continuations.ends else ids[:-1] for ids in continuations.token_ids]
        self._passes = plan_passes(stems)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> ContinuationScores:
        """Score the continuations of right-padded windows (B, W)."""
        logs = torch.empty(len(input_ids), len(self.continuations.token_ids), device=input_ids.device)
        for stem, numbers in self._passes:
            logs_of_next = self._log_probabilities(input_ids, attention_mask, stem)
            for number in numbers:
                logs[:, number] = self._sum(logs_of_next, self.continuations.token_ids[number])
        return ContinuationScores(logs)

    def _log_probabilities(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, stem: tuple[int, ...]
    ) -> torch.Tensor:
        """Return (B, S + 1, V) log probabilities of the token after each window and after each token of ``stem``."""
        steps = torch.arange(len(stem) + 1, device=input_ids.device)
        last = attention_mask.sum(dim=1, keepdim=True) - 1
        places = last + steps  # (B, S + 1) positions of the window's last token and of the stem's tokens
        ids, mask = (torch.nn.functional.pad(rows, (0, len(stem))) for rows in (input_ids, attention_mask))
        ids.scatter_(1, places[:, 1:], torch.tensor(stem, dtype=ids.dtype, device=ids.device).expand(len(ids), -1))
        mask.scatter_(1, places[:, 1:], 1)
        kept = places.unique()  # logits of all tokens would take too much memory
        # In bf16 the logits of large models are rounded to an eighth of a nat.
        with exact(output_layer(unwrapped(self.model))):
            logits = self.model(input_ids=ids, attention_mask=mask, logits_to_keep=kept).logits
        rows = torch.arange(len(ids), device=ids.device)[:, None]
        logs_of_next: torch.Tensor = logits[rows, torch.searchsorted(kept, places)].float().log_softmax(dim=-1)
        return logs_of_next

    def _sum(self, logs_of_next: torch.Tensor, ids: tuple[int, ...]) -> torch.Tensor:
        """Return (B,) the log probability of ``ids``, and of an end token if required, from (B, S + 1, V)."""
        total = logs_of_next[:, range(len(ids)), ids].sum(dim=1)
        if self.continuations.ends:
            total = total + logs_of_next[:, len(ids), self.continuations.ends].logsumexp(dim=1)
        return total


def plan_passes(stems: Sequence[tuple[int, ...]]) -> list[tuple[tuple[int, ...], list[int]]]:
    """Return the stems that are no prefix of another, each with the indices of its prefixes; every index once."""
    left, plan = set(range(len(stems))), []
    for stem in sorted(set(stems), key=len, reverse=True):
        numbers = [number for number in sorted(left) if stem[: len(stems[number])] == stems[number]]
        if numbers:
            plan.append((stem, numbers))
            left -= set(numbers)
    return plan
