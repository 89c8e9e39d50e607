"""Pseudo-labels: what a model is sure of becomes training data."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from ctxlab.core.errors import UserError
from ctxlab.core.labelling import Guess, Judged, Kept, Labelled, Labelling, Pool
from ctxlab.core.types import Table
from ctxlab.labelling.measures.risk_coverage import curve


class Pseudo(Labelling):
    """Documents with the labels that a model gives them, where its confidence reaches a threshold.

    Source: Lee 2013, "Pseudo-Label" (ICML workshop); the confidence of an entity is the lowest probability among the
    tags of its words. Deviations: the threshold, and labels that are written to a file once rather than
    renewed while training.
    """

    def __init__(self, threshold: float = 0.9, shuffle: bool = False, seed: int = 0) -> None:
        """Store the options.

        Args:
            threshold: Lowest confidence, from 0 to 1, at which a suggestion is kept.
            shuffle: Whether the kept labels are put in random places, as the control of an experiment.
            seed: Seed of these places.
        """
        self.threshold, self.shuffle, self.seed = threshold, shuffle, seed

    def label(self, pool: Pool) -> Labelled:
        """Return a training record for each document that is kept.

        Raises:
            UserError: No document is.
        """
        kept: list[Kept] = []
        tally = _Tally(pool)
        for guess in pool.guesses():
            chosen = pool.form.kept(guess, self.threshold) if guess.is_whole else None
            tally.add(guess, chosen)
            if chosen is not None:
                kept.append(Kept(guess.record, guess.document, chosen))
        self._check(kept, tally)
        if self.shuffle:
            kept = pool.form.shuffled(kept, self.seed)
        return Labelled(
            [pool.form.line(one) for one in kept],
            f"{len(kept):,} of {len(pool.documents):,} documents with pseudo-labels",
            tables=[tally.documents(len(kept)), tally.labels()],
            curve=curve(tally.judged, pool.form.unit) if pool.gold else None,
            notes=self._notes(pool, tally),
        )

    def _check(self, kept: Sequence[Kept], tally: "_Tally") -> None:
        if any(one.suggestions for one in kept):
            return
        if tally.unread and not tally.unsure:
            raise UserError(
                f"All {tally.unread:,} documents have parts that the run never reads, which would be trained on as if "
                "they had no label: add a strategy that reads whole documents, such as strategy=chunk."
            )
        raise UserError(
            f"No label is left at label.threshold={self.threshold}: the highest confidence is {tally.highest:.3f}; "
            "lower the threshold, or train the run for longer."
        )

    def _notes(self, pool: Pool, tally: "_Tally") -> list[str]:
        notes = [pool.form.dropped]
        if tally.unread:
            notes.append(
                f"{tally.unread:,} documents have parts that the run never read, which would be trained on as if they "
                "had no label: they were left out."
            )
        if self.shuffle:
            notes.append(
                "label.shuffle=true: the labels are in random places, as a control; what training gains from them, it "
                "does not gain from what the run knows."
            )
        return notes


class _Tally:
    """Counts of what was suggested and kept."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._suggested: Counter[str] = Counter()
        self._kept: Counter[str] = Counter()
        self._sure: defaultdict[str, float] = defaultdict(float)
        self.judged: list[Judged] = []
        self.unread = self.unsure = 0
        self.highest = 0.0

    def add(self, guess: Guess, chosen: Sequence[object] | None) -> None:
        """Count a document, and the suggestions that were ``chosen``; None where it is left out."""
        self.unread += not guess.is_whole
        self.unsure += guess.is_whole and chosen is None
        self.highest = max([self.highest, *(one.confidence for one in guess.suggestions)])
        for one in guess.suggestions:
            self._suggested[one.label] += 1
            self._sure[one.label] += one.confidence
            self._kept[one.label] += chosen is not None and one in chosen
        if guess.document.id in self._pool.gold:
            self.judged += self._pool.form.judged(guess, self._pool.gold[guess.document.id])

    def documents(self, kept: int) -> Table:
        """Return the table of documents by what became of them."""
        total = max(len(self._pool.documents), 1)
        counts = {"kept": kept, "left out: not sure": self.unsure, "left out: not read to the end": self.unread}
        rows = [(name, count, count / total) for name, count in counts.items()]
        return Table("documents", "Documents", ("what", "documents", "share"), rows)

    def labels(self) -> Table:
        """Return the table of suggestions by label."""
        rows = [
            (name, count, self._kept[name], self._kept[name] / count, self._sure[name] / count)
            for name, count in sorted(self._suggested.items())
        ]
        every, kept = self._suggested.total(), self._kept.total()
        if len(rows) > 1:
            rows.append(("all", every, kept, kept / every, sum(self._sure.values()) / every))
        columns = ("label", "suggested", "kept", "share kept", "mean confidence")
        return Table("labels", "Suggested labels", columns, rows)
