"""Evaluation: from the model's outputs on whole documents to answers, scores and coverage."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from types import ModuleType

from ctxlab.core import plugins
from ctxlab.core.errors import UserError
from ctxlab.core.task import Task
from ctxlab.core.types import Coverage, Document, Encoded, Merged, Prediction, Scores, Table
from ctxlab.runtime.cost import FlopCounter
from ctxlab.runtime.ranks import current
from ctxlab.runtime.reader import Reader
from ctxlab.runtime.sharing import Done
from ctxlab.text.known import NONE, Known, total


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The result of evaluating one split."""

    scores: Scores
    coverage: Coverage
    predictions: list[Prediction]
    tokens: int
    """Tokens of all windows, special tokens included, plus generated tokens."""
    seconds: float
    flops: float
    """Floating point operations of the evaluation; see ``runtime.cost.FlopCounter``."""
    known: Known = NONE
    """Number of characters that the tokenizer knows and does not know."""


def predict(
    reader: Reader,
    task: Task,
    documents: Sequence[Document],
    encoded: Sequence[Encoded],
    done: Done = lambda _: None,
) -> Iterator[tuple[Prediction, Merged]]:
    """Yield the answer for each whole document, in order, with its merged outputs.

    Args:
        reader: Runs the model.
        task: Decodes the answers.
        documents: Whole documents.
        encoded: Their tokens, in the same order.
        done: Called with the number of tokens of each forward pass.
    """
    for document, tokens, merged in zip(documents, encoded, reader.read(encoded, done), strict=True):
        yield task.decode(document, tokens, merged), merged


def evaluate(
    reader: Reader,
    task: Task,
    documents: Sequence[Document],
    encoded: Sequence[Encoded],
    done: Done = lambda _: None,
) -> Evaluation:
    """Predict and score whole documents; gold that no window saw counts as missed.

    All processes of a run do so together, and have the same evaluation; its clock starts when all of them are there.

    Args:
        reader: Runs the model.
        task: Decodes answers, and names the metric.
        documents: The documents of a split.
        encoded: Their tokens, in the same order.
        done: Called with the number of tokens of each forward pass.
    """
    return evaluate_answers(
        lambda count: predict(reader, task, documents=documents, encoded=encoded, done=count),
        task,
        documents=documents,
        encoded=encoded,
        done=done,
    )


def evaluate_answers(
    answer: Callable[[Done], Iterator[tuple[Prediction, Merged]]],
    task: Task,
    documents: Sequence[Document],
    encoded: Sequence[Encoded],
    done: Done = lambda _: None,
) -> Evaluation:
    """Score the answers of one model, or of several together.

    Args:
        answer: Yields the answer for each document with merged outputs, and is given what to call with tokens read.
        task: Names the metric.
        documents: The documents of a split.
        encoded: Their tokens, in the same order.
        done: Called with the number of tokens of each forward pass.
    """
    with current().joined():
        started = perf_counter()
    predictions: list[Prediction] = []
    tokens = seen = 0

    def count(read: int) -> None:
        nonlocal tokens
        tokens += read
        done(read)

    with FlopCounter() as counter:
        for prediction, merged in answer(count):
            predictions.append(prediction)
            tokens += sum(len(text.token_ids) for text in merged.generated)
            seen += int(merged.seen.sum())
    if task.gathers:
        predictions = task.gathered(documents, predictions)
    seconds = perf_counter() - started
    scores = metric(task.metric)(documents, predictions)
    scores = replace(scores, tables=[*scores.tables, *_decoding(predictions)])
    known = known_of(encoded)
    coverage = Coverage(seen / max(sum(map(len, encoded)), 1), scores.coverage_labels, known.share)
    return Evaluation(
        scores, coverage, predictions=predictions, tokens=tokens, seconds=seconds, flops=counter.total, known=known
    )


def _decoding(predictions: Sequence[Prediction]) -> list[Table]:
    """Return a table of what decoding did, summed over documents; empty where it took the most probable answers."""
    names = dict.fromkeys(name for one in predictions for name in one.counts)
    if not names:
        return []
    sums = [sum(one.counts.get(name, 0) for one in predictions) for name in names]
    return [Table("decoding", "What decoding changed", columns=("documents", *names), rows=[(len(predictions), *sums)])]


def known_of(encoded: Sequence[Encoded]) -> Known:
    """Sum the known and unknown characters of documents."""
    return total(Known(one.num_characters, one.num_unknown, one.num_split) for one in encoded)


def metric(name: str) -> Callable[[Sequence[Document], Sequence[Prediction]], Scores]:
    """Return the function ``score`` of a metric's module; raises UserError as ``metric_module`` does."""
    score: Callable[[Sequence[Document], Sequence[Prediction]], Scores] = metric_module(name).score
    return score


def metric_module(name: str) -> ModuleType:
    """Import ``ctxlab/evaluation/metrics/<name>.py``, or a plug-in's module by its full name.

    Its ``LIBRARIES``, if any, are loaded when it first scores.

    Raises:
        UserError: There is no such module, or it has no function ``score``.
    """
    module = plugins.find_module("ctxlab.evaluation.metrics", name)
    if module is None:
        raise UserError(
            f"There is no metric '{name}': name a file of ctxlab/evaluation/metrics, or the full name of a module of a "
            f"distribution that declares the entry point {plugins.GROUP}."
        )
    if not callable(getattr(module, "score", None)):
        raise UserError(f"The metric '{name}' has no function score(documents, predictions): write one.")
    return module
