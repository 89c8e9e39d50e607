"""What ``POST /v1/explain`` asks for, and what can answer it, one forward pass at a time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ctxlab.core.types import Document, Encoded, Merged
from ctxlab.evaluation.answerer import Answer
from ctxlab.serving.refusal import Refusal

EXPLANATION, EXPLAINED = "explanation", "explained"
"""Fields of the body besides those of the record: the mechanism, and which part of the answer."""


class Mechanism(Protocol):
    """Explains documents; see ``workbench.explaining.named``."""

    def check(self, document: Document, encoded: Encoded) -> None:
        """Raise UserError if the document is too long for it."""

    def explain(
        self,
        document: Document,
        encoded: Encoded,
        *,
        read: Callable[[Encoded], Merged],
        pause: Callable[[int], None],
        wanted: str,
    ) -> Answer:
        """Return the line of ``ctxlab explain``, and the coverage.

        Args:
            document: A document of the task.
            encoded: Its tokens.
            read: Reads the whole document.
            pause: Called before each forward pass with its tokens, at times when nothing is changed on the model.
            wanted: The part of the answer that is explained; empty for all.

        Raises:
            UserError: It cannot be explained, or has no such part.
        """


Mechanisms = Callable[[str], Mechanism]
"""Returns the mechanism of a name, or the default for an empty one; raises UserError if there is none."""


@dataclass(frozen=True, slots=True, eq=False)
class Why:
    """An explanation that was asked for."""

    mechanism: Mechanism
    wanted: str
    """The part of the answer, or the document among several; empty for all."""


def asked(body: Mapping[str, Any]) -> tuple[dict[str, Any], str, str]:
    """Return the record of a body, the name of the mechanism and the part that is explained, empty where not given.

    Raises:
        Refusal: One of the two is not a text.
    """
    record = dict(body)
    given = [record.pop(name, None) or "" for name in (EXPLANATION, EXPLAINED)]
    if not all(isinstance(one, str) for one in given):
        raise Refusal(422, f"The fields {EXPLANATION} and {EXPLAINED} are texts: give names, or leave them out.")
    return record, given[0], given[1]
