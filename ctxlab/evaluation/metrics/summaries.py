"""Summaries: ROUGE, length, the parts of the source that they cover, and two baselines of the same length.

Figures are means over summaries; intervals resample whole records, as summaries of one text are correlated. A document
of which nothing was read has an empty summary, which scores 0.
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ctxlab.core.types import Document, Prediction, ScoredRecord, Scores, Table
from ctxlab.evaluation.bins import LENGTHS, PARTS, TENTHS, Tenth, by_part, by_size, cut
from ctxlab.evaluation.breakdown import Breakdown, mean, named, picked
from ctxlab.evaluation.evidence import by_evidence
from ctxlab.evaluation.rouge import TYPES, matches, rouge, words
from ctxlab.evaluation.scores import metrics
from ctxlab.evaluation.sentences import sentences
from ctxlab.evaluation.statistics import Counts, interval_note
from ctxlab.tasks.generative.base import GeneratedText
from ctxlab.text.units import first_words, num_words

LENGTH_BINS = LENGTHS[1:]
"""Last token count of each bin of document lengths; the last bin is open."""

NOTE = interval_note("records, each with all of its summaries", figure="rouge1")


@dataclass(frozen=True, slots=True, eq=False)
class _Case:
    """One summary and its scores."""

    group: str
    rouge: Sequence[float]
    """F measure of each of ``TYPES``."""
    num_words: int
    num_gold_words: int
    num_tokens: int
    """Tokens of the document."""
    shares: Counts
    """(10,) fraction of the summary's bigrams that occur in each tenth of the document."""
    gold_shares: Counts
    """(10,) fraction of the gold summary's bigrams."""


def score(documents: Sequence[Document], predictions: Sequence[Prediction]) -> Scores:
    """Compute ROUGE and the ratio of lengths over all summaries, with breakdowns.

    Args:
        documents: One per summary, with ``document``, gold ``summary``, ``group``, optional ``query`` and ``probes``.
        predictions: ``GeneratedText`` of each, in the same order.
    """
    cases = [_case(document, prediction.answer) for document, prediction in zip(documents, predictions, strict=True)]
    records = [_record(d, p.answer, case) for d, p, case in zip(documents, predictions, cases, strict=True)]
    tables = [_overall(documents, predictions, cases), *_breakdowns(cases), _source_coverage(cases)]
    tables += by_evidence(documents, predictions, "words from the query to the sentence")
    return Scores(metrics(records), _coverage(predictions), tables=tables, notes=_notes(documents), records=records)


def _record(document: Document, answer: GeneratedText, case: _Case) -> ScoredRecord:
    matched = map(list, matches(answer.text, document.fields["summary"]))
    lengths = {"written": case.num_words, "gold": case.num_gold_words}
    return ScoredRecord(document.id, case.group, {"rouge": dict(zip(TYPES, matched, strict=True)), "lengths": lengths})


def _case(document: Document, answer: GeneratedText) -> _Case:
    source, gold = document.fields["document"], document.fields["summary"]
    return _Case(
        document.fields["group"],
        rouge(answer.text, gold),
        num_words=num_words(answer.text),
        num_gold_words=num_words(gold),
        num_tokens=len(answer.seen),
        shares=_shares(answer.text, source),
        gold_shares=_shares(gold, source),
    )


def _shares(summary: str, source: str) -> Counts:
    """Return (10,) fraction of the bigrams of ``summary`` that occur in each tenth of ``source``."""
    given, read = list(pairwise(words(summary))), list(pairwise(words(source)))
    held = [set(part) for part in cut(read)]
    return np.asarray([sum(pair in part for pair in given) / max(len(given), 1) for part in held])


def _length_ratio(cases: Sequence[_Case]) -> float:
    return float(sum(case.num_words for case in cases) / sum(case.num_gold_words for case in cases))


def _coverage(predictions: Sequence[Prediction]) -> float:
    """Return the fraction of known evidence of which all was read or, where unknown, of the tokens read."""
    shares = []
    for prediction in predictions:
        answer: GeneratedText = prediction.answer
        known = [read for _, read in answer.evidence]
        shares.append(float(np.mean(known or answer.seen)))
    return float(np.mean(shares))


