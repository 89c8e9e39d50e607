"""Active learning: a reviewer is asked about the documents of which a model is least sure."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.core.labelling import Guess, Judged, Kept, Labelled, Labelling, Pool
from ctxlab.core.types import Table
from ctxlab.labelling.measures.risk_coverage import curve
from ctxlab.labelling.measures.uncertainty import draw, entropy, margin


class Active(Labelling):
    """A queue of the documents that a model is least sure of, which a reviewer corrects and which is read back.

    Source: uncertainty sampling of Lewis & Gale 1994 (arXiv:cmp-lg/9407020), by entropy or by margin (Scheffer et al.
    2001); of a tagger the mean over words (Settles & Craven 2008). Deviation: documents are taken in batches, by rank.
    """

    def __init__(self, strategy: str, count: int, reviewed: str | None = None, seed: int = 0) -> None:
        """Store the options.

        Args:
            strategy: ``entropy``, ``margin`` or ``random``.
            count: Documents in the queue.
            reviewed: A queue that a reviewer has corrected, to be written as training documents; None writes a queue.
            seed: Seed of the order of ``random``.
        """
        self.strategy, self.count, self.reviewed, self.seed = strategy, count, reviewed, seed

    def label(self, pool: Pool) -> Labelled:
        """Return the queue, or the training documents of a reviewed one.

        Raises:
            UserError: The reviewed queue is not one of these documents, or nothing in it is reviewed.
        """
        return self._queue(pool) if self.reviewed is None else self._read_back(pool, Path(self.reviewed).expanduser())

    def _queue(self, pool: Pool) -> Labelled:
        scored: list[tuple[float, Guess]] = []
        judged: list[Judged] = []
        for guess in pool.guesses():
            scored.append((self._score(guess), guess))
            if guess.document.id in pool.gold:
                judged += pool.form.judged(guess, pool.gold[guess.document.id])
        ranked = sorted(scored, key=lambda pair: -pair[0])[: self.count]
        lines = [{**pool.form.queued(guess), "score": round(score, 6), "reviewed": False} for score, guess in ranked]
        scores = [score for score, _ in scored]
        return Labelled(
            lines,
            f"{len(lines):,} of {len(scored):,} documents for a reviewer",
            tables=[_spread(self.strategy, scores, [score for score, _ in ranked])],
            curve=curve(judged, pool.form.unit) if pool.gold else None,
            notes=self._notes(len(scored)),
        )

    def _score(self, guess: Guess) -> float:
        if self.strategy == "random":
            return draw(guess.document.id, self.seed)
        return (entropy if self.strategy == "entropy" else margin)(guess.distributions)

    def _notes(self, total: int) -> list[str]:
        notes = [
            "Correct 'answer' in each line and set 'reviewed' to true; then give the file as label.reviewed=<file>, "
            "with the same run= and input=."
        ]
        if self.count > total:
            notes.append(f"label.count={self.count} is more than there are documents: all are in the queue.")
        return notes

    def _read_back(self, pool: Pool, path: Path) -> Labelled:
        known = {one.id: (record, one) for record, one in zip(pool.records, pool.documents, strict=True)}
        kept: list[Kept] = []
        places: dict[str, str] = {}
        waiting = 0
        for place, line in _lines(path):
            name = _checked_id(line, place, known, places)
            if line["reviewed"]:
                kept.append(pool.form.reviewed(line, *known[name], place))
            waiting += not line["reviewed"]
        if not kept:
            raise UserError(f"{path} has no reviewed document: set 'reviewed' to true in each line that is correct.")
        notes = [f"{waiting:,} documents of {path.name} are not reviewed yet and were left out."] if waiting else []
        return Labelled(
            [pool.form.line(one) for one in kept], f"{len(kept):,} reviewed documents", [_labels(kept)], notes=notes
        )


def _lines(path: Path) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the lines of a queue with their places; raises UserError where one is not of a queue."""
    found: list[tuple[str, Mapping[str, Any]]] = []
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UserError(
            f"label.reviewed={path} cannot be read: give a queue in UTF-8, as label=active writes."
        ) from error
    for number, content in enumerate(text.split("\n"), 1):
        if not content.strip():
            continue
        place = f"{path} line {number}"
        try:
            line = json.loads(content)
        except ValueError as error:
            raise UserError(f"{place} is not JSON ({error}): correct it.") from error
        if not isinstance(line, dict) or not isinstance(line.get("reviewed"), bool):
            raise UserError(f"{place} has no 'reviewed' that is true or false: give a queue, as label=active writes.")
        found.append((place, line))
    return found


def _checked_id(line: Mapping[str, Any], place: str, known: Mapping[str, object], places: dict[str, str]) -> str:
    name = str(line.get("id"))
    if name not in known:
        raise UserError(f"{place}: the input has no document '{name}': give input= the file that the queue came from.")
    if name in places:
        raise UserError(f"{place}: the document '{name}' is in {places[name]} already: keep one of them.")
    places[name] = place
    return name


def _spread(strategy: str, scores: list[float], queued: list[float]) -> Table:
    """Return the table of the scores of all documents and of those in the queue."""
    rows = [
        (name, len(some), float(np.mean(some)), min(some), max(some))
        for name, some in (("all documents", scores), ("in the queue", queued))
        if some
    ]
    return Table("scores", f"Scores by {strategy}", ("what", "documents", "mean", "lowest", "highest"), rows)


def _labels(kept: list[Kept]) -> Table:
    """Return the table of reviewed labels."""
    names = [one.label for document in kept for one in document.suggestions]
    rows = [(name, names.count(name)) for name in sorted(set(names))]
    return Table("labels", "Reviewed labels", ("label", "count"), rows)
