"""Checks of every candidate on the real model and documents before training: validity, duplicates, cost by its plan."""

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ctxlab.core.errors import UserError
from ctxlab.data.splits import load_documents
from ctxlab.workbench.candidates import Candidate
from ctxlab.workbench.comparing.dry_run import DryRun, dry_run
from ctxlab.workbench.corpus import Corpus
from ctxlab.workbench.opening import Opened, open_bench
from ctxlab.workbench.parts import Parts
from ctxlab.workbench.planning import stored
from ctxlab.workbench.planning.measuring import measure

SPLITS = ("train", "validation", "test")

PASSES = 3
"""A training step takes about as long as this number of forward passes."""


@dataclass(frozen=True, slots=True)
class Work:
    """Work of a candidate, from its plan (``ctxlab plan``)."""

    step_tokens: float
    """Mean tokens of a training step."""
    step_flops: float
    step_seconds: float
    peak_bytes: int
    """Peak memory of a cell."""

    @property
    def seconds_per_token(self) -> float:
        """Return the seconds of a forward pass per token, without training."""
        return self.step_seconds / (PASSES * max(self.step_tokens, 1.0))


@dataclass(frozen=True, eq=False)
class CheckedCandidate:
    """A candidate that can be trained, or the reason why it is not."""

    candidate: Candidate
    refused: str = ""
    """Sentence that says why it is not applicable."""
    same_as: str = ""
    """Title of an earlier candidate with the same computation."""
    work: Work | None = None

    @property
    def runs(self) -> bool:
        """Whether the candidate has cells of its own."""
        return not (self.refused or self.same_as)


def check(
    candidates: Sequence[Candidate], done: Callable[[], None] = lambda: None
) -> tuple[list[CheckedCandidate], Corpus]:
    """Open every candidate once; returns the checked candidates, and the documents as the first valid one reads them.

    Args:
        candidates: In the order of the comparison.
        done: Called after each candidate.

    Raises:
        UserError: No candidate can be trained; gives the reason of the first one.
    """
    found: list[CheckedCandidate] = []
    corpus: Corpus | None = None
    before: list[tuple[Candidate, DryRun]] = []
    for candidate in candidates:
        try:
            if candidate.parts is None:
                raise UserError(candidate.refused)
            opened, own = _open(candidate.parts)
            bench, corpus = opened.bench, corpus or own
            passed = dry_run(bench, candidate.parts.strategy, own)
            alike = (one for one, other in before if one.beside == candidate.beside and other.equals(passed))
            twin = next((one.title for one in alike), "")
            before.append((candidate, passed))
            work = None if twin else _work(candidate.parts, opened)
            found.append(CheckedCandidate(candidate, same_as=twin, work=work))
            del opened, bench
        except UserError as error:
            found.append(CheckedCandidate(candidate, refused=str(error)))
        gc.collect()  # only one model in memory at a time
        done()
    if corpus is None:
        raise UserError(f"No candidate can be trained; {found[0].candidate.title}: {found[0].refused}")
    return found, corpus


def _open(parts: Parts) -> tuple[Opened, Corpus]:
    opened = open_bench(
        parts,
        lambda task: load_documents(parts.data, task, parts.data_seed, parts.hold_out),
        scored=SPLITS,
        learns=True,
        trains=True,
    )
    labels = opened.bench.task.labels
    encoded = {split: opened.bench.encode(opened.documents.of(split)) for split in SPLITS}
    return opened, Corpus(encoded, labels.index("O") if "O" in labels else None)


def _work(parts: Parts, opened: Opened) -> Work:
    """Return the figures of the plan, which is measured if it is not in the cache; the weights then change."""
    found = stored.measured(parts, lambda: measure(parts, opened.bench, opened.documents.train))
    return Work(
        step_tokens=found.load.tokens_per_step,
        step_flops=found.flops_per_step,
        step_seconds=found.seconds_per_step,
        peak_bytes=found.peak_bytes(),
    )
