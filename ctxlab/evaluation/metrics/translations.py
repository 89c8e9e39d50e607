"""Translations of whole documents: BLEU, chrF and TER by sacrebleu, with breakdowns by position in the document.

A document is one segment. All figures are sacrebleu's divided by 100, from 0 to 1. TER, an error rate, is 0 for a
perfect translation and may exceed 1. A document of which nothing was read has an empty translation; of one that was
read in part, the rest is missing and lowers every figure.

TER's search for shifts takes half a minute for a document of 800 words. So texts longer than ``WHOLE_WORDS`` are split
into parts of at most that length, at the same relative positions of both sides, and edits are added up: a shift between
parts counts as one edit per word.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ctxlab.core.types import Document, Prediction, ScoredRecord, Scores, Table
from ctxlab.evaluation.bins import LENGTHS, PARTS, TENTHS, Tenth, by_size, cut
from ctxlab.evaluation.bleu import ORDER, bleu
from ctxlab.evaluation.breakdown import Breakdown, estimate, named, picked
from ctxlab.evaluation.chrf import chrf, counts
from ctxlab.evaluation.evidence import by_evidence
from ctxlab.evaluation.scores import metrics
from ctxlab.evaluation.statistics import Counts, interval_note, ratio
from ctxlab.tasks.generative.base import GeneratedText
from ctxlab.text.language import language_of
from ctxlab.text.units import words

LIBRARIES = ("sacrebleu",)
"""Libraries that are loaded at the first call of ``score``."""

LENGTH_BINS = LENGTHS[:-1]
"""Last token count of each bin of source lengths; the last bin is open."""

WHOLE_WORDS = 32
"""Maximum words of either side of a text that TER scores in one piece."""

TOKENIZERS = {"zh": "zh", **dict.fromkeys(("ja", "th", "lo", "km", "my", "bo"), "char")}
"""sacrebleu's tokenizer for BLEU by language; 13a for all others. Those that need a dictionary are not used."""

KEPT = 4096
"""Size of the cache of counts of pairs of texts."""


_NOTE = interval_note()


@dataclass(frozen=True, slots=True, eq=False)
class _Case:
    """One document with its counts for each figure."""

    chrf: Counts
    """(18,) see ``evaluation.chrf``."""
    bleu: Counts
    """(10,) words of both sides, and right and all n-grams of orders 1 to 4."""
    ter: Counts
    """(2,) edits and words of the reference."""
    copied: Counts
    """(18,) chrF counts of the source itself as a translation."""
    parts: Sequence[Counts]
    """(18,) chrF counts of each tenth of the translation against the same tenth of the reference."""
    num_tokens: int


def score(documents: Sequence[Document], predictions: Sequence[Prediction]) -> Scores:
    """Compute chrF, BLEU, TER and the ratio of lengths, with breakdowns.

    Args:
        documents: With ``source``, ``target`` and optional ``probes``.
        predictions: ``GeneratedText`` of each, in the same order; ``seen`` has a flag per sentence of the target.
    """
    targets = [document.fields["target"] for document in documents]
    library = _Metrics(language_of(documents[0].fields.get("language") if documents else None, *targets))
    cases = [_case(document, prediction, library) for document, prediction in zip(documents, predictions, strict=True)]
    records = [_record(document, case) for document, case in zip(documents, cases, strict=True)]
    tables = [_overall(cases, library), *_breakdowns(cases)]
    tables += by_evidence(documents, predictions, "words from the fact to the name")
    flags = [flag for prediction in predictions for flag in prediction.seen]
    return Scores(metrics(records), float(np.mean(flags)) if flags else 1.0, tables, records=records)


def _record(document: Document, case: _Case) -> ScoredRecord:
    written, gold, *ngrams = case.bleu.astype(int).tolist()
    statistics = {
        "chrf": {"ngrams": case.chrf.astype(int).tolist()},
        "bleu": {"written": written, "gold": gold, "correct": ngrams[:ORDER], "all": ngrams[ORDER:]},
        "ter": dict(zip(("edits", "gold"), case.ter.tolist(), strict=True)),
        "lengths": {"written": written, "gold": gold},
    }
    return ScoredRecord(document.id, document.fields.get("group", document.id), statistics)


