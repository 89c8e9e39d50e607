"""What tasks that rank candidates have in common: each candidate is read together with the whole history.

A record becomes one document a candidate. The history is read in windows, the candidate stands in front of every one,
and what the windows say of it is combined as for any other label (``tasks.combine``). A metric puts the candidates of a
record together again.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.core.types import Document, Encoded, Prediction
from ctxlab.tasks.forms.document_classifier import Framing, Verdict, Whole
from ctxlab.tasks.text.encoding import query_of
from ctxlab.tasks.text.pairs import pair_frame

CLASSES = ("other", "chosen")
CHOSEN = CLASSES[1]
"""What a candidate may be; the model has one output for each."""

LEAST = 1e-38
"""Probability below which a 32 bit figure has nothing left."""


class Ranking(Whole, ABC):
    """A cross-encoder (Nogueira and Cho 2019, arXiv:1901.04085) that says of each candidate whether it was chosen.

    Deviations, all for histories of many windows: the candidate stands in front of every window, cut to
    ``candidate_tokens``, without segment ids; and what windows say is combined by ``combine``.

    Trained with cross entropy on every window of the chosen candidates and of a sample of the others: each of these is
    drawn anew in every epoch, with one chance for all, such that there are ``negatives`` for each chosen one over all
    records (Wu et al. 2019, arXiv:1907.05559, draw 4 of each record; the softmax over them that they learn with is left
    out, as candidates are read apart).
    """

    kinds = frozenset({"encoder"})

    def __init__(self, combine: str, negatives: int | None, candidate_tokens: int) -> None:
        """Take the rule that combines windows, the others for each chosen one, and the longest candidate."""
        if negatives is not None and negatives < 1:
            raise UserError(f"task.negatives={negatives} leaves nothing to compare: give at least 1, or null for all.")
        if candidate_tokens < 1:
            raise UserError(f"task.candidate_tokens={candidate_tokens} leaves no candidate: give at least 1.")
        super().__init__(CLASSES, "labels", combine, several=False)
        self._negatives, self._candidate_tokens = negatives, candidate_tokens
        self._kept_share = 1.0

    @property
    def encode_options(self) -> tuple[Any, ...]:
        """Where candidates are cut."""
        return (self._candidate_tokens,)

    @abstractmethod
    def split(self, document: Document) -> list[Document]:
        """One document a candidate, by ``apart``."""

    def learn_labels(self, documents: Sequence[Document]) -> None:
        """Count how many candidates were chosen, to know how many others an epoch takes."""
        num_chosen = sum(document.fields["gold"] == (CHOSEN,) for document in documents)
        num_others = len(documents) - num_chosen
        if self._negatives is not None and num_others:
            self._kept_share = min(self._negatives * num_chosen / num_others, 1.0)

    def text(self, document: Document) -> str:
        """The history."""
        text: str = document.fields["history"]
        return text

    def framing(self, document: Document, tokenizer: Any) -> Framing:
        """The candidate in front of the history, parted as the tokenizer parts two texts."""
        around, longest = pair_frame(tokenizer), self._candidate_tokens
        query, terms = query_of(tokenizer, document.fields["candidate"])
        note = f"Candidates of more than task.candidate_tokens={longest} tokens are read up to there."
        if len(query) > longest and note not in self.notes:
            self.notes.append(note)
        return Framing(
            (*around.before, *query[:longest], *around.between), around.after, query[:longest], terms[:longest]
        )

    def encode(self, documents: Sequence[Document], tokenizer: Any) -> list[Encoded]:
        """As for any document with one answer; the history of neighbours is tokenised once."""
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

    def renew(self, encoded: Encoded, seed: int) -> Encoded:
        """A chosen candidate as it is; another one too, or without a token where this epoch leaves it out."""
        is_chosen = encoded.labels[:1].tolist() == [CLASSES.index(CHOSEN)]
        if is_chosen or self._kept_share == 1 or np.random.default_rng(seed).random() < self._kept_share:
            return encoded
        arrays = ("input_ids", "word_ids", "labels", "marks", "starts", "ends", "terms")
        return replace(encoded, **{name: getattr(encoded, name)[:0] for name in arrays})

    def record(self, document: Document, prediction: Prediction) -> dict[str, Any]:
        """A line a candidate: of which record (and turn), its number from 1 on, text, score and probability."""
        verdict: Verdict = prediction.answer
        fields = document.fields
        place = {"turn": fields["turn"]} if "turn" in fields else {}
        score = odds(verdict)
        return {
            "id": fields["record"],
            **place,
            "candidate": fields["number"],
            "text": fields["candidate"],
            "score": None if score is None else round(score, 6),
            "probability": round(float(verdict.probabilities[1]), 6) if verdict.is_read else None,
            "share_read": round(verdict.num_seen / max(verdict.num_tokens, 1), 4),
        }


def apart(
    record: str,
    group: str,
    history: str,
    candidates: Sequence[str],
    labels: Sequence[int] | None,
    origin: str,
    **more: Any,
) -> list[Document]:
    """One document a candidate.

    Args:
        record: Id of the record; intervals draw whole records.
        group: Id of this ranking, of which a record may have several.
        history: What is read.
        candidates: Texts to rank.
        labels: 1 for those that were chosen, 0 for others; None where nobody knows.
        origin: Place of the record.
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
    """What candidates are ranked by: log odds of being chosen, which part them where probabilities round to 1."""
    if not verdict.is_read:
        return None
    other, chosen = np.log(np.maximum(verdict.probabilities.astype(np.float64), LEAST))
    return float(chosen - other)


def probes_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """``probes`` of a generated record, if it has any."""
    return {} if record.get("probes") is None else {"probes": record["probes"]}
