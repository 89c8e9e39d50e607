"""Division of documents into those for selection (of checkpoints and learning rates) and those that are reported."""

import hashlib
from collections.abc import Sequence

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.core.types import BoolArray, IntArray


def folds(groups: Sequence[str], num_folds: int, seed: int = 0) -> IntArray:
    """Return (N,) the fold of each document, independent of the machine and of the order of documents.

    Groups are ordered by a hash of the seed and their name and assigned in turn, so that folds differ in size by at
    most one group.

    Args:
        groups: Id of each document, or of the record that it belongs to: a record is never split.
        num_folds: At least two.
        seed: Seed of the assignment.

    Raises:
        UserError: If there are fewer than two folds, or fewer groups than folds.
    """
    names = sorted(set(groups), key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).digest())
    if not 2 <= num_folds <= len(names):
        raise UserError(
            f"folds={num_folds} cannot divide {len(names)} documents; between 2 and {len(names)} folds are possible"
        )
    place = {name: index % num_folds for index, name in enumerate(names)}
    return np.asarray([place[name] for name in groups], dtype=np.int64)


def reported(groups: Sequence[str], *, num_folds: int, fold: int, seed: int = 0) -> BoolArray:
    """Return (N,) whether a document is reported; those of ``fold`` are used for selection instead.

    With ``fold`` the index of the seed modulo ``num_folds``, every seed holds out other documents for selection, and
    over all folds each document is reported equally often.

    Args:
        groups: See ``folds``.
        num_folds: Number of folds.
        fold: Fold used for selection, from 0.
        seed: Seed of the assignment, the same for all cells of a comparison.

    Raises:
        UserError: See ``folds``; also if there is no such fold.
    """
    if not 0 <= fold < num_folds:
        raise UserError(f"there is no fold {fold} of folds={num_folds}; they count from 0 to {num_folds - 1}")
    found: BoolArray = folds(groups, num_folds, seed) != fold
    return found
