"""A soup: the mean of the weights of several runs, written as a run of its own.

Source: Wortsman et al. 2022 (arXiv:2203.05482). Uniform soups average all runs. Greedy ones begin with the best run on
the validation documents and add each of the others, from the best on, if the score of the mean does not fall.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ctxlab.core.errors import UserError
from ctxlab.core.files import write_json
from ctxlab.models.loading.checkpointed import Checkpointed
from ctxlab.training import checkpoint, saving
from ctxlab.training.state import TrainState
from ctxlab.workbench.bench import Workbench
from ctxlab.workbench.members import Member
from ctxlab.workbench.parts import Parts

Weights = Mapping[str, torch.Tensor]
"""All tensors of a model by name, those of its tuning rule included."""

Score = Callable[[], float]
"""Returns the primary metric of the model in its current state on the validation documents."""


class Mean:
    """A running mean of weights, in double precision; others than floating-point ones must be equal."""

    def __init__(self, count: int = 0, total: Weights | None = None) -> None:
        self.count, self.total = count, total or {}

    def plus(self, weights: Weights, name: str) -> "Mean":
        """Return the mean with another run, called ``name``.

        Raises:
            UserError: Whole numbers in the weights differ from those of the other runs.
        """
        if not self.count:
            return Mean(1, {key: one.double() if one.is_floating_point() else one for key, one in weights.items()})
        for key, one in weights.items():
            if not one.is_floating_point() and not torch.equal(one, self.total[key]):
                raise UserError(
                    f"{key} of {name} differs from that of the other runs and has no mean: give runs that were trained "
                    "on the same documents."
                )
        added = {k: one + weights[k] if one.is_floating_point() else one for k, one in self.total.items()}
        return Mean(self.count + 1, added)

    @torch.no_grad()
    def put(self, model: Any) -> None:
        """Copy the mean into ``model``."""
        for key, tensor in model.state_dict().items():
            total = self.total[key]
            tensor.copy_(total / self.count if total.is_floating_point() else total)


@dataclass(frozen=True, eq=False)
class Soup:
    """What a soup is made of."""

    used: Sequence[Member]
    scores: Mapping[str, float]
    """Score of each run alone on the validation documents, by name; empty for a uniform soup."""


def weights_of(bench: Workbench, parts: Parts, member: Member) -> Weights:
    """Return the weights of a run, read into the model of ``bench``, which has the same architecture."""
    Checkpointed(str(member.folder)).load_weights(bench.model, parts.tuning)
    return {key: tensor.detach().clone() for key, tensor in bench.model.state_dict().items()}


def uniform(bench: Workbench, parts: Parts, members: Sequence[Member]) -> Soup:
    """Put the mean of all runs into the model of ``bench``."""
    mean = Mean()
    for member in members:
        mean = mean.plus(weights_of(bench, parts, member), member.name)
    mean.put(bench.model)
    return Soup(members, {})


def greedy(bench: Workbench, parts: Parts, members: Sequence[Member], score: Score) -> Soup:
    """Put the greedy soup into the model of ``bench``; its score is never worse than that of the best run.

    Args:
        bench: Workbench of the first run.
        parts: The command.
        members: The runs.
        score: Scores the model on the validation documents.
    """
    sign = -1 if bench.task.lower_is_better else 1
    alone = {}
    for member in members:
        Checkpointed(str(member.folder)).load_weights(bench.model, parts.tuning)
        alone[member.name] = score()
    used: list[Member] = []
    mean, best = Mean(), -float("inf")
    for member in sorted(members, key=lambda one: -sign * alone[one.name]):
        tried = mean.plus(weights_of(bench, parts, member), member.name)
        tried.put(bench.model)
        found = sign * (score() if used else alone[member.name])
        if not used or found >= best:
            mean, best = tried, found
            used.append(member)
    mean.put(bench.model)
    return Soup(used, alone)


def notes(soup: Soup, members: Sequence[Member], method: str, metric: str) -> Iterator[str]:
    """Yield what the soup is made of, for the report.

    Args:
        soup: The soup.
        members: All runs that were tried.
        method: How they were chosen.
        metric: Name of the figure that chose.
    """

    def shown(one: Member) -> str:
        return f"{one.name} ({metric} {soup.scores[one.name]:.4f})" if soup.scores else one.name

    left = [shown(member) for member in members if member not in soup.used]
    yield (
        f"The weights are the mean of {len(soup.used)} of {len(members)} runs, method={method}: "
        f"{', '.join(map(shown, soup.used))}{'; left out: ' + ', '.join(left) if left else ''}."
    )


def state_of(members: Sequence[Member]) -> TrainState:
    """Return the training of all runs together: the most steps of one, and the sum of tokens, seconds and FLOPs."""
    states = [TrainState.from_dict(saving.read_state_file(member.folder)["state"]) for member in members]
    return TrainState(
        step=max(state.step for state in states),
        epochs=max(state.epochs for state in states),
        tokens=sum(state.tokens for state in states),
        padded_tokens=sum(state.padded_tokens for state in states),
        seconds=sum(state.seconds for state in states),
        cpu_seconds=sum(state.cpu_seconds for state in states),
        flops=sum(state.flops for state in states),
        peak_memory_bytes=max(state.peak_memory_bytes for state in states),
    )


def save(run_dir: Path, bench: Workbench, parts: Parts, state: TrainState) -> Path:
    """Write the model of ``bench`` as the best and latest checkpoint of a run, without optimizer; returns its folder.

    Args:
        run_dir: Directory of the run.
        bench: Has the soup in its model.
        parts: The command.
        state: Training of all runs together.

    Raises:
        UserError: The disk is full or not writable.
    """

    def write(folder: Path) -> None:
        saving.write_model(
            folder, bench.task, bench.strategy, tuning=parts.tuning, model=bench.model, tokenizer=bench.tokenizer,
            context_length=bench.length, step=state.step,
        )  # fmt: skip
        values = {"state": state.to_dict(), "task": bench.task.name, "context_length": bench.length}
        write_json(folder / saving.STATE, values)

    name = checkpoint.save(run_dir, state.step, write)
    for pointer in ("latest", "best"):
        checkpoint.write_pointer(run_dir, pointer, name, step=state.step)
    return run_dir / checkpoint.FOLDER / name
