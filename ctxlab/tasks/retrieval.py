"""Retrieval: whole documents ranked for a query by embeddings of both, read apart from one another.

Shape legend: L tokens of a document, W tokens of a window, B rows of a pass, N = B / 2 pairs, P vectors of a document,
H width of the states.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.core.task import Loss
from ctxlab.core.types import NO_LABEL, Document, Encoded, Merged, Prediction, Window
from ctxlab.tasks.forms.base import BaseTask
from ctxlab.tasks.forms.embedding import info_nce, max_sim, pooled
from ctxlab.tasks.forms.query_pairs import (
    Answering,
    Positive,
    evidence_in,
    number_of,
    pair_windows,
    part_of,
    stretched,
    with_positives,
)
from ctxlab.tasks.forms.vectors import COMBINE, held, ranked
from ctxlab.tasks.records.questions import PER_TOKEN
from ctxlab.tasks.records.rankings import ALL, Found, Known, ranking
from ctxlab.tasks.records.retrieval_records import Asked, RecordReader, Text, read_corpus
from ctxlab.tasks.text.encoding import Pieces, encode_text
from ctxlab.tasks.text.subwords import frame
from ctxlab.text.language import checked

QUERY, DOCUMENT = "query", "document"
"""Values of the field ``role`` of a document."""


class Retrieval(BaseTask):
    """A bi-encoder: query and documents are encoded apart by one model (Reimers and Gurevych 2019, arXiv:1908.10084).

    A document of any length is read in windows by the strategy, and ``combine`` says how it is compared: by the mean of
    its tokens' states (``mean``), by its best passage (``max``, Dai and Callan 2019, arXiv:1905.09217), or by late
    interaction (``max_sim``: ColBERT, Khattab and Zaharia 2020, arXiv:2004.12832). Deviations: of a text its own tokens
    count, not [CLS] and [SEP]; late interaction has no projection to fewer dimensions, no query padded with masks, no
    list of punctuation, and is the mean over the query's tokens instead of the sum, so that scores compare over
    queries; passages are runs of ``passage_tokens`` tokens, whatever the windows are.

    It is trained by InfoNCE (van den Oord et al. 2018, arXiv:1807.03748): each window of a relevant document is in a
    pass beside its query, and is told from the windows of the other queries' documents. Each of several relevant
    documents is right in turn, and the others are then no negatives. Queries are read in passes of their own width.
    """

    name = "retrieval"
    takes_beside = False
    record_fields = (("query", "documents"), ("query", "relevant"))
    head = "states"
    untrained = True
    gathers = True
    compares = True
    sides = 2
    kinds = frozenset({"encoder"})
    metric = "retrieval"
    primary_metric = "recall_at_5"

    def __init__(
        self,
        query_field: str = "query",
        documents_field: str = "documents",
        relevant_field: str = "relevant",
        corpus: str | Sequence[str] | None = None,
        combine: str = "max",
        passage_tokens: int = 128,
        query_tokens: int = 64,
        temperature: float = 0.05,
        stretch_tokens: int | None = 128,
        language: str | None = None,
    ) -> None:
        """Check and store the options.

        Args:
            query_field: Field of a record with the query.
            documents_field: Field with the documents to rank.
            relevant_field: Field with the ids of the relevant ones.
            corpus: Files of documents that all queries share.
            combine: How a document is compared: ``mean``, ``max`` or ``max_sim``.
            passage_tokens: Tokens of a passage, at least 1.
            query_tokens: Most tokens of a query, at least 1.
            temperature: Divides the cosines in training, above 0.
            stretch_tokens: Tokens of a relevant document that an epoch reads, at least 1; None for all.
            language: Two-letter code for language-specific rules; None guesses from the script.

        Raises:
            UserError: A value is out of range.
        """
        super().__init__()
        if combine not in COMBINE:
            raise UserError(f"task.combine={combine} is not one of {', '.join(COMBINE)}.")
        sizes = {"passage_tokens": passage_tokens, "query_tokens": query_tokens, "stretch_tokens": stretch_tokens}
        for name, value in sizes.items():
            if value is not None and value < 1:
                raise UserError(f"task.{name}={value} is too small: give at least 1.")
        if not temperature > 0:
            raise UserError(f"task.temperature={temperature} divides cosines: give a number above 0, such as 0.05.")
        self.language = checked(language)
        self._reader = RecordReader(query_field, documents_field, relevant_field)
        self._corpus_files = [corpus] if isinstance(corpus, str) else list(corpus or ())
        self._combine, self._passage_tokens, self._query_tokens = combine, passage_tokens, query_tokens
        self._temperature, self._stretch_tokens = temperature, stretch_tokens
        self._corpus: list[Text] | None = None
        self._texts: dict[str, Text] = {}
        self._owners: dict[str, str] = {}
        self._answering = Answering()

    @property
    def encode_options(self) -> tuple[Any, ...]:
        """Return the length to which queries are truncated."""
        return (self._query_tokens,)

    def admit(self, records: Sequence[Record], *, gold: bool) -> list[Record]:
        """Return all records."""
        del gold
        return list(records)

    def parse(self, record: Mapping[str, Any], origin: str, *, gold: bool) -> Document:
        """Check a query with its documents, or a context with questions about it."""
        name = str(record.get("id", origin))
        return Document(name, {"asking": self._reader.read(record, name, origin, gold=gold)}, origin)

    def collect(self, documents: Sequence[Document]) -> None:
        """Collect the documents of all records and of the corpus, each once.

        Raises:
            UserError: Two documents have one id, or a query has nothing to rank or no relevant document there.
        """
        if self._corpus is None and self._corpus_files:
            self._corpus = read_corpus(self._corpus_files)
        first = documents[0].origin if documents else ""
        self._texts, self._owners = {}, {}
        for text, owner in (*((one, first) for one in self._corpus or ()), *_brought(documents)):
            known = self._texts.setdefault(text.id, text)
            self._owners.setdefault(text.id, owner)
            if known.text != text.text:
                raise UserError(
                    f"The document '{text.id}' of {text.origin} has another text than that of {known.origin}: give "
                    "each document its own id."
                )
        for document in documents:
            self._check(document)

    def _check(self, document: Document) -> None:
        asking = document.fields["asking"]
        if asking.asked and not self._texts:
            raise UserError(
                f"{document.origin} has no field 'documents', and there is no corpus: give its documents there, or "
                "task.corpus=<file of documents> for all queries."
            )
        candidates = self._texts if asking.candidates is None else {*asking.candidates, *self._corpus_ids()}
        for asked in asking.asked:
            unknown = [one for one in asked.relevant if one not in candidates]
            if unknown:
                raise UserError(
                    f"The field 'relevant' of {document.origin} names '{unknown[0]}', which is none of the "
                    f"{len(candidates)} documents that are ranked: give the id of one of these."
                )

    def _corpus_ids(self) -> list[str]:
        return [one.id for one in self._corpus or ()]

    def expand(self, document: Document) -> list[Document]:
        """Return a document for each query, and for each text that no record before has brought along."""
        asking = document.fields["asking"]
        candidates = (ALL,) if asking.candidates is None else (*asking.candidates, *self._corpus_ids())
        found = [self._query(asked, candidates, document.origin) for asked in asking.asked]
        own = [name for name, owner in self._owners.items() if owner == document.origin]
        texts = (self._texts[name] for name in own)
        found += [
            Document(f"document {one.id}", {"role": DOCUMENT, "text": one.text, "document": one.id}, one.origin)
            for one in texts
        ]
        return found

    def _query(self, asked: Asked, candidates: Sequence[str], origin: str) -> Document:
        fields: dict[str, Any] = {"role": QUERY, "text": asked.query, "candidates": tuple(candidates)}
        if asked.relevant:
            relevant = tuple(dict.fromkeys(asked.relevant))
            fields |= {"relevant": relevant, "positives": tuple(self._texts[name].text for name in relevant)}
            fields["key"] = self._answering.remember(f"{asked.id} {asked.query}", relevant)
            fields["probes"] = [piece for piece in asked.probes if piece["document"] in self._texts]
        return Document(asked.id, fields, origin)

    def learn_labels(self, documents: Sequence[Document]) -> None:
        """Learn nothing; note what training compares."""
        del documents
        self.notes.append(
            "Every query is told from the documents of its forward pass: accumulating passes to a step does not "
            "enlarge the number of negatives, trainer.tokens_per_forward (by default trainer.tokens_per_step) does."
        )

    def encode(self, documents: Sequence[Document], tokenizer: Any) -> list[Encoded]:
        """Return queries and documents as token ids; a query has its relevant documents as ``target``."""
        before, after = frame(tokenizer)
        encoded, texts = [], _Tokenised(tokenizer)
        for document in documents:
            language = document.fields.get("language", "")
            pieces = encode_text(tokenizer, document.fields["text"], language)
            whole = pieces.encoded(pieces.labelled(NO_LABEL), before=before, after=after)
            if document.fields["role"] == DOCUMENT:
                encoded.append(whole)
                continue
            one = self._shortened(whole)
            if document.fields.get("positives"):
                positives = [
                    Positive(number_of(name), text, evidence_in(text, document.fields["probes"], name))
                    for name, text in zip(
                        document.fields["relevant"], texts.of(document.fields["positives"], language), strict=True
                    )
                ]
                one = with_positives(one, positives, document.fields["key"])
            encoded.append(one)
        return encoded

    def _shortened(self, encoded: Encoded) -> Encoded:
        longest = self._query_tokens
        if len(encoded) > longest:
            note = f"Queries of more than task.query_tokens={longest} tokens are truncated to that length."
            self.notes.extend([] if note in self.notes else [note])
            encoded = replace(encoded, **{name: getattr(encoded, name)[:longest] for name in PER_TOKEN})
        return replace(encoded, query=tuple(encoded.input_ids.tolist()))

    def resample(self, encoded: Encoded, seed: int) -> Encoded:
        """Return a query and a stretch of each of its documents; a document alone, which teaches nothing, empty."""
        if not len(encoded.target):
            return part_of(encoded, slice(0, 0))
        return stretched(encoded, self._stretch_tokens, seed)

    def training_windows(self, encoded: Encoded, read: Callable[[Encoded], list[Window]]) -> list[Window]:
        """Return the windows of the stretches, each after one with its query alone."""
        return pair_windows(encoded, read)

    def loss(self, outputs: torch.Tensor, labels: torch.Tensor) -> Loss:
        """Return the loss summed over pairs; outputs (B, W, H), labels (B, W), a query before each window.

        A pair without a negative has weight 0.
        """
        known = labels != NO_LABEL
        query, group = labels.amax(dim=1).reshape(-1, 2).T // 2
        asked, text = known[0::2], known[1::2]
        if self._combine == "max_sim":
            scores = max_sim(outputs[0::2], asked, outputs[1::2], text)
        else:
            means = F.normalize(pooled(outputs, known), dim=-1)
            scores = means[0::2] @ means[1::2].T
        each, has_negative = info_nce(scores / self._temperature, self._answering.partners(query, group))
        return Loss(each[has_negative].sum() + 0 * each.sum(), has_negative.sum())

    def decode(self, document: Document, encoded: Encoded, merged: Merged) -> Prediction:
        """Return what is kept of a text to compare it; ``gathered`` makes the answers."""
        rule = "mean" if document.fields["role"] == QUERY and self._combine == "max" else self._combine
        answer = held(merged.outputs, merged.seen, rule, self._passage_tokens)
        evidence = () if document.fields["role"] == QUERY else (encoded.starts, encoded.ends)
        return Prediction(document.id, replace(answer, places=evidence), [bool(merged.seen.any())])

    def gathered(self, documents: Sequence[Document], predictions: Sequence[Prediction]) -> list[Prediction]:
        """Rank the documents for each query; predictions of documents stay as they are."""
        texts = {d.fields["document"]: p.answer for d, p in zip(documents, predictions, strict=True) if _is_text(d)}
        queries = [(d, p.answer) for d, p in zip(documents, predictions, strict=True) if not _is_text(d)]
        known = {name: Known(one.seen, one.places) for name, one in texts.items()}
        scores = ranked([one for _, one in queries], list(texts.values()))
        share = sum(one.num_seen for one in texts.values()) / max(sum(one.num_tokens for one in texts.values()), 1)
        answers = {
            document.id: ranking(document, row, known=known, share=share)
            for (document, _), row in zip(queries, scores, strict=True)
        }
        return [
            replace(p, answer=answers[p.id], seen=[answers[p.id].could_know]) if p.id in answers else p
            for p in predictions
        ]

    def record(self, document: Document, prediction: Prediction) -> dict[str, Any]:
        """Return the ranking of a query, the best documents first; nothing for a document."""
        if document.fields["role"] == DOCUMENT:
            return {}
        answer: Found = prediction.answer
        rows = zip(answer.order, answer.scores, strict=True)
        return {
            "id": document.id,
            "query": document.fields["text"],
            "ranking": [{"document": name, "score": round(score, 6)} for name, score in rows],
            "share_read": round(answer.share_read, 4),
        }


class _Tokenised:
    """The tokens of the documents of the query before, which those of the next query often share."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._known: dict[tuple[str, str], Pieces] = {}

    def of(self, texts: Sequence[str], language: str) -> list[Pieces]:
        """Return the tokens of each text."""
        self._known = {
            (text, language): self._known.get((text, language)) or encode_text(self._tokenizer, text, language)
            for text in texts
        }
        return [self._known[text, language] for text in texts]


def _is_text(document: Document) -> bool:
    return bool(document.fields["role"] == DOCUMENT)


def _brought(documents: Sequence[Document]) -> list[tuple[Text, str]]:
    return [(text, document.origin) for document in documents for text in document.fields["asking"].texts]
