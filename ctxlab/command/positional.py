"""Directories without a key, as ``ctxlab report <dir>…`` takes them."""

from collections.abc import Sequence
from pathlib import Path

from ctxlab.core.errors import UserError

KEYS = {"report": "runs"}
"""Stage that takes words without a key → the key that they are values of."""

MISTAKEN = ("run", "resume", "dir", "folder", "input")
"""Keys of other stages and programs that are written for a directory."""


def rewrite(stage: str, words: Sequence[str]) -> list[str]:
    """Return the overrides of a command with its directories as one override; other stages take none.

    A word is a directory if it has no equals sign, or if there is such a file.

    Args:
        stage: First word of the command.
        words: The other words, without flags.

    Raises:
        UserError: A directory is given with the key of another stage.
    """
    if stage not in KEYS:
        return list(words)
    from ctxlab.config.quoting import quoted  # with Hydra, which help does without

    given = [word for word in words if not word.startswith("~") and ("=" not in word or Path(word).exists())]
    others = [word for word in words if word not in given]
    for word in others:
        key, _, value = word.partition("=")
        if key in MISTAKEN:
            raise UserError(f"{word}: directories are given without a key, as in ctxlab {stage} {value or 'outputs'}.")
    return [*others, f"{KEYS[stage]}=[{','.join(map(quoted, given))}]"] if given else others
