"""What a request gets instead of an answer: a status and one sentence, which never contains the client's text."""

import re
from collections.abc import Collection, Mapping

QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")
"""A quoted part of a sentence, which may come from a document."""


CLOSE = {"Connection": "close"}
"""Header of an answer to a request whose body was not read to its end."""


class Refusal(Exception):  # noqa: N818 - the server works; it does not answer this request
    """An answer of status 4xx, or 5xx where the server is at fault."""

    def __init__(self, status: int, sentence: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.headers = status, sentence, dict(headers or {})


def without_text(sentence: str, known: Collection[str]) -> str:
    """Return a sentence about a document with what it quotes of the document left out.

    Args:
        sentence: As the task wrote it.
        known: What may be quoted: names of fields that the task reads.
    """
    hidden = QUOTED.sub(lambda part: part[0] if part[0][1:-1] in known else "'…'", sentence)
    return hidden[:1].upper() + hidden[1:]
