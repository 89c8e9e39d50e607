"""Limits of the values of objectives that no library checks."""

from ctxlab.core.errors import UserError


def above_zero(what: str, example: str, **values: float) -> None:
    """Refuse a value that is not above 0.

    Args:
        what: What the value is without effect as, such as ``moves nothing``.
        example: A value that works.
        values: Key of the objective → its value.

    Raises:
        UserError: Names key and value.
    """
    for name, value in values.items():
        if not 0 < value < float("inf"):
            raise UserError(f"objective.{name}={value} {what}: give a number above 0, such as {example}.")


def at_least(least: float, example: str, **values: float) -> None:
    """Refuse a value below ``least``.

    Args:
        least: The smallest value that is accepted.
        example: A value that works.
        values: Key of the objective → its value.

    Raises:
        UserError: Names key and value.
    """
    for name, value in values.items():
        if not least <= value < float("inf"):
            raise UserError(
                f"objective.{name}={value} is out of range: give a number of at least {least:g}, such as {example}."
            )
