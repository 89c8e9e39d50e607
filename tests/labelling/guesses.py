"""Hand-made guesses over hand-made documents, with nothing of a model."""

from collections.abc import Sequence

import numpy as np

from ctxlab.core.data import Record
from ctxlab.core.labelling import Guess, Pool
from ctxlab.core.types import Document, Opinion, Prediction
from ctxlab.tasks.forms.document_classifier import Verdict
from ctxlab.tasks.labels.documents import DocumentLabels
from ctxlab.tasks.labels.entities import EntityLabels
from ctxlab.tasks.records.bio import repair

TAGS = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
ENTITIES = EntityLabels(["PER", "LOC"], "tokens", "tags")
CLASSES = ("ham", "spam", "news")
ONE = DocumentLabels(CLASSES, "label", several=False)
SEVERAL = DocumentLabels(CLASSES, "labels", several=True)


def tagged(name: str, given: Sequence[tuple[str, float]], unseen: Sequence[int] = (), **gold: Sequence[str]) -> Guess:
    """A document of one word a pair: the tag that the model prefers, and its probability; the rest is spread evenly."""
    words = [f"w{place}" for place in range(len(given))]
    rows = np.array([[sure if tag == name else (1 - sure) / 4 for name in TAGS] for tag, sure in given])
    seen = np.array([place not in unseen for place in range(len(given))])
    answer, _ = repair([tag if saw else "O" for (tag, _), saw in zip(given, seen, strict=True)])
    record = Record({"id": name, "tokens": words, **gold}, f"pool.jsonl line {name}")
    document = Document(name, {"tokens": words}, record.origin)
    return ENTITIES.guess(record, document, Prediction(name, answer, seen.tolist()), Opinion(rows, seen, TAGS))


def classified(name: str, given: Sequence[float], *, several: bool = False, read: bool = True) -> Guess:
    """A document with the probability of each of ``CLASSES``."""
    rows = np.array(given)
    chosen = (
        [one for one, sure in zip(CLASSES, given, strict=True) if sure >= 0.5]
        if several
        else [CLASSES[int(rows.argmax())]]
    )
    verdict = Verdict(CLASSES, tuple(chosen if read else ()), rows.astype(np.float32), several, 3, 3 if read else 0, ())
    record = Record({"id": name, "text": f"text of {name}", "from": "me"}, f"pool.jsonl line {name}")
    document = Document(name, {"text": record.fields["text"]}, record.origin)
    opinion = Opinion(rows[None], np.array([read]), CLASSES)
    return (SEVERAL if several else ONE).guess(record, document, Prediction(name, verdict, [read]), opinion)


def pool(form, guesses: Sequence[Guess], gold: dict | None = None) -> Pool:
    """The pool of these guesses; ``gold`` is id → fields."""
    documents = {name: Document(name, fields, name) for name, fields in (gold or {}).items()}
    return Pool(
        form, [one.record for one in guesses], [one.document for one in guesses], lambda: iter(guesses), documents
    )
