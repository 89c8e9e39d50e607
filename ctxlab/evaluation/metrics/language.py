"""Next-token prediction: perplexity and bits per character over whole documents.

- **Negative log likelihood** (nats) is summed over all tokens of all documents but the first of each.
- **Perplexity** is exp of its mean over these tokens. It is comparable between models with the same tokenizer only.
- **Bits per character** is its sum / ln 2 / the characters that these tokens cover, each counted once, white space
  included (``tasks.text.encoding.added_characters``). It is comparable between tokenizers, as long as these keep case.
- A token that was **not read** is charged log V, the cost under the uniform distribution over the vocabulary, and
  counts as wrong. ``perplexity_seen`` leaves these tokens out; it says nothing about the rest of the document and never
  selects a checkpoint.
- A token that is **unknown** to the tokenizer is charged log V for each of its characters, and counts as wrong:
  predicting it says nothing about the text that it replaces.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.core.types import BoolArray, Document, Prediction, ScoredRecord, Scores, Table
from ctxlab.evaluation.bins import DISTANCES, LENGTHS, Size, by_size, sizes
from ctxlab.evaluation.breakdown import Breakdown, ends, estimate, named, picked
from ctxlab.evaluation.scores import metrics
from ctxlab.evaluation.statistics import Counts, bootstrap, interval_note, perplexity, ratio
from ctxlab.evaluation.tokens import CORRECT, NLL, SEEN, TOKENS, Tokens
from ctxlab.tasks.forms.vocabulary import TokenScores

BINS = (*LENGTHS, 131072)
"""Last token of each bin of positions and of document lengths; the last bin is open."""


@dataclass(frozen=True, slots=True)
class Names:
    """The names of a task's figures."""

    perplexity: str
    asked: str
    """The predicted units, in the plural."""
    statistic: str
    """Name of the file under ``ctxlab/evaluation/sufficient``."""

    @property
    def title(self) -> str:
        """Return the name of the perplexity, capitalised for a title."""
        return self.perplexity.replace("_", "-").capitalize()


def score(documents: Sequence[Document], predictions: Sequence[Prediction]) -> Scores:
    """Compute loss, perplexity, bits per character and accuracy, with breakdowns; unread tokens are charged.

    Args:
        documents: With ``probes`` where a generated text has words that depend on evidence elsewhere.
        predictions: ``TokenScores`` of each, in the same order.

    Raises:
        UserError: No document has a second token.
    """
    return score_tokens(documents, predictions, Names("perplexity", "tokens", "next_tokens"))


def score_tokens(documents: Sequence[Document], predictions: Sequence[Prediction], names: Names) -> Scores:
    """Compute the figures of a token-predicting task; raises UserError where there is no token to predict."""
    found: list[TokenScores] = [prediction.answer for prediction in predictions]
    counts = [_counts(one) for one in found]
    sums = np.sum(counts, axis=0)
    if not sums[TOKENS]:
        raise UserError(
            f"These documents have no {names.asked} to predict, as none has two tokens: give longer documents."
        )
    records = [
        ScoredRecord(document.id, document.id, {names.statistic: dict(zip(Tokens.columns, row.tolist(), strict=True))})
        for document, row in zip(documents, counts, strict=True)
    ]
    tables = [_overall(found, names), *_breakdowns(found, names), *_by_evidence(documents, found)]
    return Scores(
        metrics(records), float(sums[SEEN] / sums[TOKENS]), tables=tables, notes=_notes(sums, names), records=records
    )


def _notes(sums: Counts, names: Names) -> list[str]:
    """Return a note on unread tokens, if any."""
    unread = sums[TOKENS] - sums[SEEN]
    if not unread:
        return []
    return [
        f"{unread:,.0f} of {sums[TOKENS]:,.0f} {names.asked} ({unread / sums[TOKENS]:.1%}) were never read: each is "
        f"charged the uniform distribution over the vocabulary in every figure but {names.perplexity}_seen."
    ]


def _perplexity(sums: Counts) -> Counts:
    """Return exp of the mean negative log likelihood; (…, 6) to (…)."""
    return perplexity(sums[..., [NLL, TOKENS]])


