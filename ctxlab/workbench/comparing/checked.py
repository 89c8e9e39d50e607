"""Every candidate on the real model and documents, before any is trained: what works, what is the same, its cost."""

import gc
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.core.strategy import Strategy
from ctxlab.core.types import Encoded
from ctxlab.data.splits import load_documents
from ctxlab.optim.parameters import count_parameters
from ctxlab.runtime.cost import FlopModel
from ctxlab.workbench.bench import Workbench
from ctxlab.workbench.comparing.candidates import Candidate
from ctxlab.workbench.opening import Opened, open_bench

LONGEST = 3
"""Documents whose windows tell whether two candidates read the same."""

SHARES = tuple(twentieth / 20 for twentieth in range(21))
"""Of the budget, at which the lengths of curricula are compared."""

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


@dataclass(frozen=True, eq=False)
class Corpus:
    """The documents as tokens."""

    by_split: dict[str, list[Encoded]]
    outside: int | None
    """Label of what is no gold (``O``); None where every label is gold."""

    @property
    def documents(self) -> list[Encoded]:
        """Of all splits."""
        return [document for documents in self.by_split.values() for document in documents]

    def longest(self, num: int) -> list[Encoded]:
        """The longest documents, the longest first."""
        return sorted(self.documents, key=len, reverse=True)[:num]


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
    titles: dict[str, str] = {}
    for candidate in candidates:
        try:
            bench, own = _open(candidate)
            corpus = corpus or own
            digest, seconds = _tried(candidate, bench, own)
            first = titles.setdefault(digest, candidate.title)
            same_as = "" if first == candidate.title else first
            found.append(Checked(candidate, same_as=same_as, work=_work(bench, own, seconds)))
            del bench
        except UserError as error:
            found.append(Checked(candidate, refused=str(error)))
        gc.collect()  # one model at a time
        done()
    if corpus is None:
        raise UserError(f"No candidate can be trained; of {found[0].candidate.title}: {found[0].refused}")
    return found, corpus


def _open(candidate: Candidate) -> tuple[Workbench, Corpus]:
    parts = candidate.parts
    if parts is None:
        raise UserError(candidate.refused)
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


def _tried(candidate: Candidate, bench: Workbench, corpus: Corpus) -> tuple[str, float]:
    """What tells this computation from others, and seconds per token of the longest document.

    Two candidates are one computation where they read the same windows through the same parts, and what the model makes
    of the longest document is equal to the bit, however its positions were stretched.
    """
    longest = corpus.longest(LONGEST)
    started = perf_counter()
    made = _outputs(bench, longest[0])
    seconds = (perf_counter() - started) / max(len(longest[0]), 1)
    assert candidate.parts is not None
    plan = _plan(bench, candidate.parts.strategy, longest)
    return hashlib.sha256(f"{plan} {made}".encode()).hexdigest(), seconds


def _outputs(bench: Workbench, document: Encoded) -> str:
    """What the model makes of a document; of what writes, which is slow, only how its positions were made."""
    if bench.task.writes or not bench.task.runs_model:
        return f"{_settings(bench.strategy.positions)} {bench.length}"
    (merged,) = bench.reader().read([document])
    return hashlib.sha256(merged.outputs.tobytes()).hexdigest()


def _plan(bench: Workbench, configured: Strategy, documents: Sequence[Encoded]) -> str:
    """What a candidate does, but for its positions; ``configured`` are its parts before they were fitted."""
    strategy = bench.strategy
    windows = [strategy.reading.windows(document, bench.length) for document in documents]
    longest = max(len(window) for row in windows for window in row)
    read = [(window.begins, window.input_ids.tobytes()) for row in windows for window in row]
    lengths = [min(strategy.curriculum.length(share, bench.length), longest) for share in SHARES]
    digest = hashlib.sha256(repr(read).encode()).hexdigest()
    parts = [_settings(part) for part in (configured.reading, configured.attention, configured.memory)]
    return f"{digest} {lengths} {strategy.curriculum.sorts} {parts}"


def _settings(part: object) -> str:
    """Class and settings of a part."""
    return f"{type(part).__qualname__} {sorted(vars(part).items())}"


def _work(bench: Workbench, corpus: Corpus, seconds_per_token: float) -> Work:
    """Over all training windows, padding apart."""
    strategy: Strategy = bench.strategy
    flops = FlopModel.of(bench.model, bench.facts.num_layers, bench.facts.hidden_size)
    added = strategy.memory.num_added
    widths = np.asarray(
        [
            len(window) + added
            for document in corpus.by_split["train"]
            for window in strategy.reading.windows(document, bench.length)
        ]
    )
    total = sum(flops.training(int(width), strategy.attention.pairs(int(width))) for width in widths)
    steps = max(widths.sum() / max(bench.settings.tokens_per_step, widths.mean()), 1.0)
    return Work(
        step_tokens=float(widths.sum() / steps),
        step_flops=float(total / steps),
        seconds_per_token=seconds_per_token,
        learning_parameters=count_parameters(bench.model, trainable=True),
    )
