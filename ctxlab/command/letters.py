"""Values in any script on the command line, which Hydra's grammar takes in quotes only."""

import re

_PIECES = re.compile(
    r"'(?:[^'\\]|\\.)*'"  # quoted already
    r'|"(?:[^"\\]|\\.)*"'
    r"|[,\[\]{}()]"  # what lists, mappings, sweeps and functions are made of
    r"|(?:\$\{[^{}]*\}|[^,\[\]{}()'\"])+"
)


def with_quotes(word: str) -> str:
    """``word`` with quotes around every piece of its value that has a letter outside ASCII.

    ``data.train_file=没有/训练集.jsonl`` becomes ``data.train_file='没有/训练集.jsonl'``, and ``[体育,财经]`` becomes
    ``['体育','财经']``; what is in quotes already, and the key, stay as they are.
    """
    key, equals, value = word.partition("=")
    if not equals or value.isascii():
        return word
    found, depth = [], 0
    for piece in _PIECES.findall(value):
        depth += (piece == "{") - (piece == "}")
        parts = re.split(r"(\s*:\s*)", piece) if depth and piece[0] not in "'\"" else [piece]
        found += [_quoted(part) for part in parts]
    return f"{key}={''.join(found)}" if "".join(_PIECES.findall(value)) == value else word


def _quoted(piece: str) -> str:
    bare = piece.strip()
    if not bare or bare.isascii() or bare[0] in "'\"":
        return piece
    start = piece.index(bare)
    # Within quotes a backslash means itself unless a quotation mark follows.
    inner = re.sub(r"(\\*)'", lambda match: match[1] * 2 + "\\'", bare)
    return f"{piece[:start]}'{inner}'{piece[start + len(bare) :]}"
