"""Callables with four or more parameters have ``Args:``; calls with five or more arguments name all but the first few.

Oracle: the syntax trees of the package and the scripts.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import ctxlab

PACKAGE = Path(ctxlab.__file__).parent
ROOT = PACKAGE.parent

PARAMETERS, ARGUMENTS = 4, 5
"""From these numbers on, parameters are documented and arguments are named."""

BY_POSITION = {
    "qlinear_pointwise": "an operator of torch, whose names are no public interface",
    "apply": "torch.autograd.Function.apply takes no keywords",
    "save_for_backward": "of torch.autograd takes no keywords",
    "expand": "sizes of a tensor have no names",
    "zip": "takes no keywords",
    "attend": "an attention function, which Transformers calls by position: its parameters have no agreed names",
}
"""Called functions whose arguments are given by position, and why; functions with ``*args`` are found by themselves."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources() -> Iterator[tuple[str, ast.Module]]:
    for folder in (PACKAGE, ROOT / "scripts"):
        for path in sorted(folder.rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def modules() -> dict[str, ast.Module]:
    return dict(sources())


def documented(node: Function | ast.ClassDef) -> bool:
    return "Args:" in (ast.get_docstring(node) or "")


def parameters(node: Function) -> list[str]:
    arguments = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
    return [argument.arg for argument in arguments if argument.arg not in ("self", "cls")]


def overrides(name: str, cls: ast.ClassDef, classes: dict[str, list[ast.ClassDef]]) -> bool:
    """Whether a base of ``cls`` documents the parameters of its method ``name``; bases are found by their names."""
    for base in cls.bases:
        for above in classes.get(ast.unparse(base), []):
            own = [node for node in above.body if isinstance(node, Function) and node.name == name]
            if any(map(documented, own)) or (above is not cls and overrides(name, above, classes)):
                return True
    return False


def undocumented(modules: dict[str, ast.Module]) -> list[str]:
    """Public callables without ``Args:``.

    Three kinds need none: functions within functions; overrides of a documented method; and passes of an autograd
    function, whose parameters are those of the function that applies it.
    """
    classes: dict[str, list[ast.ClassDef]] = {}
    for node in (node for tree in modules.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)):
        classes.setdefault(node.name, []).append(node)
    found = []
    for name, tree in modules.items():
        owners: list[tuple[ast.ClassDef | None, list[ast.stmt]]] = [(None, tree.body)]
        owners += [(n, n.body) for n in tree.body if isinstance(n, ast.ClassDef) and not n.name.startswith("_")]
        for cls, body in owners:
            for node in (node for node in body if isinstance(node, Function)):
                names = parameters(node)
                if len(names) < PARAMETERS or names[0] == "ctx" or documented(node):
                    continue
                if node.name == "__init__":
                    if not documented(cls):
                        found.append(f"{name}: {cls.name}")
                elif not node.name.startswith("_") and not (cls and overrides(node.name, cls, classes)):
                    found.append(f"{name}: {node.name}")
    return found


def by_position(modules: dict[str, ast.Module], used: set[str] | None = None) -> list[str]:
    """Calls that give too many arguments by position; ``used`` collects the exceptions that were needed."""
    variadic = {
        n.name for tree in modules.values() for n in ast.walk(tree) if isinstance(n, Function) and n.args.vararg
    }
    found = []
    for name, tree in modules.items():
        for node in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            if len([a for a in node.args if not isinstance(a, ast.Starred)]) < ARGUMENTS:
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in BY_POSITION:
                (used if used is not None else set()).add(called)
            elif called not in variadic:
                found.append(f"{name}: {ast.unparse(node)[:80]}")
    return found


def test_parameters_are_documented_from_four_on(modules):
    assert undocumented(modules) == []


def test_arguments_are_named_from_five_on(modules):
    used: set[str] = set()
    assert by_position(modules, used) == []
    assert used == BY_POSITION.keys()


PROTOCOL = '''
class Protocol:
    def fit(self, a, b, c, d):
        """Fit.

        Args:
            a: A length.
        """
'''


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("def run(a, b, c, d):\n    '''Run.'''", 1),
        ("def run(a, b, *, c, d):\n    pass", 1),
        ("class Part:\n    def __init__(self, a, b, c, d):\n        pass", 1),
        ("class Part:\n    '''Args:\n        a: A length.\n    '''\n    def __init__(self, a, b, c, d): ...", 0),
        ("def run(a, b, c):\n    pass", 0),
        ("def _run(a, b, c, d):\n    pass", 0),
        ("def run():\n    def each(a, b, c, d):\n        pass", 0),
        ("class Part(torch.autograd.Function):\n    def forward(ctx, a, b, c):\n        pass", 0),
        (f"{PROTOCOL}\nclass Base(Protocol):\n    pass\nclass Part(Base):\n    def fit(self, a, b, c, d): ...", 0),
        (f"{PROTOCOL}\nclass Part(Protocol):\n    def other(self, a, b, c, d):\n        pass", 1),
    ],
)  # fmt: skip
def test_a_planted_callable_is_found(source, count):
    assert len(undocumented({"planted": ast.parse(source)})) == count


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("run(1, 2, 3, 4, 5)", 1),
        ("part.run(1, 2, 3, 4, 5, six=6)", 1),
        ("run(1, 2, c=3, d=4, e=5)", 0),
        ("run(1, 2, 3, 4, *more)", 0),
        ("def run(*parts):\n    pass\nrun(1, 2, 3, 4, 5)", 0),
        ("Kernel.apply(1, 2, 3, 4, 5)", 0),
    ],
)
def test_a_planted_call_is_found(source, count):
    assert len(by_position({"planted": ast.parse(source)})) == count
