"""Finds code that splits text into words by itself: ``python -m scripts.check_words`` (part of ``make check``).

For a bare ``str.split()`` a Chinese or Thai document is one word, and ``\\w`` does not match the vowel signs of Hindi.
So only ``ctxlab/text`` finds words, sentences and characters; modules that split something other than a document's text
are listed here with the reason.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent / "ctxlab"

ALLOWED = {
    "command": "words of a command line and of Hydra's messages",
    "config": "keys and values of a configuration",
    "text": "the module that finds words",
    "runtime/cost.py": "lines of /proc",
    "data/sources/hub.py": "the message of an error",
    "audit/lists/words.py": "a file of words that blanks separate",
    "audit/lists/toxic.py": "a file of words that blanks separate",
    "tasks/text/encoding.py": "a space at which a long text is split for the tokenizer",
    "data/readers/brat.py": "numbers of an annotation",
    "data/readers/hocr.py": "classes of an element",
    "data/readers/conll.py": "columns of a line",
    "data/readers/layouts/conllu.py": "a comment of the format",
    "corpora/grammar/names.py": "lists of names in the code",
}
"""Packages and modules of ``ctxlab`` that may split text, and what they split."""

SPLITS = ("split", "rsplit")
PATTERNS = re.compile(r"\\[wWbB]")
"""Word characters and word boundaries of ``re``."""


def faults(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and reason of every such place in a module's source."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr in SPLITS and not node.args and not node.keywords:
            yield node.lineno, "a bare .split() splits at white space only: use ctxlab.text.units"
        module = node.func.value
        if isinstance(module, ast.Name) and module.id == "re" and node.args and PATTERNS.search(_literal(node.args[0])):
            yield (
                node.lineno,
                r"\w and \b ignore combining marks: use ctxlab.text.units.find_words, or a class of regex",
            )


def _literal(node: ast.expr) -> str:
    """Return the constant text in an expression: a literal, or the constant parts of an f-string."""
    return "".join(
        part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)
    )


def main(root: Path = ROOT) -> int:
    """Print every such place under ``root``; return 1 if there is any."""
    found = 0
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root).as_posix()
        if name in ALLOWED or name.split("/")[0] in ALLOWED:
            continue
        for line, reason in faults(path.read_text(encoding="utf-8")):
            found += 1
            print(f"ctxlab/{name}:{line}: {reason}")
    return min(found, 1)


if __name__ == "__main__":
    sys.exit(main())
