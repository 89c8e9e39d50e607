"""How well the next token is told: perplexity and bits per character over whole documents.

- **Negative log likelihood** (nats) is summed over all tokens of all documents but the first of each.
- **Perplexity** is e to its mean over these tokens. It compares strategies on one tokenizer only.
- **Bits per character** is its sum / ln 2 / the characters that these tokens cover, each counted once, white space
  included (``tasks.text.added_characters``): it compares models with other tokenizers too, as long as these keep case.
- A token that was **not read** is charged log V, as a model that never looked at the text can do no better than the
  uniform distribution over its vocabulary, and counts as told wrong. ``perplexity_seen`` leaves these tokens out; it
  says nothing about the rest of the document and never selects a checkpoint.
- A token that is **unknown** to the tokenizer is charged log V for each of its characters, and counts as told wrong: it
  says nothing of the text that it stands for.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.core.types import BoolArray, Document, Prediction, Scores, Table
from ctxlab.evaluation.bins import DISTANCES, LENGTHS, by_size, sizes
from ctxlab.evaluation.statistics import Counts, bootstrap, interval_note, perplexity, ratio
from ctxlab.tasks.forms.vocabulary import TokenScores

BINS = (*LENGTHS, 131072)
"""Last token of each bin of positions and of document lengths; the last bin is open."""

NLL, TOKENS, CORRECT, SEEN, CHARACTERS = range(5)
"""Columns of what a document adds to the figures."""


@dataclass(frozen=True, slots=True)
class Names:
    """What the figures of a task are called."""

    perplexity: str
    asked: str
    """What is asked for, in the plural."""

    @property
    def title(self) -> str:
        """The perplexity's name at the beginning of a title."""
        return self.perplexity.replace("_", "-").capitalize()


def score(documents: Sequence[Document], predictions: Sequence[Prediction]) -> Scores:
    """Loss, perplexity, bits per character and accuracy, with breakdowns; unread tokens are charged.

    Args:
        documents: With ``probes`` where the text was made so that a word hangs on evidence elsewhere.
        predictions: ``TokenScores`` of each, in the same order.

    Raises:
        UserError: No document has a second token.
    """
    scores = score_tokens(documents, predictions, Names("perplexity", "tokens"))
    whole = np.sum([_counts(prediction.answer) for prediction in predictions], axis=0)
    return replace(scores, metrics={**scores.metrics, "bits_per_character": float(bits_per_character(whole))})


def score_tokens(documents: Sequence[Document], predictions: Sequence[Prediction], names: Names) -> Scores:
    """What every task over a vocabulary reports; raises UserError where nothing was asked for."""
    found: list[TokenScores] = [prediction.answer for prediction in predictions]
    sums = np.sum([_counts(one) for one in found], axis=0)
    if not sums[TOKENS]:
        raise UserError(f"These documents have no {names.asked} to tell, as none is longer than one token.")
    metrics = {
        "loss": float(sums[NLL] / sums[TOKENS]),
        names.perplexity: float(_perplexity(sums)),
        "accuracy": float(_accuracy(sums)),
    }
    if sums[SEEN]:
        read = np.sum([_counts(one, one.seen) for one in found], axis=0)
        metrics[f"{names.perplexity}_seen"] = float(_perplexity(read))
    tables = [_overall(found, names), _by_position(found, names), _by_length(found, names)]
    tables += _by_evidence(documents, found)
    return Scores(metrics, float(sums[SEEN] / sums[TOKENS]), tables, _notes(sums, names))


def _notes(sums: Counts, names: Names) -> list[str]:
    """Loud where something was not read."""
    unread = sums[TOKENS] - sums[SEEN]
    if not unread:
        return []
    return [
        f"{unread:,.0f} of {sums[TOKENS]:,.0f} {names.asked} ({unread / sums[TOKENS]:.1%}) were never read: each is "
        f"charged the uniform distribution over the vocabulary in every figure but {names.perplexity}_seen."
    ]


def _perplexity(sums: Counts) -> Counts:
    """e to the mean negative log likelihood; (…, 5) to (…)."""
    return perplexity(sums[..., [NLL, TOKENS]])


