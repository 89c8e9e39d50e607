"""The space of a sweep: the keys that are searched, read from a YAML file or an option of the group ``sweep``."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ctxlab.config.nearest import nearest
from ctxlab.core.errors import UserError
from ctxlab.sweeping.parameters import FORMS, STEP, Parameter, Stored, parameter

SINGLE = {
    "task": "scores of different tasks cannot be ranked",
    "probe": "scores of different probes cannot be ranked",
    "data": "scores on different documents cannot be ranked",
    "data.path": "scores on different documents cannot be ranked",
    "data.train_file": "give it on the command line",
    "data.validation_file": "scores on different documents cannot be ranked",
    "data.test_file": "scores on different documents cannot be ranked",
    "data_seed": "scores on different documents cannot be ranked",
    "folds": "scores on different documents cannot be ranked",
    "fold": "scores on different documents cannot be ranked",
    "stage": "every trial is a run of ctxlab train",
    "resume": "every trial is a run of its own",
    "tracking": "give it on the command line",
}
"""Keys that have one value in a sweep → why."""

Point = Mapping[str, Stored]
"""Key → value of one trial, as stored in a study."""


@dataclass(frozen=True, slots=True)
class Space:
    """The parameters of a sweep, in the order of its file."""

    parameters: Sequence[Parameter]

    @property
    def names(self) -> list[str]:
        """Keys of the parameters."""
        return [one.name for one in self.parameters]

    @property
    def size(self) -> int | None:
        """Number of points; None if there is no end of them."""
        sizes = [one.size for one in self.parameters]
        return None if None in sizes else math.prod(size for size in sizes if size is not None)

    @property
    def form(self) -> dict[str, dict[str, Any]]:
        """The space as it is written in YAML."""
        return {one.name: one.form for one in self.parameters}

    def at(self, index: int) -> Point:
        """Return one of ``size`` points; the last parameter varies fastest."""
        found: dict[str, Stored] = {}
        for one in reversed(self.parameters):
            assert one.size is not None
            index, place = divmod(index, one.size)
            found[one.name] = one.at(place)
        return {name: found[name] for name in self.names}

    def words(self, point: Point) -> list[str]:
        """Return the overrides of a point."""
        return [one.word(point[one.name]) for one in self.parameters]

    def values(self, point: Point) -> dict[str, Any]:
        """Return the values of a point with their own types."""
        return {one.name: one.value(point[one.name]) for one in self.parameters}


@dataclass(frozen=True, slots=True)
class Source:
    """Where a space comes from, for messages."""

    name: str
    """A file, or ``sweep=<option>``."""
    lines: Mapping[str, int]
    """Key → its line, where the file is known."""

    def at(self, key: str) -> str:
        """Return the place of a key: ``space.yaml, line 3: optimizer.lr``."""
        line = f", line {self.lines[key]}" if key in self.lines else ""
        return f"{self.name}{line}: {key}"


def read_space(given: Any, option: str = "", fallback: Path | None = None) -> tuple[Space, Source]:
    """Read the space of a sweep.

    Args:
        given: Value of ``sweep.space``: the name of a file, or a mapping of key → form.
        option: Name of the option of the group ``sweep``, for messages.
        fallback: File to read instead of a missing one: the copy that a sweep keeps.

    Raises:
        UserError: Names the file and the key or line that is wrong.
    """
    if isinstance(given, str):
        path = Path(given).expanduser()
        if not path.is_file() and fallback is not None and fallback.is_file():
            path = fallback
        content, source = _loaded(path, given)
    else:
        content, source = given, Source(f"sweep={option}" if option else "sweep.space", {})
    if not isinstance(content, Mapping) or not content:
        raise UserError(f"{source.name} has no keys to search: write one a line, as in optimizer.lr: {_EXAMPLE}.")
    return Space([_parameter(key, spec, source) for key, spec in _flat(content, "", source)]), source


_EXAMPLE = "{log: [1e-5, 1e-3]}"


def _loaded(path: Path, given: str) -> tuple[Any, Source]:
    import yaml

    if not path.is_file():
        raise UserError(f"sweep.space={given} does not exist: give a YAML file, or sweep=<option>.")
    try:
        text = path.read_text(encoding="utf-8")
        content = yaml.safe_load(text)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UserError(f"{path}{line} is not YAML ({error.problem}): write key: {_EXAMPLE}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not YAML: write key: {_EXAMPLE}.") from error
    twice, lines = _lines(root)
    if twice:
        raise UserError(f"{path}, line {lines[twice]}: {twice} is there twice, leave one out.")
    if isinstance(content, Mapping) and set(content) == {"space"}:
        content = content["space"]
    return content, Source(str(path), lines)


def _lines(root: Any) -> tuple[str, dict[str, int]]:
    """Return a key that is there twice, if any, and the line of every key, nested ones dotted."""
    lines: dict[str, int] = {}
    twice: list[str] = []

    def visit(node: Any, prefix: str) -> None:
        for key, value in getattr(node, "value", ()):
            name = f"{prefix}{key.value}"
            if name in lines:
                twice.append(name)
            lines[name] = key.start_mark.line + 1
            if value.id == "mapping":
                visit(value, "" if name == "space" else f"{name}.")

    if getattr(root, "id", "") == "mapping":
        visit(root, "")
    return (twice[0] if twice else ""), lines


def _flat(content: Mapping[Any, Any], prefix: str, source: Source) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every key with its form; keys may be dotted or nested."""
    for name, value in content.items():
        key = f"{prefix}{name}"
        if not isinstance(value, Mapping):
            hint = f"{{choice: {list(value)}}}" if isinstance(value, list) and value else _EXAMPLE
            raise UserError(f"{source.at(key)} has no form: write {key}: {hint}.")
        if set(value) & {*FORMS, STEP}:
            yield key, value
        elif value and all(isinstance(one, Mapping) for one in value.values()):
            yield from _flat(value, f"{key}.", source)
        else:
            wrong = str(next(iter(value), ""))
            guess = nearest(wrong, FORMS)
            hint = f"did you mean '{guess}'? Forms" if guess else "forms"
            raise UserError(f"{source.at(key)}: there is no form '{wrong}'; {hint}: {', '.join(FORMS)}.")


def _parameter(key: str, spec: Mapping[str, Any], source: Source) -> Parameter:
    if key in SINGLE or key.split(".")[0].split("/")[0] in ("hydra", "sweep"):
        why = SINGLE.get(key, "it is not a key of ctxlab train")
        raise UserError(f"{source.at(key)} cannot be searched: {why}; leave it out.")
    try:
        return parameter(key, spec)
    except ValueError as error:
        raise UserError(f"{source.at(key)}: {error}.") from error
