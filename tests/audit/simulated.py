"""Runs that answer as a formula says, so that what an audit must find is known."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ctxlab.audit.lists.words import read_list
from ctxlab.core.audit import Answers, Recorded, Rules, Subject
from ctxlab.core.types import Document, Prediction, ScoredRecord
from ctxlab.tasks.classification import Classification
from ctxlab.tasks.forms.document_classifier import Verdict

LABELS = ("no", "yes")

Answer = Callable[[Document, np.random.Generator], str]
"""A label for a document; the generator depends on seed and text alone, as the noise of a trained model does."""


class Simulated(Subject):
    """A classifier whose answers are those of a function."""

    def __init__(self, documents: Sequence[Document], answer: Answer, seed: int = 0, **rules: Any) -> None:
        self.task, self.documents, self.rules = (
            Classification(labels=list(LABELS)),
            documents,
            Rules(seed=seed, **rules),
        )
        self.figure, self.lower_is_better = "accuracy", False
        self.answer, self.seed = answer, seed
        self.fields: Mapping[str, Mapping[str, Any]] = {}
        self.reference: Recorded | None = None

    def answers(self, what: str, documents: Sequence[Document]) -> Answers:
        predictions = [self._predicted(document) for document in documents]
        pairs = zip(documents, predictions, strict=True)
        return Answers(documents, predictions, [_scored(document, one.answer) for document, one in pairs])

    def _predicted(self, document: Document) -> Prediction:
        draw = np.random.default_rng([self.seed, zlib.crc32(document.fields["text"].encode())])
        label = self.answer(document, draw)
        given = np.asarray([float(label == name) for name in LABELS], np.float32)
        return Prediction(document.id, Verdict(LABELS, (label,), given, False, 10, 10, ()), [True])

    def own(self) -> Answers:
        return self.answers("own", self.documents)

    def record(self, document: Document) -> Mapping[str, Any]:
        return self.fields.get(document.id, document.fields)

    def recorded(self, run: str | None) -> Recorded | None:
        return self.reference


def _scored(document: Document, answer: Verdict) -> ScoredRecord:
    """What the metric of the task leaves of a document, without its breakdowns."""
    values = {"gold": list(document.fields["gold"]), "predicted": list(answer.chosen), "read": True,
              "probabilities": dict(zip(LABELS, answer.probabilities.tolist(), strict=True))}  # fmt: skip
    return ScoredRecord(document.id, document.id, {"single_label": values})


NAMES = read_list("names_en")
BY_GROUP = {group: [word.text for word in NAMES.words if word.group == group] for group in NAMES.groups}
GROUP = {word.text: word.group for word in NAMES.words}


def documents(count: int, seed: int = 0) -> list[Document]:
    """Texts with one name each; the label is drawn, whatever the name."""
    draw = np.random.default_rng([seed, 1])
    found = []
    for index in range(count):
        group = sorted(BY_GROUP)[int(draw.integers(2))]
        name = BY_GROUP[group][int(draw.integers(len(BY_GROUP[group])))]
        label = LABELS[int(draw.integers(2))]
        text = f"It rained on day {index}. The judge heard {name} and said {label}. {name} went home. The end."
        found.append(Document(f"d{index}", {"text": text, "gold": (label,), "gender": group}, f"line {index}"))
    return found


def group_of(document: Document) -> str:
    """The group of the name in a text, as it stands there now."""
    return next(GROUP[word] for word in document.fields["text"].split() if word in GROUP)


def noisy(share: float) -> Answer:
    """The right label but for a share of the documents, which depends on the text and on no group."""

    def answer(document: Document, draw: np.random.Generator) -> str:
        gold = document.fields["gold"][0]
        other = LABELS[1 - LABELS.index(gold)]
        return other if draw.random() < share else gold

    return answer


def against(group: str, share: float) -> Answer:
    """As ``noisy(0.1)``, but a share of the documents with a name of the group gets ``no``."""

    def answer(document: Document, draw: np.random.Generator) -> str:
        given = noisy(0.1)(document, draw)
        return "no" if group_of(document) == group and draw.random() < share else given

    return answer
