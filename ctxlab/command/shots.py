"""``shots=2`` as a short form of ``task.shots=2``: the number of solved examples in a prompt."""

from collections.abc import Sequence

from hydra.core.override_parser.types import Override

from ctxlab.command import checks
from ctxlab.command.overrides import find
from ctxlab.config import catalogue
from ctxlab.core.errors import UserError

KEY = "shots"


def rewrite(override: Override, tasks: Sequence[str]) -> str:
    """Return the override as Hydra accepts it; others are unchanged.

    Args:
        override: As the user wrote it.
        tasks: Names of the tasks of the command.

    Raises:
        UserError: A task takes no examples.
    """
    line = str(override.input_line)
    if override.key_or_group != KEY or line.startswith(("+", "~")):
        return line
    for name in tasks:
        if not _takes(name):
            raise UserError(f"{line}: task={name} takes no solved examples; {', '.join(_taking())} do.")
    return f"task.{line}"


def tasks(stage: str, overrides: Sequence[Override]) -> list[str]:
    """Return the tasks that ``overrides`` choose, several in a sweep, or the default task of the stage."""
    chosen = find(overrides, "task")
    if chosen is None:
        return [option for group, option in catalogue.defaults(catalogue.option_file("", stage)) if group == "task"]
    return [str(name) for name in checks.named_options(chosen)]


def _takes(task: str) -> bool:
    path = catalogue.option_file("task", task)
    return not path.is_file() or KEY in catalogue.read(path)  # an unknown task is reported elsewhere


def _taking() -> list[str]:
    return [f"task={name}" for name in catalogue.options("task") if _takes(name)]
