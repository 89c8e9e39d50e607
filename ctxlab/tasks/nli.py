"""Natural language inference: whether a long premise entails or contradicts a short hypothesis."""

from collections.abc import Mapping, Sequence
from typing import Any

from ctxlab.core.labelling import LabelForm
from ctxlab.core.shape import Shape
from ctxlab.core.types import Document
from ctxlab.tasks.forms.document_classifier import DocumentClassifier, Framing
from ctxlab.tasks.generative.prompted import prompted
from ctxlab.tasks.generative.prompts import Prompt
from ctxlab.tasks.labels.documents import DocumentLabels
from ctxlab.tasks.records.fields import text_of
from ctxlab.tasks.text.encoding import query_of
from ctxlab.tasks.text.pairs import pair_frame
from ctxlab.text.language import checked


class NLI(DocumentClassifier):
    """One label for a premise and a hypothesis; the hypothesis precedes every window of the premise.

    Deviation from the usual scripts: these put the hypothesis after the premise, where truncation or a second window
    loses one of them; and token types are left at 0.
    """

    name = "nli"
    shape = Shape("premise", spans=("probes",))
    record_fields = (("premise", "hypothesis"), ("sentence1", "sentence2"), ("passage", "question", "answer"))

    def __init__(
        self,
        labels: Sequence[str | int] | None = None,
        premise_field: str = "premise",
        hypothesis_field: str = "hypothesis",
        label_field: str = "label",
        combine: str = "mean",
        shots: int | None = None,
        instruction: str = "",
        cue: str = "Answer:",
        example_words: int = 60,
        language: str | None = None,
        label_map: Mapping[str, str] | None = None,
    ) -> None:
        """Check and store the options.

        Args:
            labels: All labels; None learns them from the training documents.
            premise_field: Field of a record with the long text.
            hypothesis_field: Field with the hypothesis about it.
            label_field: Field with the label.
            combine: How predictions of windows are combined: ``mean``, ``max`` or ``attention``.
            shots: None trains a head; 0 or more prompts a decoder, with that number of solved training documents.
            instruction: Of a prompt: text before every window; ``{labels}`` is replaced by all labels.
            cue: Of a prompt: text after which the answer begins.
            example_words: Words shown of each solved document, at least 1.
            language: Two-letter code for language-specific rules; None guesses from the script.
            label_map: Labels of the records that stand for others; None for none.
        """
        super().__init__(labels, label_field, combine, several=False, label_map=label_map)
        self.language = checked(language)
        self._premise_field, self._hypothesis_field = premise_field, hypothesis_field
        self._prompt = None if shots is None else Prompt(instruction, cue, shots, example_words)

    def for_kind(self, kind: str) -> Any:
        """Return the form with a trained head or, with ``shots``, the prompted form."""
        return self if self._prompt is None else prompted(self, self._prompt, kind)

    def label_form(self) -> LabelForm:
        """Return the labels of whole documents."""
        return DocumentLabels(self.labels, self._reader.field, several=self.several)

    def parse(self, record: Mapping[str, Any], origin: str, *, gold: bool) -> Document:
        """Check both texts and the label of a record; with ``gold=False`` the texts are enough."""
        fields = {
            "premise": text_of(record, self._premise_field, option="task.premise_field", origin=origin, task=self.name),
            "hypothesis": text_of(
                record, self._hypothesis_field, option="task.hypothesis_field", origin=origin, task=self.name
            ),
        }
        return self.document(record, fields, origin, gold=gold)

    def text(self, document: Document) -> str:
        """Return the premise."""
        text: str = document.fields["premise"]
        return text

    def asked(self, document: Document) -> str:
        """Return the hypothesis."""
        return f"Claim: {document.fields['hypothesis']}"

    def framing(self, document: Document, tokenizer: Any) -> Framing:
        """Put the hypothesis before the premise, separated as the tokenizer separates two texts."""
        around = pair_frame(tokenizer)
        query, terms = query_of(tokenizer, document.fields["hypothesis"])
        return Framing((*around.before, *query, *around.between), around.after, query, terms)
