"""Ensembles: the mean of what several models hold likely, unit by unit (word, document or token).

Shape legend: U units of an answer, C columns of an opinion.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.core.task import Task
from ctxlab.core.types import BoolArray, Document, Encoded, Merged, Opinion, Prediction
from ctxlab.runtime.reader import Reader
from ctxlab.runtime.sharing import Done


@dataclass(frozen=True, eq=False)
class Voter:
    """One model of an ensemble, and the documents as its tokenizer and its task have them."""

    name: str
    reader: Reader
    task: Task
    documents: Sequence[Document]
    encoded: Sequence[Encoded]
    alone: list[Prediction] = field(default_factory=list)
    """Its own answers, in order, of the documents that were predicted so far."""


def mean_opinion(opinions: Sequence[Opinion], names: Sequence[str]) -> Opinion:
    """Return the mean of probabilities over the models that saw a unit; columns are matched by name.

    By Jensen's inequality the log loss of the mean is never above the mean of the log losses.

    Args:
        opinions: Of the same document, one for each model.
        names: Of the models, for messages.

    Raises:
        UserError: The opinions are about different units or columns.
    """
    first = opinions[0]
    for name, one in zip(names, opinions, strict=True):
        _check(first, one, f"{names[0]} and {name}")
    order = [[one.names.index(column) for column in first.names] for one in opinions]
    # (N, U, C) and (N, U)
    given = np.stack([one.probabilities[:, columns] for one, columns in zip(opinions, order, strict=True)])
    seen = np.stack([one.seen for one in opinions])
    total = (given * seen[..., None]).sum(axis=0)
    mean = total / np.maximum(seen.sum(axis=0), 1)[:, None]
    either: BoolArray = np.logical_or.reduce(seen)
    return replace(first, probabilities=mean, seen=either)


def _check(first: Opinion, other: Opinion, names: str) -> None:
    if set(first.names) != set(other.names):
        apart = sorted(set(first.names) ^ set(other.names))
        raise UserError(
            f"{names} have different labels ({', '.join(apart[:5])} only in one of them), so that their probabilities "
            "have no mean: give runs that were trained with the same task.labels."
        )
    tokens = first.tokens is None or other.tokens is None or np.array_equal(first.tokens, other.tokens)
    if len(first.seen) != len(other.seen) or not tokens:
        raise UserError(
            f"{names} divide a document differently (their tokenizers differ), and the task predicts its tokens: give "
            "runs of models with one tokenizer."
        )


def predict_together(voters: Sequence[Voter], done: Done = lambda _: None) -> Iterator[tuple[Prediction, Merged]]:
    """Yield the answer of all models together for each document, with the merged outputs of the first that read any.

    The models read in turns, a group of documents at a time.

    Args:
        voters: The models; their ``alone`` is filled.
        done: Called with the number of tokens of each forward pass of any of them.
    """
    names = [voter.name for voter in voters]
    outputs = zip(*(voter.reader.read(voter.encoded, done) for voter in voters), strict=True)
    for place, merged in enumerate(outputs):
        rows = [
            (voter, voter.documents[place], voter.encoded[place], own)
            for voter, own in zip(voters, merged, strict=True)
        ]
        mean = mean_opinion([v.task.opinion(document, tokens, own) for v, document, tokens, own in rows], names)
        for voter, document, tokens, own in rows:
            voter.alone.append(voter.task.decode(document, tokens, own))
        voter, document, tokens, own = next((row for row in rows if row[3].seen.any()), rows[0])
        columns = [mean.names.index(name) for name in voter.task.opinion(document, tokens, own).names]
        ordered = replace(mean, probabilities=mean.probabilities[:, columns])
        yield voter.task.decide(document, tokens, own, ordered), _together(merged)


def _together(merged: Sequence[Merged]) -> Merged:
    """Return the outputs of the first model, with the tokens that any saw where all have the same."""
    first = merged[0]
    if any(len(one.seen) != len(first.seen) for one in merged):
        return first
    return replace(first, seen=np.any([one.seen for one in merged], axis=0))
