"""A small language of expressions over definitions, with a parser and an interpreter of its own; nothing is executed.

A file has one definition, comment or blank line in each line::

    let Darilan = 17            # a comment ends a line
    def Bakor(x, y) = x * 3 + y

An expression has whole numbers, names, calls, ``+ - * // %``, a sign, one comparison (``< <= > >= == !=``) and
parentheses, with the precedence and the values of Python. Values are whole numbers below ``LARGEST`` and, of a
comparison, truth values, with which nothing can be computed. Names are looked up when they are needed, so that the
order of definitions does not matter.

Whatever the text, parsing and running end soon: sizes, nesting, calls and steps have limits.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

LONGEST = 2000
"""Characters of an expression."""

DEEPEST = 40
"""Levels of parentheses, signs and calls within one another."""

MOST_STEPS = 10_000
"""Operations of one run, those within called functions included."""

LARGEST = 10**18
"""Bound of the size of numbers."""

COMPARISONS = ("<=", ">=", "==", "!=", "<", ">")

Value = int | bool

_TOKEN = re.compile(r"\s*(?:(?P<number>[0-9]+)|(?P<name>[^\W\d]\w*)|(?P<sign><=|>=|==|!=|//|[-+*%<>(),]))")
_DEFINITION = re.compile(
    r"(?P<kind>let|def)\s+(?P<name>[^\W\d]\w*)\s*(?:\((?P<parameters>[^()]*)\))?\s*=(?!=)\s*(?P<body>.*)"
)
_NAME = re.compile(r"[^\W\d]\w*")


class ExpressionError(ValueError):
    """A text is no expression, or has no value; the message is one clause."""


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number."""

    value: int


@dataclass(frozen=True, slots=True)
class Name:
    """The value of a constant or a parameter."""

    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """The value of a function."""

    name: str
    arguments: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Operation:
    """An operator between two expressions; a sign is 0 minus its expression."""

    sign: str
    left: "Node"
    right: "Node"


Node = Number | Name | Call | Operation


@dataclass(frozen=True, slots=True)
class Definition:
    """A constant, which has no parameters, or a function."""

    parameters: tuple[str, ...] | None
    body: Node


def tokens(text: str) -> list[str]:
    """Return the tokens of an expression.

    Raises:
        ExpressionError: A character is none of the language's.
    """
    if len(text) > LONGEST:
        raise ExpressionError(f"it has {len(text):,} characters, and {LONGEST:,} are allowed")
    found, end = [], len(text.rstrip())
    place = 0
    while place < end:
        match = _TOKEN.match(text, place)
        if match is None:
            raise ExpressionError(f"{text[place:].strip()[:1]!r} is no part of the language")
        found.append(match.group().strip())
        place = match.end()
    return found


def parse(text: str) -> Node:
    """Return an expression as a tree.

    Raises:
        ExpressionError: It is none.
    """
    return _Parser(tokens(text)).whole()


class _Parser:
    """Recursive descent over tokens."""

    def __init__(self, found: Sequence[str]) -> None:
        self._tokens, self._at, self._depth = list(found), 0, 0

    @property
    def _next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._next
        self._at += 1
        return token

    def whole(self) -> Node:
        """Parse all tokens."""
        found = self._comparison()
        if self._next:
            raise ExpressionError(f"{self._next!r} is not expected after {' '.join(self._tokens[: self._at])!r}")
        return found

    def _comparison(self) -> Node:
        self._depth += 1
        if self._depth > DEEPEST:
            raise ExpressionError(f"it is nested more than {DEEPEST} levels deep")
        left = self._chain(("+", "-"), self._product)
        if self._next in COMPARISONS:
            left = Operation(self._take(), left, self._chain(("+", "-"), self._product))
        self._depth -= 1
        return left

    def _product(self) -> Node:
        return self._chain(("*", "//", "%"), self._signed)

    def _chain(self, signs: Sequence[str], part: Callable[[], Node]) -> Node:
        left = part()
        while self._next in signs:
            left = Operation(self._take(), left, part())
        return left

    def _signed(self) -> Node:
        count = 0
        while self._next == "-":
            self._take()
            count += 1
        if self._depth + count > DEEPEST:
            raise ExpressionError(f"it is nested more than {DEEPEST} levels deep")
        found = self._atom()
        for _ in range(count):
            found = Operation("-", Number(0), found)
        return found

    def _atom(self) -> Node:
        first = self._take()
        if first.isdecimal():
            return Number(_sized(int(first)) if len(first) <= len(str(LARGEST)) else _too_large())
        if first == "(":
            found = self._comparison()
            self._close()
            return found
        if not _NAME.fullmatch(first):
            raise ExpressionError(f"{first!r} stands where a value is expected" if first else "it ends too early")
        if self._next != "(":
            return Name(first)
        self._take()
        return Call(first, self._arguments())

    def _arguments(self) -> tuple[Node, ...]:
        found: list[Node] = []
        while self._next != ")":
            if found and self._take() != ",":
                raise ExpressionError("arguments are not separated by commas")
            found.append(self._comparison())
        self._close()
        return tuple(found)

    def _close(self) -> None:
        if self._take() != ")":
            raise ExpressionError("a parenthesis is not closed")