class _Metrics:
    """sacrebleu's metrics with its defaults, and its tokenizers for languages whose words have no blanks.

    BLEU uses ``zh`` for Chinese and ``char`` for Japanese, Thai, Lao, Khmer, Burmese and Tibetan; TER separates Chinese
    and Japanese characters (``asian_support``, which needs ``normalized``); those of the others are separated before.
    """

    def __init__(self, language: str) -> None:
        from sacrebleu import BLEU, CHRF, TER

        asian = language in ("zh", "ja")
        self.language = language
        self.bleu = BLEU(force=True, tokenize=TOKENIZERS.get(language, "13a"))
        self.chrf, self.ter = CHRF(), TER(asian_support=asian, normalized=asian)

    def signature(self, name: str) -> str:
        """Return the library's signature, for TER with the units and parts that texts are split into before."""
        metric: Any = getattr(self, name)
        metric.corpus_score(["a"], [["a"]])  # it exists only after a corpus was scored
        units = "|units:characters" if self.language in TOKENIZERS else ""
        return f"{metric.get_signature()}{f'{units}|parts:{WHOLE_WORDS}' if name == 'ter' else ''}"


def _case(document: Document, prediction: Prediction, library: _Metrics) -> _Case:
    answer: GeneratedText = prediction.answer
    source, target, text = document.fields["source"], document.fields["target"], answer.text
    one = library.bleu.corpus_score([text], [[target]])
    return _Case(
        counts(text, target),
        np.asarray([one.sys_len, one.ref_len, *one.counts, *one.totals], dtype=np.float64),
        ter=_edits(words(text), words(target), library.ter),
        copied=_copied(source, target),
        parts=[counts(*pair) for pair in zip(_cut(words(text)), _cut(words(target)), strict=True)],
        num_tokens=len(answer.seen),
    )


@lru_cache(KEPT)
def _copied(source: str, target: str) -> Counts:
    """Return (18,) chrF counts of the source as a translation, cached as they do not depend on the model."""
    return counts(source, target)


def _cut(words: Sequence[str], num_parts: int = PARTS) -> list[str]:
    """Split words into equal parts; with few words some parts are empty."""
    return [" ".join(part) for part in cut(words, num_parts)]


def _edits(text: Sequence[str], target: Sequence[str], ter: Any) -> Counts:
    num_parts = -(-max(len(text), len(target), 1) // WHOLE_WORDS)
    pairs = zip(_cut(text, num_parts), _cut(target, num_parts), strict=True)
    scored = [ter.corpus_score([given], [[wanted]]) for given, wanted in pairs]
    total: Counts = np.asarray([(one.num_edits, one.ref_length) for one in scored], dtype=np.float64).sum(axis=0)
    return total


def _sum(cases: Sequence[_Case], name: str) -> Counts:
    total: Counts = np.sum([getattr(case, name) for case in cases], axis=0)
    return total


def _overall(cases: Sequence[_Case], library: _Metrics) -> Table:
    rows: list[tuple[Any, ...]] = []
    for name, figure in {"chrf": chrf, "bleu": bleu, "ter": ratio}.items():
        at = estimate([getattr(case, name) for case in cases], figure)
        rows.append((name, len(cases), *at.cells, library.signature(name)))
    copied = estimate([case.copied for case in cases], chrf)
    rows.append(("chrf of the source, copied", len(cases), *copied.cells, rows[0][-1]))
    note = (
        f"target language: {library.language}; sacrebleu's figures / 100; ter is an error rate, lower is better, and "
        f"texts of more than {WHOLE_WORDS} words are split into parts for it; {_NOTE}"
    )
    columns = ("score", "documents", "value", "low", "high", "signature")
    return Table("overall", "Translations of whole documents", columns=columns, rows=rows, note=note)


def _breakdowns(cases: Sequence[_Case]) -> list[Table]:
    """Break down by length of the source, and by position in the document."""

    def of_documents(chosen: Sequence[_Case]) -> tuple[Any, ...]:
        others = float(bleu(_sum(chosen, "bleu"))), float(ratio(_sum(chosen, "ter")))
        return len(chosen), *estimate([case.chrf for case in chosen], chrf).cells, *others

    def inside(tenth: Tenth) -> tuple[Any, ...] | None:
        held = [case.parts[tenth.index] for case in cases if case.parts[tenth.index].any()]
        return (len(held), *estimate(held, chrf).cells) if held else None

    columns = ("documents", "chrf", "low", "high")
    lengths = Breakdown((*columns, "bleu", "ter"), of_documents, interval_note(figure="chrf"))
    note = f"a tenth of the words of the translation against the same tenth of the reference; {_NOTE}"
    places = Breakdown(columns, inside, note)
    bins = picked(cases, by_size([case.num_tokens for case in cases], LENGTH_BINS))
    return [
        lengths.table("by_length", "chrF by length of the source", "tokens", bins),
        places.table("by_position", "chrF by position in the document", "part of the document", named(TENTHS)),
    ]