def bits_per_character(sums: Counts) -> Counts:
    """Bits over characters; (…, 5) to (…)."""
    return ratio(sums[..., [NLL, CHARACTERS]] / (np.log(2), 1))


def _accuracy(sums: Counts) -> Counts:
    return ratio(sums[..., [CORRECT, TOKENS]])


def _counts(scores: TokenScores, chosen: BoolArray | None = None) -> Counts:
    """(5,) what the ``chosen`` tokens of a document add."""
    rows = np.stack([scores.nll, np.ones(len(scores.nll)), scores.correct, scores.seen, scores.characters], axis=-1)
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
    return Table("overall", f"{names.title} over all documents", columns, rows, _note(names))


def _by_position(scores: Sequence[TokenScores], names: Names) -> Table:
    rows = []
    for size in sizes(BINS):
        counts = [_counts(one, size.holds(one.position + 1)) for one in scores]
        if sum(count[TOKENS] for count in counts):
            rows.append((size.name, *_row(counts)))
    title = f"{names.title} by place in the document"
    return Table("by_position", title, ("tokens into the document", *_columns(names)), rows, _note(names))


def _by_length(scores: Sequence[TokenScores], names: Names) -> Table:
    rows = []
    for label, chosen in by_size([one.num_tokens for one in scores], BINS):
        counts = [_counts(scores[i]) for i in chosen]
        if sum(count[TOKENS] for count in counts):
            rows.append((label, len(counts), *_row(counts)))
    title = f"{names.title} by length of the document"
    return Table("by_length", title, ("tokens", "documents", *_columns(names, asked="asked")), rows, _note(names))


def _columns(names: Names, asked: str = "") -> tuple[str, ...]:
    return (asked or names.asked, "read", names.perplexity, "low", "high", "accuracy")


def _row(counts: Sequence[Counts]) -> tuple[int, str, float, float | None, float | None, float]:
    """Figures in the order of ``_columns``."""
    sums = np.sum(counts, axis=0)
    interval = bootstrap(counts, _perplexity)
    read = f"{sums[SEEN] / sums[TOKENS]:.1%}"
    return int(sums[TOKENS]), read, float(_perplexity(sums)), interval.low, interval.high, float(_accuracy(sums))


def _by_evidence(documents: Sequence[Document], scores: Sequence[TokenScores]) -> list[Table]:
    """Words that only another sentence tells, by its distance; nothing where there are none."""
    probes = [_probes(document, one) for document, one in zip(documents, scores, strict=True)]
    rows = []
    for size in sizes(DISTANCES):
        counts = [probe[size.holds(probe[:, 0]), 1:].sum(axis=0) for probe in probes]
        correct, asked, nll = np.sum(counts, axis=0)
        if asked:
            interval = bootstrap(counts, ratio)
            rows.append((size.name, int(asked), correct / asked, interval.low, interval.high, nll / asked))
    if not rows:
        return []
    columns = ("words to the evidence", "words", "accuracy", "low", "high", "nats a word")
    note = f"a word is right when all of its tokens that are asked for are; {_INTERVAL}"
    return [Table("by_evidence", "Words that another sentence tells, by its distance", columns, rows, note)]


def _probes(document: Document, scores: TokenScores) -> Counts:
    """(probes, 4) distance in words, right or not, 1, nats; of those of which a token is asked for."""
    rows: list[tuple[float, ...]] = []
    for probe in document.fields.get("probes", ()):
        first = np.searchsorted(scores.ends, probe["start"], side="right")
        inside = slice(first, np.searchsorted(scores.starts, probe["end"], side="left"))
        if inside.stop > inside.start:
            nats = scores.nll[inside].sum(dtype=np.float64)
            rows.append((probe["distance"], float(scores.correct[inside].all()), 1, float(nats)))
    return np.asarray(rows, dtype=np.float64).reshape(-1, 4)


_INTERVAL = interval_note()


def _note(names: Names) -> str:
    charged = f"{names.asked} that were not read, and unknown characters, are charged the uniform distribution"
    return f"{charged}; {_INTERVAL}"
