"""Summarization of whole documents, generic or focused on a query."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.core.shape import Shape
from ctxlab.core.types import NO_LABEL, SENTENCE, Document, Encoded, Merged, Prediction
from ctxlab.tasks.generative.base import GeneratedText, GenerativeTask
from ctxlab.tasks.generative.prompts import Prompt
from ctxlab.tasks.records.evidence import evidence_of
from ctxlab.tasks.records.summary_records import summaries_of
from ctxlab.tasks.records.texts import SEVERAL, texts_of
from ctxlab.tasks.text.encoding import encode_text, query_of
from ctxlab.text.clusters import snap
from ctxlab.text.language import checked
from ctxlab.text.units import needs_blank

OUTPUTS = ("write", "extract")
"""Values of ``task.output``."""


class Summarization(GenerativeTask):
    """Maps a document (or several, in the field ``contexts``), and optionally a query, to a summary.

    With ``output=write`` the model generates a summary after every window, and is trained to generate the whole summary
    after each. With ``output=extract`` the summary is the text that a selecting reading keeps of the document
    (``strategy=textrank`` and others), sentence by sentence in the document's order: ``context.length`` is its length
    in tokens, windows have no prompt, and only the model's tokenizer is used, as no forward pass is needed.
    """

    name = "summarization"
    record_fields = (
        ("document", "summaries"),
        ("document", "summary"),
        ("article", "highlights"),
        ("contexts", "summaries"),
        ("contexts", "summary"),
    )
    metric = "summaries"
    primary_metric = "rouge1"
    shape = Shape("document", texts="text_starts", spans=("probes",))

    def __init__(
        self,
        document_field: str = "document",
        output: str = "write",
        instruction: str = "",
        cue: str = "Summary:",
        shots: int = 0,
        example_words: int = 120,
        combine: str = "best",
        decoding: Mapping[str, Any] | None = None,
        language: str | None = None,
    ) -> None:
        """Check and store the options.

        Args:
            document_field: Field of a record with the text.
            output: ``write`` or ``extract``, as above.
            instruction: Of a prompt: text before every window.
            cue: Of a prompt: text after which the answer begins.
            shots: Solved training documents before every window of a decoder, 0 or more, drawn by seed.
            example_words: Words shown of each solved document, at least 1.
            combine: How texts of windows are combined: ``join``, ``best`` or ``last``.
            decoding: Settings of generation, the keys of ``conf/task/decoding``; None for greedy search.
            language: Two-letter code for language-specific rules; None guesses from the script.
        """
        super().__init__(decoding, Prompt(instruction, cue, shots, example_words), combine)
        self.language = checked(language)
        if output not in OUTPUTS:
            raise UserError(f"task.output={output} is not one of {', '.join(OUTPUTS)}.")
        if output == "extract" and shots:
            raise UserError(f"task.shots={shots} does not work with task.output=extract, which runs no model: use 0.")
        self._document_field, self._output = document_field, output
        if output == "extract":
            self.generates = self.runs_model = False
            self.kinds = frozenset({"encoder", "decoder", "encoder_decoder"})

    def for_kind(self, kind: str) -> "Summarization":
        """Choose the generating head for that kind of model, or none with ``output=extract``."""
        super().for_kind(kind)
        self.head = self.head if self.generates else "body"
        return self

    def parse(self, record: Mapping[str, Any], origin: str, *, gold: bool) -> Document:
        """Check a document and its queries and summaries."""
        name = str(record.get("id", origin))
        has_text = self._document_field in record or record.get(SEVERAL) is not None
        if not has_text and ("query" in record or "summaries" in record):
            raise UserError(
                f"{origin} has a query but no field '{self._document_field}': give the text that the query is about, "
                "or name its field with task.document_field=<field>."
            )
        field, option = self._document_field, "task.document_field"
        texts = texts_of(record, field, option=option, origin=origin, task=self.name)
        asked = summaries_of(record, name, texts.text, origin, gold=gold)
        return Document(name, {"document": texts.text, **texts.fields, "asked": asked}, origin)

    def expand(self, document: Document) -> list[Document]:
        """Return one document per query; ``group`` is the record's id."""
        shared = {name: value for name, value in document.fields.items() if name != "asked"} | {"group": document.id}
        return [
            Document(
                asked["id"],
                {**shared, **{name: value for name, value in asked.items() if name != "id"}},
                document.origin,
            )
            for asked in document.fields["asked"]
        ]

    def source(self, document: Document) -> str:
        """Return the text to summarise."""
        return str(document.fields["document"])

    def target(self, document: Document) -> str | None:
        """Return the gold summary."""
        return document.fields.get("summary")

    def ask(self, document: Document) -> str:
        """Return the query, or an empty text."""
        return document.fields.get("query") or ""

    @property
    def encode_options(self) -> tuple[Any, ...]:
        """Return the output, which decides whether windows have a prompt, and the options of the prompt."""
        return (self._output, *super().encode_options)

    def encode(self, documents: Sequence[Document], tokenizer: Any) -> list[Encoded]:
        """Return whole documents as token ids; without a prompt where windows are the summary."""
        if self.generates:
            return super().encode(documents, tokenizer)
        return [self._bare(document, tokenizer) for document in documents]

    def _bare(self, document: Document, tokenizer: Any) -> Encoded:
        text = encode_text(tokenizer, self.source(document), document.fields.get("language", ""))
        query, terms = query_of(tokenizer, self.ask(document))
        return text.encoded(text.labelled(NO_LABEL), query=query, query_terms=terms)

    def decode(self, document: Document, encoded: Encoded, merged: Merged) -> Prediction:
        """Return the ``GeneratedText``: the generated text, or the text that the reading kept."""
        if self.generates:
            return super().decode(document, encoded, merged)
        text = kept_text(self.source(document), encoded, merged)
        evidence = evidence_of(document, encoded, merged)
        answer = GeneratedText(
            text, (), scores=(), target_nll=0.0, num_asked=0, seen=merged.seen, starts=encoded.starts, evidence=evidence
        )
        return Prediction(document.id, answer, [answer.is_read])

    def record(self, document: Document, prediction: Prediction) -> dict[str, Any]:
        """Return the summary with its query, and the fraction of the document that was read."""
        line = super().record(document, prediction)
        asked = {"query": document.fields["query"]} if document.fields.get("query") else {}
        return {"id": line["id"], **asked, "summary": line["text"], "share_read": line["share_read"]}


def kept_text(text: str, encoded: Encoded, merged: Merged) -> str:
    """Return the seen part of ``text``, one sentence per line, with a blank where a part of a sentence was left out.

    A character of which only some byte tokens were seen occurs once, and scripts without blanks get none.
    """
    tokens = np.flatnonzero(merged.seen)
    begins = (encoded.marks[tokens] & SENTENCE) > 0
    kept, read = "", 0
    for run in np.split(np.arange(len(tokens)), np.flatnonzero(begins[1:] | (np.diff(tokens) > 1)) + 1):
        if not len(run):
            continue
        start, end = snap(text, int(encoded.starts[tokens[run[0]]]), int(encoded.ends[tokens[run[-1]]]))
        start, after, read = max(start, read), read, max(end, read)
        piece = text[start:end].strip()
        if kept and piece:
            continues = start == after and not text[start].isspace() and not text[start - 1].isspace()
            kept += "\n" if begins[run[0]] else "" if continues or not needs_blank(kept[-1], piece) else " "
        kept += piece
    return kept
