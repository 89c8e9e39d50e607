"""Code: an expression over the definitions of a long file, written for a description and scored by running it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.core.shape import Shape
from ctxlab.core.types import Document, Encoded, GeneratedTokens, IntArray, Merged, Prediction
from ctxlab.tasks.generative.base import GeneratedText, GenerativeTask
from ctxlab.tasks.generative.prompts import Prompt, line_ends
from ctxlab.tasks.records.evidence import evidence_field, evidence_tokens
from ctxlab.tasks.records.fields import text_of
from ctxlab.tasks.text.encoding import Pieces
from ctxlab.text.expressions import Definition, ExpressionError, Value, definitions, parse, run
from ctxlab.text.language import checked

ABSENT = "none"
"""What a window is trained to write that lacks a part of the known evidence; it is no answer."""


class Code(GenerativeTask):
    """Writes one expression in the language of ``text.expressions``; definitions are in the file that is read.

    A decoder reads the description after the file, an encoder-decoder before it. The answer is the likeliest text of
    all windows up to the end of the line, other than ``none``. Execution is by the project's own interpreter, with
    limits that no text can exceed; nothing that a model writes is ever run as Python.
    """

    name = "code"
    record_fields = (("file", "description", "expression"),)
    metric = "code"
    primary_metric = "accuracy"
    shape = Shape("file", spans=("probes",))

    def __init__(
        self,
        file_field: str = "file",
        description_field: str = "description",
        expression_field: str = "expression",
        instruction: str = "",
        cue: str = "Expression:",
        shots: int = 0,
        example_words: int = 120,
        combine: str = "best",
        decoding: Mapping[str, Any] | None = None,
        language: str | None = None,
    ) -> None:
        """Check and store the options.

        Args:
            file_field: Field of a record with the file of definitions.
            description_field: Field with what the expression should compute.
            expression_field: Field with the expression.
            instruction: Of a prompt: text before every window.
            cue: Of a prompt: text after which the expression begins.
            shots: Solved training documents before every window of a decoder, 0 or more, drawn by seed.
            example_words: Words shown of each solved document, at least 1.
            combine: How texts of windows are combined: ``best`` or ``last``.
            decoding: Settings of generation, the keys of ``conf/task/decoding``; None for greedy search.
            language: Two-letter code for language-specific rules; None guesses from the script.

        Raises:
            UserError: A value is out of range or not known.
        """
        if combine == "join":
            raise UserError("task.combine=join makes no expression of several: use task.combine=best or last.")
        super().__init__(decoding, Prompt(instruction, cue, shots, example_words), combine)
        self.language = checked(language)
        self._file_field, self._description_field = file_field, description_field
        self._expression_field = expression_field

    def parse(self, record: Mapping[str, Any], origin: str, *, gold: bool) -> Document:
        """Check file and description of a record, and with ``gold`` that its expression has a value."""
        file = text_of(record, self._file_field, option="task.file_field", origin=origin, task=self.name)
        known = _checked(self._file_field, origin, lambda: definitions(file))
        fields: dict[str, Any] = {
            "file": file,
            "description": text_of(
                record, self._description_field, option="task.description_field", origin=origin, task=self.name
            ),
        }
        if gold:
            expression = text_of(
                record, self._expression_field, option="task.expression_field", origin=origin, task=self.name
            )
            _checked(self._expression_field, origin, lambda: run(parse(expression), known))
            fields["expression"] = expression
        return Document(str(record.get("id", origin)), fields | evidence_field(record, len(file), origin), origin)

    def source(self, document: Document) -> str:
        """Return the file."""
        return str(document.fields["file"])

    def ask(self, document: Document) -> str:
        """Return the description."""
        return f"Task: {document.fields['description']}"

    def target(self, document: Document) -> str | None:
        """Return the gold expression."""
        return document.fields.get("expression")

    def evidence(self, document: Document, text: Pieces) -> IntArray:
        """Return the tokens of the definitions that are known to be needed."""
        tokens = text.encoded(text.labelled(0), before=(), after=())
        parts = [evidence_tokens(tokens, one["start"], one["end"]) for one in document.fields.get("probes", ())]
        return np.concatenate([*parts, np.zeros(0, np.int64)])

    def absent(self) -> str:
        """Return what a window without the evidence is to write."""
        return ABSENT

    def excerpt(self, document: Document, num_words: int) -> str:
        """Return the needed definitions of a few-shot example, or its first lines."""
        file, probes = self.source(document), document.fields.get("probes", ())
        if probes:
            return "\n".join(file[one["start"] : one["end"]] for one in probes)
        return super().excerpt(document, num_words)

    def more_stops(self, tokenizer: Any) -> tuple[int, ...]:
        """Return the line ends: an expression is one line."""
        return line_ends(tokenizer)

    def text_of(self, written: GeneratedTokens) -> str:
        """Decode the first line of a window."""
        return (super().text_of(written).splitlines() or [""])[0].strip()

    def combined(self, texts: Sequence[str], scores: Sequence[float]) -> str:
        """Return the likeliest text that is not ``none``."""
        return super().combined(["" if text == ABSENT else text for text in texts], scores)

    def seen_parts(self, document: Document, encoded: Encoded, merged: Merged) -> list[bool]:
        """Return whether each needed definition was read; where none is known, whether anything was."""
        probes = document.fields.get("probes", ())
        parts = [merged.seen[evidence_tokens(encoded, one["start"], one["end"])] for one in probes]
        return [bool(part.all()) for part in parts] or super().seen_parts(document, encoded, merged)

    def record(self, document: Document, prediction: Prediction) -> dict[str, Any]:
        """Return the expression and its value, null where it has none."""
        answer: GeneratedText = prediction.answer
        return {
            "id": document.id,
            "expression": answer.text,
            "value": value_of(answer.text, definitions(self.source(document))),
            "share_read": round(float(answer.seen.mean()), 4),
        }


def value_of(text: str, known: Mapping[str, Definition]) -> Value | None:
    """Return the value of a text as an expression; None where it is none or has no value."""
    try:
        return run(parse(text), known)
    except ExpressionError:
        return None


def _checked(field: str, origin: str, read: Any) -> Any:
    """Return what ``read`` returns; raises UserError naming field and place where the text is not of the language."""
    try:
        return read()
    except ExpressionError as error:
        raise UserError(
            f"The field '{field}' of {origin} cannot be used: {error}; docs/code.md describes the language."
        ) from None
