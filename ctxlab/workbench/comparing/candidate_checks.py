"""Checks of every candidate on the real model and documents before training: validity, duplicates, cost."""

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.data.splits import load_documents
from ctxlab.optim.parameters import count_parameters
from ctxlab.workbench.bench import Workbench
from ctxlab.workbench.candidates import Candidate
from ctxlab.workbench.comparing.dry_run import DryRun, dry_run
from ctxlab.workbench.corpus import Corpus
from ctxlab.workbench.opening import Opened, open_bench
from ctxlab.workbench.parts import Parts

SPLITS = ("train", "validation", "test")

PASSES = 3
"""A training step takes about as long as this number of forward passes."""


@dataclass(frozen=True, slots=True)
class Work:
    """Work of a candidate, estimated from its windows and a timed forward pass."""

    step_tokens: float
    """Mean tokens of a training step."""
    step_flops: float
    seconds_per_token: float
    """Seconds of a forward pass per token."""
    learning_parameters: int


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
    before: dict[str, DryRun] = {}
    for candidate in candidates:
        try:
            if candidate.parts is None:
                raise UserError(candidate.refused)
            bench, own = _open(candidate.parts)
            corpus = corpus or own
            passed = dry_run(bench, candidate.parts.strategy, own)
            twin = next((title for title, other in before.items() if other.equals(passed)), "")
            before.setdefault(candidate.title, passed)
            found.append(CheckedCandidate(candidate, same_as=twin, work=_work(bench, own, passed)))
            del bench
        except UserError as error:
            found.append(CheckedCandidate(candidate, refused=str(error)))
        gc.collect()  # only one model in memory at a time
        done()
    if corpus is None:
        raise UserError(f"No candidate can be trained; {found[0].candidate.title}: {found[0].refused}")
    return found, corpus


def _open(parts: Parts) -> tuple[Workbench, Corpus]:
    opened: Opened = open_bench(
        parts,
        lambda task: load_documents(parts.data, task, parts.data_seed, parts.hold_out),
        scored=SPLITS,
        learns=True,
        trains=True,
    )
    labels = opened.bench.task.labels
    encoded = {split: opened.bench.encode(opened.documents.of(split)) for split in SPLITS}
    return opened.bench, Corpus(encoded, labels.index("O") if "O" in labels else None)


def _work(bench: Workbench, corpus: Corpus, passed: DryRun) -> Work:
    """Estimate the work over all training windows, without padding."""
    read = [bench.strategy.reading.windows(document, bench.length) for document in corpus.by_split["train"]]
    widths = np.asarray([len(window) for windows in read for window in windows], dtype=np.float64)
    num_steps = max(widths.sum() / max(bench.settings.tokens_per_step, widths.mean()), 1.0)
    step_tokens = float(widths.sum() / num_steps)
    return Work(
        step_tokens=step_tokens,
        step_flops=PASSES * step_tokens * passed.flops_per_token,
        seconds_per_token=passed.seconds_per_token,
        learning_parameters=count_parameters(bench.model, trainable=True),
    )
