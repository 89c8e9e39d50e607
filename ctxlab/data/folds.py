"""Which documents choose, and which are reported: learning rates and checkpoints are never chosen on the latter."""

import hashlib
from collections.abc import Sequence

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.core.types import BoolArray, IntArray


def folds(groups: Sequence[str], num_folds: int, seed: int = 0) -> IntArray:
    """(N,) the fold of each document, the same on every machine and in whatever order documents come.

    Groups are ordered by a hash of the seed and their name and dealt in turn, so that folds differ by one group at
    most in size.

    Args:
        groups: Id of each document, or of the record that it belongs to: a record is never split.
        num_folds: At least two.
        seed: Of the comparison; another one deals anew.

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
    """(N,) whether a document is reported; the others, those of ``fold``, choose checkpoints and learning rates.

    With ``fold`` the index of the seed modulo ``num_folds``, every seed holds out other documents for its choices, and
    over all folds each document is reported as often as any other.

    Args:
        groups: See ``folds``.
        num_folds: Of the documents one in so many chooses.
        fold: Which of them, from 0.
        seed: Of the comparison, the same for all of its cells.

    Raises:
        UserError: See ``folds``; also if there is no such fold.
    """
    if not 0 <= fold < num_folds:
        raise UserError(f"there is no fold {fold} of folds={num_folds}; they count from 0 to {num_folds - 1}")
    found: BoolArray = folds(groups, num_folds, seed) != fold
    return found
