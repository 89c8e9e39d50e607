"""Classification: predicts one label or several for a whole document."""

from collections.abc import Mapping, Sequence
from typing import Any

from ctxlab.core.errors import UserError
from ctxlab.core.labelling import LabelForm
from ctxlab.core.shape import Shape
from ctxlab.core.types import Document
from ctxlab.tasks.forms.document_classifier import DocumentClassifier, Framing
from ctxlab.tasks.generative.prompted import prompted
from ctxlab.tasks.generative.prompts import Prompt
from ctxlab.tasks.labels.documents import DocumentLabels
from ctxlab.tasks.records.fields import text_of
from ctxlab.tasks.records.word_numbers import numbers_field, word_numbers
from ctxlab.tasks.text.subwords import frame
from ctxlab.text.language import checked
from ctxlab.text.units import word_spans

CONSTANT = "x"
"""Text of a token that has numbers and no text."""


class Classification(DocumentClassifier):
    """One label per document, or with ``multi_label`` any number of them."""

    name = "classification"
    shape: Shape | None = Shape("text", spans=("probes",))
    takes_numbers = True
    record_fields = (("text", "label"), ("text", "labels"))

    def __init__(
        self,
        labels: Sequence[str | int] | None = None,
        text_field: str = "text",
        label_field: str | None = None,
        multi_label: bool = False,
        combine: str = "mean",
        shots: int | None = None,
        instruction: str = "",
        cue: str = "Label:",
        example_words: int = 60,
        language: str | None = None,
        label_map: Mapping[str, str] | None = None,
        numbers_field: str | None = None,
    ) -> None:
        """Check and store the options.

        Args:
            labels: All labels; None learns them from the training documents.
            text_field: Field of a record with the text.
            label_field: Field with its label; None for ``label``, or ``labels`` with ``multi_label``.
            multi_label: Whether a document has a list of any number of labels.
            combine: How predictions of windows are combined: ``mean``, ``max`` or ``attention``.
            shots: None trains a head; 0 or more prompts a decoder, with that number of solved training documents.
            instruction: Of a prompt: text before every window; ``{labels}`` is replaced by all labels.
            cue: Of a prompt: text after which the answer begins.
            example_words: Words shown of each solved document, at least 1.
            language: Two-letter code for language-specific rules; None guesses from the script.
            label_map: Labels of the records that stand for others; None for none.
            numbers_field: Field with the numbers of each word, such as pixels, which need no text; None reads none.

        Raises:
            UserError: A prompt has no numbers.
        """
        if numbers_field is not None and shots is not None:
            raise UserError(
                f"task.numbers_field={numbers_field} gives numbers to the words of a text, and a prompt (task.shots="
                f"{shots}) has others: leave one of them out."
            )
        super().__init__(
            labels,
            label_field or ("labels" if multi_label else "label"),
            combine,
            several=multi_label,
            label_map=label_map,
        )
        self.language = checked(language)
        self._text_field = text_field
        self.numbers_field = numbers_field
        if numbers_field is not None:
            self.shape = None  # what changes words does not know what becomes of their numbers
        self._prompt = None if shots is None else Prompt(instruction, cue, shots, example_words)

    def for_kind(self, kind: str) -> Any:
        """Return the form with a trained head or, with ``shots``, the prompted form."""
        return self if self._prompt is None else prompted(self, self._prompt, kind)

    def label_form(self) -> LabelForm:
        """Return the labels of whole documents."""
        return DocumentLabels(self.labels, self._reader.field, several=self.several)

    def parse(self, record: Mapping[str, Any], origin: str, *, gold: bool) -> Document:
        """Check text and labels of a record; with ``gold=False`` the text is enough."""
        fields = (
            self._numbered(record, origin) if self.numbers_field is not None else {"text": self._text(record, origin)}
        )
        return self.document(record, fields, origin, gold=gold)

    def _text(self, record: Mapping[str, Any], origin: str) -> str:
        return text_of(record, self._text_field, option="task.text_field", origin=origin, task=self.name)

    def _numbered(self, record: Mapping[str, Any], origin: str) -> dict[str, Any]:
        """Return text and numbers of a record; one without a text has the same word for each of its numbers."""
        assert self.numbers_field is not None
        rows = numbers_field(record, self.numbers_field, origin, self.name)
        text = self._text(record, origin) if self._text_field in record else " ".join([CONSTANT] * len(rows))
        count = len(word_spans(text))
        return {
            "text": text,
            "numbers": word_numbers(rows, count, wanted=self.numbers, field=self.numbers_field, origin=origin),
        }

    def text(self, document: Document) -> str:
        """Return the document's text."""
        text: str = document.fields["text"]
        return text

    def framing(self, document: Document, tokenizer: Any) -> Framing:
        """Return the special tokens around a text."""
        return Framing(*frame(tokenizer))
