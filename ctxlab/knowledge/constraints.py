"""Sequences of tags that cannot be: the rules of BIO, and the user's.

Shape legend: L words of a document, C labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ctxlab.config.nearest import suggestion
from ctxlab.core.errors import UserError
from ctxlab.core.knowledge import Knowledge
from ctxlab.core.task import Task
from ctxlab.core.types import BoolArray, Chosen, FloatArray
from ctxlab.knowledge.decoding.viterbi import Scores, best_sequence, num_forbidden

OUTSIDE = "O"


class Constraints(Knowledge):
    """Decodes the most probable sequence of labels of a whole document in which nothing forbidden occurs.

    ``I-X`` follows only ``B-X`` or ``I-X``, and of each pair in ``forbid`` the second label never follows the first.
    The probability of a sequence is the product of those of its labels, by the merged outputs of all windows; words
    that no window saw are ``O``. Viterbi 1967 (doi:10.1109/TIT.1967.1054010); hard transitions as in Lample et al. 2016
    (arXiv:1603.01360), whose transition scores are learnt. Training is unchanged.
    """

    def __init__(self, forbid: Sequence[Sequence[str]] = ()) -> None:
        """Take pairs of labels of which the second never follows the first directly.

        Raises:
            UserError: An entry is not a pair of labels, or forbids ``O`` after ``O``.
        """
        for pair in forbid:
            _check_pair(pair)
        self.forbid = [(str(pair[0]), str(pair[1])) for pair in forbid]

    def teach(self, task: Task) -> None:
        """Decode ``task`` with the constraints.

        Raises:
            UserError: The task does not label words, a rule names a label that it lacks, or nothing is forbidden.
        """
        if not task.labels_words:
            raise UserError(
                f"knowledge=constraints needs one label per word, which task={task.name} does not predict: use "
                "task=ner, or knowledge=none."
            )
        for label in (label for pair in self.forbid for label in pair if label not in task.labels):
            raise UserError(f"knowledge.forbid has the label '{label}'{suggestion(label, task.labels, 'labels')}")
        first, following = _allowed(task.labels, self.forbid)
        if following.all() and first.all():
            raise UserError(
                f"knowledge=constraints forbids nothing: the labels {', '.join(task.labels[:8])} are not BIO and there "
                "is no rule; give knowledge.forbid=[[<label>,<label>]], or knowledge=none."
            )
        if not _never_ends(first, following):
            raise UserError(
                f"knowledge.forbid={[list(pair) for pair in self.forbid]} leaves no sequence of more than "
                f"{len(task.labels)} labels: forbid less."
            )
        outside = task.labels.index(OUTSIDE) if OUTSIDE in task.labels else None

        task.choose = Decoder(first, following, outside)


@dataclass(frozen=True, eq=False)
class Decoder:
    """Chooses the labels of a document together; an object, because tasks are sent to processes that tokenise."""

    first: BoolArray
    """(C,) whether a document may begin with a label."""
    following: BoolArray
    """(C, C) whether a label (column) may follow another one (row)."""
    outside: int | None
    """The label of words that no window saw; None if they may have any."""

    def __call__(self, outputs: FloatArray, seen: BoolArray) -> Chosen:
        """Return the best allowed sequence for outputs (L, C), and what it changed."""
        scores = _log_probabilities(outputs)
        if self.outside is not None:
            scores[~seen] = np.where(np.arange(scores.shape[1]) == self.outside, 0.0, -np.inf)
        alone, together = scores.argmax(axis=-1), best_sequence(scores, self.first, self.following)
        return Chosen(
            together,
            {
                "words": len(together),
                "forbidden before": num_forbidden(alone, self.first, self.following),
                "words changed": int((alone != together).sum()),
                "forbidden after": num_forbidden(together, self.first, self.following),
            },
        )


def _check_pair(pair: Any) -> None:
    if not isinstance(pair, list | tuple) or len(pair) != 2 or not all(isinstance(one, str) and one for one in pair):
        raise UserError(
            f"knowledge.forbid has {pair!r}, which is not a pair of labels: write knowledge.forbid=[[B-PER,B-LOC]]."
        )
    if list(pair) == [OUTSIDE, OUTSIDE]:
        raise UserError(
            "knowledge.forbid has [O, O], after which most documents would have no possible labels: leave it out."
        )


def _allowed(labels: Sequence[str], forbid: Sequence[tuple[str, str]]) -> tuple[BoolArray, BoolArray]:
    """Return (C,) whether a document may begin with a label, and (C, C) whether a label may follow another one."""
    following = np.array([[_follows(before, label) for label in labels] for before in labels], np.bool_)
    for before, label in forbid:
        following[labels.index(before), labels.index(label)] = False
    return np.array([not label.startswith("I-") for label in labels], np.bool_), following


def _follows(before: str, label: str) -> bool:
    """Whether BIO allows a label after another one."""
    return not label.startswith("I-") or (before[:2] in ("B-", "I-") and before[2:] == label[2:])


def _never_ends(first: BoolArray, following: BoolArray) -> bool:
    """Whether there are allowed sequences of any length: one that is longer than there are labels can be repeated."""
    last = set(np.flatnonzero(first).tolist())
    for _ in first:
        last = {label for before in last for label in np.flatnonzero(following[before]).tolist()}
    return bool(last)


def _log_probabilities(outputs: FloatArray) -> Scores:
    """Return the logarithm of the softmax of outputs (L, C)."""
    scores: Scores = outputs.astype(np.float64)
    scores -= scores.max(axis=-1, keepdims=True, initial=-np.inf)
    scores -= np.log(np.exp(scores).sum(axis=-1, keepdims=True))
    return scores
