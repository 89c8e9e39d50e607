"""One searched key of a space: a range of numbers, or a choice of values.

A value is stored in a study as a number, or, for a choice, as the text with which it is written on a command line:
Optuna's storages change tuples into lists and take 1 and True for the same choice.
"""

import json
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.types import Quote, QuotedString

from ctxlab.config.nearest import suggestion

FORMS = ("log", "uniform", "int", "choice")
"""Keys of which exactly one says what values a parameter has."""

STEP = "step"

EXPONENT = re.compile(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+", re.ASCII)

Stored = float | int | str
"""A value as it is stored in a study."""


@dataclass(frozen=True, slots=True)
class Parameter(ABC):
    """A key or group of ``ctxlab train`` and its values."""

    name: str
    """As on the command line: ``optimizer.lr``, ``strategy``."""

    @property
    @abstractmethod
    def size(self) -> int | None:
        """Number of values; None if there is no end of them."""

    @property
    @abstractmethod
    def form(self) -> dict[str, Any]:
        """The parameter as it is written in YAML, the same for equal parameters."""

    @abstractmethod
    def at(self, index: int) -> Stored:
        """Return one of ``size`` values, in order."""

    @abstractmethod
    def text(self, stored: Stored) -> str:
        """Return the value as it is written on a command line."""

    @abstractmethod
    def value(self, stored: Stored) -> Any:
        """Return the value with its own type."""

    @abstractmethod
    def examples(self) -> list[Stored]:
        """Return values to check before anything runs: every choice, or both ends of a range."""

    def word(self, stored: Stored) -> str:
        """Return the override."""
        return f"{self.name}={self.text(stored)}"


@dataclass(frozen=True, slots=True)
class Range(Parameter):
    """Numbers between two ends, both included."""

    low: float
    high: float
    whole: bool = False
    log: bool = False
    """Whether each factor, rather than each distance, is equally likely."""
    step: float | None = None
    """Distance of neighbouring values; None for any number, or for 1 if ``whole``."""

    @property
    def size(self) -> int | None:
        """See ``Parameter``."""
        step = self.step or (1 if self.whole else None)
        return None if step is None else math.floor((self.high - self.low) / step + 1e-9) + 1

    @property
    def form(self) -> dict[str, Any]:
        """See ``Parameter``."""
        if not self.whole:
            return {"log" if self.log else "uniform": [self.low, self.high]} | ({STEP: self.step} if self.step else {})
        more: dict[str, Any] = {"log": True} if self.log else {}
        return {"int": [self.low, self.high]} | more | ({STEP: self.step} if self.step else {})

    def at(self, index: int) -> Stored:
        """See ``Parameter``."""
        value = self.low + index * (self.step or 1)
        return int(value) if self.whole else round(value, 12)

    def text(self, stored: Stored) -> str:
        """See ``Parameter``."""
        return str(int(stored)) if self.whole else repr(float(stored))

    def value(self, stored: Stored) -> Any:
        """See ``Parameter``."""
        return int(stored) if self.whole else float(stored)

    def examples(self) -> list[Stored]:
        """See ``Parameter``."""
        ends = [self.low, self.high]
        return [int(end) for end in ends] if self.whole else list(ends)


@dataclass(frozen=True, slots=True)
class Choice(Parameter):
    """A list of values of any type, without an order."""

    values: tuple[Any, ...]
    texts: tuple[str, ...]
    """Each value as it is written on a command line."""

    @property
    def size(self) -> int | None:
        """See ``Parameter``."""
        return len(self.texts)

    @property
    def form(self) -> dict[str, Any]:
        """See ``Parameter``."""
        return {"choice": list(self.values)}

    def at(self, index: int) -> Stored:
        """See ``Parameter``."""
        return self.texts[index]

    def text(self, stored: Stored) -> str:
        """See ``Parameter``."""
        return str(stored)

    def value(self, stored: Stored) -> Any:
        """See ``Parameter``."""
        return self.values[self.texts.index(str(stored))]

    def examples(self) -> list[Stored]:
        """See ``Parameter``."""
        return list(self.texts)


def parameter(name: str, spec: Mapping[str, Any]) -> Parameter:
    """Read one parameter.

    Args:
        name: Its key.
        spec: One of ``FORMS`` with its values, and perhaps ``step``, or ``log: true`` beside ``int``.

    Raises:
        ValueError: Says what is wrong and what to write, without the name.
    """
    known = (*FORMS, STEP)
    for key in spec:
        if key not in known:
            raise ValueError(f"there is no '{key}'{suggestion(str(key), known, 'forms').rstrip('.')}")
    is_log_int = "int" in spec and isinstance(spec.get("log"), bool)
    given = [form for form in FORMS if form in spec and not (form == "log" and is_log_int)]
    if len(given) != 1:
        raise ValueError(f"give exactly one of {', '.join(FORMS)}, as in {{choice: [512, 4096]}}")
    (form,) = given
    if form == "choice":
        if STEP in spec:
            raise ValueError("a choice has no step: leave it out")
        return _choice(name, spec["choice"])
    low, high = _ends(form, spec[form])
    log = form == "log" or bool(spec.get("log"))
    whole = form == "int"
    if log and low <= 0:
        raise ValueError(f"a log range begins above 0, and {_shown(spec[form])} begins at {low:g}")
    step = _step(spec.get(STEP), low=low, high=high, whole=whole, log=log)
    return Range(name, int(low) if whole else low, high=int(high) if whole else high, whole=whole, log=log, step=step)


def _ends(form: str, given: Any) -> tuple[float, float]:
    numbers = [_number(end) for end in given] if isinstance(given, Sequence) and not isinstance(given, str) else []
    if len(numbers) != 2 or None in numbers:
        raise ValueError(f"{form} needs two numbers, as in {{{form}: {'[1, 8]' if form == 'int' else '[1e-5, 1e-3]'}}}")
    low, high = (float(number) for number in numbers if number is not None)
    if low >= high:
        raise ValueError(f"{_shown(given)} is no range: give the smaller number first, or {{choice: [{low:g}]}}")
    if form == "int" and not (low.is_integer() and high.is_integer()):
        raise ValueError(f"int needs whole numbers, and got {_shown(given)}: give those, or uniform")
    return low, high


def _step(given: Any, *, low: float, high: float, whole: bool, log: bool) -> float | None:
    if given is None:
        return None
    step = _number(given)
    if log:
        raise ValueError("a log range has no step: leave it out, or give choice with the values")
    if step is None or not 0 < step <= high - low or (whole and not step.is_integer()):
        raise ValueError(f"step={given} does not fit [{low:g}, {high:g}]: give a {'whole ' if whole else ''}number")
    return int(step) if whole else step


def _number(given: Any) -> float | None:
    """Return a finite number; YAML reads 1e-5 as a text."""
    if isinstance(given, bool) or not isinstance(given, (int, float, str)):
        return None
    try:
        number = float(given)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _choice(name: str, given: Any) -> Choice:
    if not isinstance(given, Sequence) or isinstance(given, str) or not given:
        raise ValueError("choice needs a list with at least one value, as in {choice: [512, 4096]}")
    values = [_read(value) for value in given]
    texts = [written(value) for value in values]
    twice = next((text for text in texts if texts.count(text) > 1), None)
    if twice is not None:
        raise ValueError(f"choice has {twice} twice: give each value once")
    return Choice(name, tuple(values), tuple(texts))


def _read(value: Any) -> Any:
    """Return a value as it was meant: YAML reads 1e-5 as a text."""
    return float(value) if isinstance(value, str) and EXPONENT.fullmatch(value) else value


def written(value: Any) -> str:
    """Return a value as it is written on a command line, so that Hydra reads exactly this value.

    Raises:
        ValueError: It is of a type that cannot be written.
    """
    if value is None or isinstance(value, (bool, int)):
        return json.dumps(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, str):
        return value if _is_plain(value) else QuotedString(value.replace("${", "\\${"), Quote.single).with_quotes()
    if isinstance(value, Sequence):
        return f"[{','.join(map(written, value))}]"
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{key}:{written(one)}' for key, one in value.items())}}}"
    raise ValueError(f"{value!r} cannot be a choice: give numbers, texts, true, false, null or lists")


def _is_plain(text: str) -> bool:
    """Return whether Hydra reads the text as this text without quotes; numbers in YAML quotes are meant as numbers."""
    return bool(text) and text.isascii() and all(letter.isalnum() or letter in "_-./+" for letter in text)


def _shown(given: Any) -> str:
    return json.dumps(given, default=str)
