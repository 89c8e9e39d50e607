"""How far texts meet what their prompts ask for, how likely the model holds texts that do, and how they repeat.

- **Constraints met** is the mean over documents of the share of a document's constraints that its text meets; **all
  met** is the share of documents whose text meets all. A word is met where it occurs as a word, in any case; a topic
  where one of its words does; a length where the words of the text are as many. An empty text meets nothing.
- **Perplexity** is e to the mean negative log likelihood of the tokens of the records' own texts, where they have any.
- **Repetition** is the share of 4-grams that occurred in the same text before; **distinct-1** and **distinct-2** are
  the shares of different words and pairs of words over all texts.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ctxlab.core.types import Document, Prediction, Scores, Table
from ctxlab.evaluation.bins import DISTANCES, LENGTHS, Bin, by_part, by_size
from ctxlab.evaluation.evidence import says
from ctxlab.evaluation.repetition import distinct, repeated
from ctxlab.evaluation.statistics import Counts, bootstrap, bootstrap_mean, by_group, interval_note, perplexity, ratio
from ctxlab.tasks.generation import Constraints
from ctxlab.tasks.written.base import WrittenText
from ctxlab.text.units import num_words


@dataclass(frozen=True, slots=True)
class _Met:
    """A constraint of one document, and whether its text meets it."""

    document: int
    kind: str
    met: bool


def score(documents: Sequence[Document], predictions: Sequence[Prediction]) -> Scores:
    """Constraints met, perplexity and repetition, with breakdowns; what was not read is an empty text.

    Args:
        documents: With ``constraints``, and ``probes`` where it is known which sentence states each of them.
        predictions: ``WrittenText`` of each, in the same order.
    """
    answers: list[WrittenText] = [prediction.answer for prediction in predictions]
    met = [
        _Met(i, name, holds)
        for i, (document, answer) in enumerate(zip(documents, answers, strict=True))
        for name, holds in check(document.fields["constraints"], answer.text)
    ]
    counts = _counts(met, len(documents))
    texts = [answer.text for answer in answers]
    metrics = {
        "constraints_met": float(_mean_share(counts.mean(axis=0)[None])[0]),
        "all_met": float(np.mean(counts[:, 1] == 1)),
        "distinct_1": distinct(texts, 1),
        "distinct_2": distinct(texts, 2),
        "repetition": float(ratio(repeated(texts).sum(axis=0))),
        "words": float(np.mean([num_words(text) for text in texts])),
    }
    costs = np.asarray([(answer.target_nll, answer.num_asked) for answer in answers], np.float64)
    if costs[:, 1].sum():
        metrics["perplexity"] = float(perplexity(costs.sum(axis=0)))
    tables = [
        _overall(metrics, counts, costs, texts),
        _by_kind(met, len(documents)),
        _by_length(answers, counts),
        *_by_evidence(documents, answers, met),
    ]
    return Scores(metrics, _coverage(answers), tables)


def check(constraints: Constraints, text: str) -> list[tuple[str, bool]]:
    """Kind of each constraint, and whether ``text`` meets it."""
    found: list[tuple[str, bool]] = [("word", says(text, word)) for word in constraints.words]
    if constraints.topic_words:
        found.append(("topic", any(says(text, word) for word in constraints.topic_words)))
    if constraints.min_words is not None or constraints.max_words is not None:
        least, most = constraints.min_words or 1, constraints.max_words or math.inf
        found.append(("length", 0 < least <= num_words(text) <= most))
    return found


def _counts(met: Sequence[_Met], num_documents: int) -> Counts:
    """(N, 2) of each document 1 and the share of its constraints that are met."""
    holds: list[list[bool]] = [[] for _ in range(num_documents)]
    for one in met:
        holds[one.document].append(one.met)
    return np.asarray([(1.0, float(np.mean(row))) for row in holds], np.float64)


def _mean_share(sums: Counts) -> Counts:
    """Of (documents, shares); (…, 2) to (…)."""
    return ratio(sums[..., ::-1])


def _overall(metrics: dict[str, float], counts: Counts, costs: Counts, texts: Sequence[str]) -> Table:
    whole = np.stack([counts[:, 1] == 1, counts[:, 0]], axis=-1).astype(np.float64)
    over: dict[str, tuple[Counts, Callable[[Counts], Counts]]] = {
        "constraints_met": (counts, _mean_share),
        "all_met": (whole, ratio),
        "repetition": (repeated(texts), ratio),
        "perplexity": (costs, perplexity),
    }
    rows = []
    for name, value in metrics.items():
        interval = bootstrap(*over[name]) if name in over else None
        rows.append((name.replace("_", " "), value, interval and interval.low, interval and interval.high))
    return Table("overall", "Texts against their prompts", ("figure", "value", "low", "high"), rows, _NOTE)


def _by_kind(met: Sequence[_Met], num_documents: int) -> Table:
    rows = []
    for kind in dict.fromkeys(one.kind for one in met):
        own = [one for one in met if one.kind == kind]
        counts = by_group([(one.met, 1) for one in own], [one.document for one in own], range(num_documents))
        interval = bootstrap(counts, ratio)
        rows.append((kind, int(counts[:, 1].sum()), float(ratio(counts.sum(axis=0))), interval.low, interval.high))
    columns = ("constraint", "asked", "met", "low", "high")
    return Table("by_kind", "Constraints met by kind", columns, rows, _NOTE)


def _table(name: str, title: str, first: str, cases: Sequence[tuple[int, float]], bins: Sequence[Bin]) -> Table:
    """Of each bin the mean of its cases (document, how much is met); intervals draw documents."""
    rows = []
    for label, chosen in bins:
        met = [cases[i][1] for i in chosen]
        interval = bootstrap_mean(met, [cases[i][0] for i in chosen])
        rows.append((label, len(chosen), float(np.mean(met)), interval.low, interval.high))
    return Table(name, title, (first, "cases", "met", "low", "high"), rows, _NOTE)


def _by_length(answers: Sequence[WrittenText], counts: Counts) -> Table:
    bins = by_size([len(answer.seen) for answer in answers], LENGTHS)
    shares = [(i, float(share)) for i, share in enumerate(counts[:, 1])]
    return _table("by_length", "Constraints met by length of the prompt", "tokens", shares, bins)


def _by_evidence(documents: Sequence[Document], answers: Sequence[WrittenText], met: Sequence[_Met]) -> list[Table]:
    """Single constraints by where the prompt states them; ``probes`` are in the order of ``check``."""
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
    title = "Constraints met by where the prompt states them"
    return [
        _table("by_position", title, "part of the prompt", cases, by_part(places)),
        _table("by_evidence", f"{title}, by distance", "words to the text", cases, by_size(distances, DISTANCES)),
    ]


def _coverage(answers: Sequence[WrittenText]) -> float:
    """Share of the constraints whose sentences were read; where none is known, of the prompts read to some part."""
    stated = [seen for answer in answers for _, seen in answer.evidence]
    return float(np.mean(stated or [answer.is_read for answer in answers]))


_NOTE = interval_note()
