"""Constrained generation: constraints met, perplexity of reference texts, and repetition.

- **Constraints met** is the mean over documents of the fraction of a document's constraints that its text meets; **all
  met** is the fraction of documents whose text meets all. A word is met where it occurs as a whole word in any case, a
  topic where one of its words does, a length where the number of words is within the limits. An empty text meets none.
- **Perplexity** is exp of the mean negative log likelihood of the tokens of the records' own texts, if any; tokens of a
  prompt of which nothing was read, and unknown characters, are charged the uniform distribution.
- **Repetition** is the fraction of 4-grams that occurred earlier in the same text; **distinct-1** and **distinct-2**
  are the fractions of distinct unigrams and bigrams over all texts.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ctxlab.core.types import Document, Prediction, ScoredRecord, Scores, Table
from ctxlab.evaluation.bins import DISTANCES, LENGTHS, by_part, by_size
from ctxlab.evaluation.breakdown import Breakdown, estimate, mean, picked
from ctxlab.evaluation.evidence import says
from ctxlab.evaluation.generated import generated_words, target_tokens, text_variety
from ctxlab.evaluation.repetition import repeated
from ctxlab.evaluation.scores import metrics
from ctxlab.evaluation.statistics import Counts, by_group, interval_note, perplexity, ratio
from ctxlab.evaluation.sufficient.constraints import STATISTIC
from ctxlab.tasks.generation import Constraints
from ctxlab.tasks.generative.base import GeneratedText
from ctxlab.text.units import num_words

_NOTE = interval_note()


@dataclass(frozen=True, slots=True)
class _Met:
    """A constraint of one document, and whether its text meets it."""

    document: int
    kind: str
    met: bool


def score(documents: Sequence[Document], predictions: Sequence[Prediction]) -> Scores:
    """Compute constraints met, perplexity and repetition, with breakdowns; an unread document has an empty text.

    Args:
        documents: With ``constraints``, and ``probes`` where the sentence that states each of them is known.
        predictions: ``GeneratedText`` of each, in the same order.
    """
    answers: list[GeneratedText] = [prediction.answer for prediction in predictions]
    met = [
        _Met(i, name, holds)
        for i, (document, answer) in enumerate(zip(documents, answers, strict=True))
        for name, holds in check(document.fields["constraints"], answer.text)
    ]
    records = _records(documents, answers, met)
    found = metrics(records)
    shares = STATISTIC.table([record.statistics["constraints"] for record in records])
    tables = [
        _overall(found, shares, answers),
        _by_kind(met, len(documents)),
        *_by_length(answers, shares),
        *_by_evidence(documents, answers, met),
    ]
    return Scores(found, _coverage(answers), tables, records=records)


def _records(
    documents: Sequence[Document], answers: Sequence[GeneratedText], met: Sequence[_Met]
) -> list[ScoredRecord]:
    """Return the values of each document, with those of perplexity if any record has a scored reference text."""
    is_asked = any(answer.num_asked for answer in answers)
    held: list[list[bool]] = [[] for _ in documents]
    for one in met:
        held[one.document].append(one.met)
    return [
        ScoredRecord(
            document.id,
            document.id,
            {"constraints": {"met": sum(own), "asked": len(own)}, **text_variety(answer)}
            | (target_tokens(answer) if is_asked else {}),
        )
        for document, answer, own in zip(documents, answers, held, strict=True)
    ]


def check(constraints: Constraints, text: str) -> list[tuple[str, bool]]:
    """Return the kind of each constraint, and whether ``text`` meets it."""
    found: list[tuple[str, bool]] = [("word", says(text, word)) for word in constraints.words]
    if constraints.topic_words:
        found.append(("topic", any(says(text, word) for word in constraints.topic_words)))
    if constraints.min_words is not None or constraints.max_words is not None:
        least, most = constraints.min_words or 1, constraints.max_words or math.inf
        found.append(("length", 0 < least <= num_words(text) <= most))
    return found


def _overall(found: Mapping[str, float], shares: Counts, answers: Sequence[GeneratedText]) -> Table:
    """Return the table of each figure, with its interval where it is a function of sums; ``shares`` (N, 3)."""
    costs = [(answer.target_nll, answer.num_asked) for answer in answers]
    over: dict[str, tuple[npt.ArrayLike, Callable[[Counts], Counts]]] = {
        "constraints_met": (shares[:, [0, 2]], ratio),
        "all_met": (shares[:, [1, 2]], ratio),
        "repetition": (repeated([generated_words(answer) for answer in answers]), ratio),
        "perplexity": (costs, perplexity),
    }
    rows = [
        (name.replace("_", " "), *(estimate(*over[name]).cells if name in over else (value, None, None)))
        for name, value in found.items()
    ]
    return Table(
        "overall",
        "Generated texts and their prompts",
        columns=("figure", "value", "low", "high"),
        rows=rows,
        note=_NOTE,
    )


def _by_kind(met: Sequence[_Met], num_documents: int) -> Table:
    def row(kind: str) -> tuple[int, float, float | None, float | None]:
        own = [one for one in met if one.kind == kind]
        counts = by_group([(one.met, 1) for one in own], [one.document for one in own], range(num_documents))
        return len(own), *estimate(counts, ratio).cells

    by = Breakdown(("asked", "met", "low", "high"), row, _NOTE)
    kinds = dict.fromkeys(one.kind for one in met)
    return by.table("by_kind", "Constraints met by kind", "constraint", [(kind, kind) for kind in kinds], drawn="")


_Shares = Sequence[tuple[int, float]]
"""Document of each case, and the fraction that is met."""


def _row(cases: _Shares) -> tuple[int, float, float | None, float | None]:
    """Return count, mean and interval of the cases; intervals resample documents."""
    return len(cases), *mean([share for _, share in cases], [document for document, _ in cases]).cells


_BY = Breakdown[_Shares](("cases", "met", "low", "high"), _row, _NOTE)


def _by_length(answers: Sequence[GeneratedText], shares: Counts) -> list[Table]:
    bins = picked(list(enumerate(shares[:, 0].tolist())), by_size([len(answer.seen) for answer in answers], LENGTHS))
    return [_BY.table("by_length", "Constraints met by length of the prompt", "tokens", bins)]


def _by_evidence(documents: Sequence[Document], answers: Sequence[GeneratedText], met: Sequence[_Met]) -> list[Table]:
    """Break down single constraints by where the prompt states them; ``probes`` are in the order of ``check``."""
    cases: list[tuple[int, float]] = []
    places: list[float] = []
    distances: list[int] = []
    for i, (document, answer) in enumerate(zip(documents, answers, strict=True)):
        own, probes = [one for one in met if one.document == i], document.fields.get("probes", ())
        if len(probes) == len(own):
            cases += [(i, float(one.met)) for one in own]
            places += [place for place, _ in answer.evidence]
            distances += [probe["distance"] for probe in probes]
    if not cases:
        return []
    title, by_distance = "Constraints met by where the prompt states them", by_size(distances, DISTANCES)
    return [
        _BY.table("by_position", title, "part of the prompt", picked(cases, by_part(places))),
        _BY.table("by_evidence", f"{title}, by distance", "words to the text", picked(cases, by_distance)),
    ]


def _coverage(answers: Sequence[GeneratedText]) -> float:
    """Return the fraction of constraints whose sentences were read or, where unknown, of prompts read in part."""
    stated = [seen for answer in answers for _, seen in answer.evidence]
    return float(np.mean(stated or [answer.is_read for answer in answers]))