def _notes(documents: Sequence[Document]) -> list[str]:
    """Return a note on gold summaries that ROUGE cannot score, if any."""
    without = sum(not words(document.fields["summary"]) for document in documents)
    if not without:
        return []
    return [
        f"{without} of {len(documents)} gold summaries have no letter or digit, which ROUGE needs: they always score 0."
    ]


def lead(document: Document, count: int) -> str:
    """Return the first words of a document."""
    return first_words(document.fields["document"], count)


def random(document: Document, count: int) -> str:
    """Return random sentences, drawn by the document's id, in its order; the last one drawn is truncated."""
    known = sentences(document.fields["document"])
    order = np.random.default_rng(zlib.crc32(document.id.encode())).permutation(len(known))
    kept: dict[int, str] = {}
    for index in order.tolist():
        if count <= 0:
            break
        kept[index] = first_words(known[index], count)
        count -= num_words(kept[index])
    return "\n".join(kept[index] for index in sorted(kept))


BASELINES: dict[str, Callable[[Document, int], str]] = {"lead": lead, "random": random}
"""Baseline summaries without a model, as functions of the document and a number of words."""


def _overall(documents: Sequence[Document], predictions: Sequence[Prediction], cases: Sequence[_Case]) -> Table:
    """Return the table of the model and of baselines with the same number of words for each document."""
    rows = [("the model", *_row(cases))]
    for name, baseline in BASELINES.items():
        texts = [baseline(d, num_words(p.answer.text)) for d, p in zip(documents, predictions, strict=True)]
        found = [
            _Case(
                c.group,
                rouge(text, d.fields["summary"]),
                num_words=num_words(text),
                num_gold_words=c.num_gold_words,
                num_tokens=0,
                shares=c.shares,
                gold_shares=c.shares,
            )
            for c, d, text in zip(cases, documents, texts, strict=True)
        ]
        rows.append((name, *_row(found)))
    columns = ("summary", "cases", "rouge1", "low", "high", *TYPES[1:], "length_ratio")
    note = (
        "F measures, English stemmed, of characters where a script has no blanks; lead and random have as many words "
        f"as the model's summary; {NOTE}"
    )
    return Table("overall", "ROUGE of summaries", columns=columns, rows=rows, note=note)


def _row(cases: Sequence[_Case]) -> tuple[float | None, ...]:
    """Return the number of cases, ROUGE-1 with its interval, the other types, and the ratio of lengths."""
    at = mean([case.rouge[0] for case in cases], [case.group for case in cases])
    first, *others = np.mean([case.rouge for case in cases], axis=0).tolist()
    return len(cases), first, at.low, at.high, *others, _length_ratio(cases)


_COLUMNS = ("cases", "rouge1", "low", "high", *TYPES[1:], "length_ratio")


def _breakdowns(cases: Sequence[_Case]) -> list[Table]:
    """Break down by length of the document, and by the tenth of it with most of the gold summary's bigrams."""
    most = [int(case.gold_shares.argmax()) / PARTS if case.gold_shares.any() else None for case in cases]
    lengths = picked(cases, by_size([case.num_tokens for case in cases], LENGTH_BINS))
    note = f"the tenth with most of the gold summary's bigrams, the first of equals; {NOTE}"
    title = "ROUGE by position of the gold in the document"
    return [
        Breakdown(_COLUMNS, _row, NOTE).table("by_length", "ROUGE by length of the document", "tokens", lengths),
        Breakdown(_COLUMNS, _row, note).table("by_position", title, "part", picked(cases, by_part(most))),
    ]


def _source_coverage(cases: Sequence[_Case]) -> Table:
    groups = [case.group for case in cases]

    def row(tenth: Tenth) -> tuple[float | None, ...]:
        gold = float(np.mean([case.gold_shares[tenth.index] for case in cases]))
        return len(cases), *mean([case.shares[tenth.index] for case in cases], groups).cells, gold

    note = (
        "fraction of a summary's bigrams that occur in the tenth, mean over summaries; a bigram may be in several; "
        + interval_note("records", figure="the model's share")
    )
    by = Breakdown(("cases", "share", "low", "high", "gold"), row, note)
    return by.table("source_coverage", "Parts of the document that summaries cover", "part", named(TENTHS), drawn="")