def definitions(text: str) -> dict[str, Definition]:
    """Return the definitions of a file by name.

    Raises:
        ExpressionError: A line is none, or defines a name again; names the line.
    """
    found: dict[str, Definition] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        code = line.partition("#")[0].strip()
        if not code:
            continue
        try:
            name, definition = _definition(code)
        except ExpressionError as error:
            raise ExpressionError(f"line {number} ({code[:40]!r}): {error}") from None
        if name in found:
            raise ExpressionError(f"line {number} defines {name} again")
        found[name] = definition
    return found


def _definition(code: str) -> tuple[str, Definition]:
    match = _DEFINITION.fullmatch(code)
    if match is None or (match["parameters"] is None) != (match["kind"] == "let"):
        raise ExpressionError("it is neither a comment, nor let <name> = …, nor def <name>(<parameters>) = …")
    if match["parameters"] is None:
        return match["name"], Definition(None, parse(match["body"]))
    names = [name.strip() for name in match["parameters"].split(",")] if match["parameters"].strip() else []
    if not all(map(_NAME.fullmatch, names)) or len(set(names)) < len(names):
        raise ExpressionError(f"({match['parameters']}) is not a list of different names")
    return match["name"], Definition(tuple(names), parse(match["body"]))


def run(node: Node, known: Mapping[str, Definition]) -> Value:
    """Return the value of an expression.

    Args:
        node: As ``parse`` returns it.
        known: Definitions by name.

    Raises:
        ExpressionError: It has none, or takes too many steps.
    """
    return _Run(known).value(node, {}, 0)


class _Run:
    """One run, which counts its steps."""

    def __init__(self, known: Mapping[str, Definition]) -> None:
        self._known, self._steps = known, 0

    def value(self, node: Node, local: Mapping[str, Value], calls: int) -> Value:
        """Return the value of a node with the parameters ``local``, within as many ``calls``."""
        self._steps += 1
        if self._steps > MOST_STEPS:
            raise ExpressionError(f"it takes more than {MOST_STEPS:,} steps")
        if isinstance(node, Number):
            return node.value
        if isinstance(node, Operation):
            left, right = self.value(node.left, local, calls), self.value(node.right, local, calls)
            return _computed(node.sign, left, right)
        if isinstance(node, Name) and node.name in local:
            return local[node.name]
        definition = self._known.get(node.name)
        if definition is None:
            raise ExpressionError(f"{node.name} is not defined")
        arguments = node.arguments if isinstance(node, Call) else None
        if (arguments is None) != (definition.parameters is None):
            raise ExpressionError(f"{node.name} is {'a function' if arguments is None else 'no function'}")
        if calls >= DEEPEST:
            raise ExpressionError(f"definitions refer to one another more than {DEEPEST} levels deep")
        names, given = definition.parameters or (), arguments or ()
        if len(names) != len(given):
            raise ExpressionError(f"{node.name} takes {len(names)} arguments, and {len(given)} are given")
        values = [self.value(one, local, calls) for one in given]
        return self.value(definition.body, dict(zip(names, values, strict=True)), calls + 1)


def _computed(sign: str, left: Value, right: Value) -> Value:
    if isinstance(left, bool) or isinstance(right, bool):
        raise ExpressionError(f"{sign} has a truth value beside it")
    if sign in ("//", "%") and right == 0:
        raise ExpressionError("it divides by 0")
    if sign in COMPARISONS:
        return _compared(sign, left, right)
    if sign in ("//", "%"):
        return left // right if sign == "//" else left % right
    return _sized(left + right if sign == "+" else left - right if sign == "-" else left * right)


def _compared(sign: str, left: int, right: int) -> bool:
    equal, less = left == right, left < right
    return {"<": less, "<=": less or equal, ">": not (less or equal), ">=": not less, "==": equal, "!=": not equal}[
        sign
    ]


def _sized(number: int) -> int:
    return number if abs(number) < LARGEST else _too_large()


def _too_large() -> int:
    raise ExpressionError(f"a number is not below {LARGEST:.0e}")
