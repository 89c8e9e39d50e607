"""Limits of the mechanisms' options and of the number of passes."""

from ctxlab.core.errors import UserError
from ctxlab.core.explanation import BASELINES


def at_least(least: int, meaning: str, /, **option: int) -> None:
    """Check that an option is not too small.

    Raises:
        UserError: It is; names option, value, minimum and ``meaning``.
    """
    ((name, value),) = option.items()
    if value < least:
        raise UserError(f"explanation.{name}={value} is too small: give at least {least} {meaning}.")


def one_of(known: tuple[str, ...], /, **option: str) -> None:
    """Check that an option has one of the known values.

    Raises:
        UserError: It has not.
    """
    ((name, value),) = option.items()
    if value not in known:
        raise UserError(f"explanation.{name}={value} is not known: use {' or '.join(known)}.")


def checked_baseline(baseline: str) -> str:
    """Return what stands for absent tokens; raises UserError if it is not known."""
    one_of(BASELINES, baseline=baseline)
    return baseline
