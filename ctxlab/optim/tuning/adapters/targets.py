"""Which matrices of a model are adapted."""

from collections.abc import Sequence
from typing import Any

from ctxlab.core.errors import UserError
from ctxlab.core.matrices import Matrix, body_matrices, is_tied, matrices

ALL = "all"
"""Value of ``tuning.targets``: every matrix of the pretrained body."""


def find_targets(model: Any, targets: str | Sequence[str], rule: str) -> list[Matrix]:
    """Return the matrices of ``model`` that ``targets`` names.

    Args:
        model: As assembled.
        targets: ``all``, or names of modules. A name fits a module whose own name ends with it, as in peft.
        rule: Name of the tuning rule, for messages.

    Raises:
        UserError: A name fits no matrix, or only one that shares its weight with another module.
    """
    if targets == ALL:
        found = body_matrices(model)
        if not found:
            raise UserError(f"tuning={rule} finds no matrix in this {type(model).__name__}: use tuning=full.")
        return found
    names = [targets] if isinstance(targets, str) else list(targets)
    if not names:
        raise UserError(f"tuning.targets=[] adapts nothing: use tuning.targets=all, or {_choices(model)}.")
    for name in names:
        _check(model, name)
    return [one for one in matrices(model) if any(_fits(one.name, name) for name in names)]


def _check(model: Any, name: str) -> None:
    fitting = [one for one in matrices(model) if _fits(one.name, name)]
    tied = [one.name for one in fitting if is_tied(model, one.module.weight)]
    if tied:
        raise UserError(
            f"tuning.targets={name}: {tied[0]} of this {type(model).__name__} is the table of its token embeddings too "
            f"(tied), and adapting one would untie them: use tuning.targets=all, or {_choices(model)}."
        )
    if not fitting:
        raise UserError(
            f"tuning.targets={name} is no matrix of this {type(model).__name__}: use tuning.targets=all, or "
            f"{_choices(model)}."
        )


def _fits(module: str, name: str) -> bool:
    return module == name or module.endswith(f".{name}")


def _choices(model: Any) -> str:
    """Return the names that may be given, those of repeated layers once."""
    return "some of " + ", ".join(dict.fromkeys(one.kind for one in body_matrices(model)))
