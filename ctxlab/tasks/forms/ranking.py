"""Shared base of tasks that rank candidates: each candidate is read together with the whole history.

A record becomes one document per candidate. The history is read in windows, each preceded by the candidate, and the
predictions of the windows are combined as for any other label (``forms.combine``). The metric groups the candidates of
a record again.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.core.types import Document, Encoded, Prediction
from ctxlab.tasks.forms.document_classifier import DocumentClassifier, Framing, Verdict
from ctxlab.tasks.text.encoding import query_of
from ctxlab.tasks.text.pairs import pair_frame

CLASSES = ("other", "chosen")
CHOSEN = CLASSES[1]
"""The class of a chosen candidate; the model has one output per class."""

LEAST = 1e-38
"""Lower bound of probabilities before the logarithm, about the smallest normal fp32 number."""


class Ranking(DocumentClassifier, ABC):
    """A cross-encoder (Nogueira and Cho 2019, arXiv:1901.04085) that predicts of each candidate whether it was chosen.

    Deviations, all for histories of many windows: the candidate precedes every window, truncated to
    ``candidate_tokens``, without segment ids; and predictions of windows are combined by ``combine``.

    It is trained with cross entropy on every window of the chosen candidates and of a sample of the others. Every epoch
    samples the others anew with one probability, such that there are ``negatives`` per chosen candidate on average over
    all records (Wu et al. 2019, arXiv:1907.05559, sample 4 per record; their softmax over these is left out, as
    candidates are read separately).
    """

    kinds = frozenset({"encoder"})

    def __init__(self, combine: str, negatives: int | None, candidate_tokens: int) -> None:
        """Store the combination rule, the negatives per chosen candidate (None for all), and the longest candidate."""
        if negatives is not None and negatives < 1:
            raise UserError(f"task.negatives={negatives} leaves nothing to compare: give at least 1, or null for all.")
        if candidate_tokens < 1:
            raise UserError(f"task.candidate_tokens={candidate_tokens} leaves no candidate: give at least 1.")
        super().__init__(CLASSES, "labels", combine, several=False)
        self._negatives, self._candidate_tokens = negatives, candidate_tokens
        self._kept_share = 1.0

    @property
    def encode_options(self) -> tuple[Any, ...]:
        """Return the length to which candidates are truncated."""
        return (self._candidate_tokens,)

    @abstractmethod
    def expand(self, document: Document) -> list[Document]:
        """Return one document per candidate; see ``candidate_documents``."""

    def learn_labels(self, documents: Sequence[Document]) -> None:
        """Compute from the number of chosen candidates the fraction of the others that an epoch samples."""
        self.sample([document.fields["gold"] == (CHOSEN,) for document in documents])

    def sample(self, chosen: Sequence[bool]) -> None:
        """Compute that fraction from whether each candidate was chosen."""
        num_chosen = sum(chosen)
        num_others = len(chosen) - num_chosen
        if self._negatives is not None and num_others:
            self._kept_share = min(self._negatives * num_chosen / num_others, 1.0)

    def text(self, document: Document) -> str:
        """Return the history."""
        text: str = document.fields["history"]
        return text

    def framing(self, document: Document, tokenizer: Any) -> Framing:
        """Put the candidate before the history, separated as the tokenizer separates two texts."""
        around, longest = pair_frame(tokenizer), self._candidate_tokens
        query, terms = query_of(tokenizer, document.fields["candidate"])
        note = f"Candidates of more than task.candidate_tokens={longest} tokens are truncated to that length."
        if len(query) > longest and note not in self.notes:
            self.notes.append(note)
        return Framing(
            (*around.before, *query[:longest], *around.between), around.after, query[:longest], terms[:longest]
        )

    def encode(self, documents: Sequence[Document], tokenizer: Any) -> list[Encoded]:
        """Encode as for any document with one answer; candidates in a row share one tokenization of the history."""
        encoded = []
        for _, group in groupby(documents, self.text):
            together = list(group)
            (first,) = super().encode(together[:1], tokenizer)
            for document in together:
                framing, labels = self.framing(document, tokenizer), np.full(len(first), self._code(document))
                encoded.append(
                    replace(
                        first,
                        labels=labels,
                        before=framing.before,
                        query=framing.query,
                        query_terms=framing.query_terms,
                    )
                )
        return encoded

    def resample(self, encoded: Encoded, seed: int) -> Encoded:
        """Return the candidate unchanged, or without tokens where this epoch does not sample it."""
        is_chosen = encoded.labels[:1].tolist() == [CLASSES.index(CHOSEN)]
        if is_chosen or self._kept_share == 1 or np.random.default_rng(seed).random() < self._kept_share:
            return encoded
        arrays = ("input_ids", "word_ids", "labels", "marks", "starts", "ends", "terms", "numbers")
        return replace(encoded, **{name: getattr(encoded, name)[:0] for name in arrays})

    def explained_labels(self, prediction: Prediction) -> Sequence[str]:
        """Return the class whose odds rank the candidates: what speaks for the candidate, whatever was chosen."""
        return (CHOSEN,) if prediction.answer.is_read else ()

    def record(self, document: Document, prediction: Prediction) -> dict[str, Any]:
        """Return a line per candidate: its record (and turn), number counted from 1, text, score and probability."""
        verdict: Verdict = prediction.answer
        fields = document.fields
        place = {"turn": fields["turn"]} if "turn" in fields else {}
        score = odds(verdict)
        more = {}
        if score is not None and verdict.beside is not None:
            more = {"score_with_features": round(score + verdict.beside, 6)}
        return {
            "id": fields["record"],
            **place,
            "candidate": fields["number"],
            "text": fields["candidate"],
            "score": None if score is None else round(score, 6),
            "probability": round(float(verdict.probabilities[1]), 6) if verdict.is_read else None,
            "share_read": round(verdict.num_seen / max(verdict.num_tokens, 1), 4),
            **more,
        }


def candidate_documents(
    record: str,
    group: str,
    history: str,
    candidates: Sequence[str],
    labels: Sequence[int] | None,
    origin: str,
    **more: Any,
) -> list[Document]:
    """Return one document per candidate.

    Args:
        record: Id of the record; intervals resample whole records.
        group: Id of this ranking, of which a record may have several.
        history: Text that is read in windows.
        candidates: Texts to rank.
        labels: 1 for those that were chosen, 0 for others; None where they are unknown.
        origin: Place of the record, for messages.
        more: Other fields of each document.
    """
    documents = []
    for index, candidate in enumerate(candidates):
        fields: dict[str, Any] = {"record": record, "group": group, "number": index + 1, "history": history}
        fields |= {"candidate": candidate, **more}
        if labels is not None:
            fields["gold"] = (CLASSES[labels[index]],)
        documents.append(Document(f"{group}#{index + 1}", fields, origin))
    return documents


def odds(verdict: Verdict) -> float | None:
    """Return the ranking score, the log odds of being chosen: they differ even where probabilities round to 1."""
    if not verdict.is_read:
        return None
    other, chosen = np.log(np.maximum(verdict.probabilities.astype(np.float64), LEAST))
    return float(chosen - other)