def _counts(scores: TokenScores, chosen: BoolArray | None = None) -> Counts:
    """Return (6,) sums over the ``chosen`` tokens of a document; see ``evaluation.tokens``."""
    seen_nll = np.where(scores.seen, scores.nll, 0)
    columns = (scores.nll, np.ones(len(scores.nll)), scores.correct, scores.seen, scores.characters, seen_nll)
    rows = np.stack(columns, axis=-1)
    sums: Counts = np.sum(rows if chosen is None else rows[chosen], axis=0, dtype=np.float64)
    return sums


def _overall(scores: Sequence[TokenScores], names: Names) -> Table:
    rows = []
    for what, counts in (
        ("whole documents", [_counts(one) for one in scores]),
        ("what was read", [_counts(one, one.seen) for one in scores]),
    ):
        sums = np.sum(counts, axis=0)
        if sums[TOKENS]:
            rows.append((what, *_row(counts), float(sums[NLL] / sums[TOKENS])))
    columns = ("over", *_columns(names), "nats a token")
    return Table("overall", f"{names.title} over all documents", columns=columns, rows=rows, note=_note(names))


def _breakdowns(scores: Sequence[TokenScores], names: Names) -> list[Table]:
    """Break down by position in the document, and by its length."""
    places = Breakdown[Size](
        _columns(names),
        lambda size: _filled([_counts(one, size.holds(one.position + 1)) for one in scores]),
        _note(names),
    )
    lengths = Breakdown[Sequence[TokenScores]](
        ("documents", *_columns(names, asked="asked")),
        lambda chosen: (row := _filled([_counts(one) for one in chosen])) and (len(chosen), *row),
        _note(names),
    )
    bins = picked(scores, by_size([one.num_tokens for one in scores], BINS))
    title = f"{names.title} by position in the document"
    return [
        places.table("by_position", title, "tokens into the document", named(sizes(BINS))),
        lengths.table("by_length", f"{names.title} by length of the document", "tokens", bins),
    ]


def _filled(counts: Sequence[Counts]) -> tuple[int, str, float, float | None, float | None, float] | None:
    """Return ``_row``, or None where there is no predicted token."""
    return _row(counts) if sum(count[TOKENS] for count in counts) else None


def _columns(names: Names, asked: str = "") -> tuple[str, ...]:
    return (asked or names.asked, "read", names.perplexity, "low", "high", "accuracy")


def _row(counts: Sequence[Counts]) -> tuple[int, str, float, float | None, float | None, float]:
    """Return figures in the order of ``_columns``."""
    sums, at = np.sum(counts, axis=0), ends(bootstrap(counts, _perplexity))
    read = f"{sums[SEEN] / sums[TOKENS]:.1%}"
    return int(sums[TOKENS]), read, float(_perplexity(sums)), *at, float(ratio(sums[[CORRECT, TOKENS]]))


def _by_evidence(documents: Sequence[Document], scores: Sequence[TokenScores]) -> list[Table]:
    """Break down words that only another sentence determines, by its distance."""
    probes = [_probes(document, one) for document, one in zip(documents, scores, strict=True)]

    def row(size: Size) -> tuple[int, float, float | None, float | None, float] | None:
        counts = [probe[size.holds(probe[:, 0]), 1:].sum(axis=0) for probe in probes]
        correct, asked, nll = np.sum(counts, axis=0)
        return (int(asked), correct / asked, *estimate(counts, ratio).cells[1:], nll / asked) if asked else None

    note = f"a word is right when all of its predicted tokens are; {interval_note()}"
    by = Breakdown[Size](("words", "accuracy", "low", "high", "nats a word"), row, note)
    title = "Words that another sentence determines, by its distance"
    return by.known("by_evidence", title, "words to the evidence", named(sizes(DISTANCES)))


def _probes(document: Document, scores: TokenScores) -> Counts:
    """Return (words, 4) distance in words, right or not, 1, and nats of each such word with a predicted token."""
    rows: list[tuple[float, ...]] = []
    for probe in document.fields.get("probes", ()):
        first = np.searchsorted(scores.ends, probe["start"], side="right")
        inside = slice(first, np.searchsorted(scores.starts, probe["end"], side="left"))
        if inside.stop > inside.start:
            nats = scores.nll[inside].sum(dtype=np.float64)
            rows.append((probe["distance"], float(scores.correct[inside].all()), 1, float(nats)))
    return np.asarray(rows, dtype=np.float64).reshape(-1, 4)


def _note(names: Names) -> str:
    charged = f"{names.asked} that were not read, and unknown characters, are charged the uniform distribution"
    return f"{charged}; {interval_note()}"
