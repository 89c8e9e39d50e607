"""Every candidate on the real model and documents, before any is trained: what works, what is the same, its cost."""

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.data.splits import load_documents
from ctxlab.optim.parameters import count_parameters
from ctxlab.workbench.bench import Workbench
from ctxlab.workbench.comparing.candidates import Candidate
from ctxlab.workbench.comparing.corpus import Corpus
from ctxlab.workbench.comparing.passed import Passed, read_through
from ctxlab.workbench.opening import Opened, open_bench
from ctxlab.workbench.parts import Parts

SPLITS = ("train", "validation", "test")

PASSES = 3
"""A step of training takes about as long as so many passes."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a candidate has to do, estimated from its windows and a timed pass."""

    step_tokens: float
    """Of a training step, on average."""
    step_flops: float
    seconds_per_token: float
    """Of reading."""
    learning_parameters: int


@dataclass(frozen=True, eq=False)
class Checked:
    """A candidate that can be trained, or why it has no cells."""

    candidate: Candidate
    refused: str = ""
    """Why it is not applicable, in a sentence."""
    same_as: str = ""
    """Title of an earlier candidate that computes the same."""
    work: Work | None = None

    @property
    def runs(self) -> bool:
        """Whether it has cells of its own."""
        return not (self.refused or self.same_as)


def check(candidates: Sequence[Candidate], done: Callable[[], None] = lambda: None) -> tuple[list[Checked], Corpus]:
    """Open every candidate once; returns what was found, and the documents as the first one that works has them.

    Args:
        candidates: In the order of the comparison.
        done: Called after each one.

    Raises:
        UserError: None can be trained; says why the first one cannot.
    """
    found: list[Checked] = []
    corpus: Corpus | None = None
    before: dict[str, Passed] = {}
    for candidate in candidates:
        try:
            if candidate.parts is None:
                raise UserError(candidate.refused)
            bench, own = _open(candidate.parts)
            corpus = corpus or own
            passed = read_through(bench, candidate.parts.strategy, own)
            twin = next((title for title, other in before.items() if other.equals(passed)), "")
            before.setdefault(candidate.title, passed)
            found.append(Checked(candidate, same_as=twin, work=_work(bench, own, passed)))
            del bench
        except UserError as error:
            found.append(Checked(candidate, refused=str(error)))
        gc.collect()  # one model at a time
        done()
    if corpus is None:
        raise UserError(f"No candidate can be trained; of {found[0].candidate.title}: {found[0].refused}")
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


def _work(bench: Workbench, corpus: Corpus, passed: Passed) -> Work:
    """Over all training windows, padding apart."""
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
