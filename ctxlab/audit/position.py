"""The same fact at ten depths."""

from collections.abc import Sequence

import numpy as np

from ctxlab.audit.changes.moving import Movable, movable, moved
from ctxlab.audit.measures.comparing import Sides, each_record, own, paired_values
from ctxlab.audit.measures.verdicts import judged, sentence, table, verdict
from ctxlab.comparison.single_interval import interval
from ctxlab.core.audit import LINES, Answers, Check, Compared, Finding, Subject, not_applicable, record_of, too_little
from ctxlab.core.types import Document, Table
from ctxlab.evaluation.statistics import Counts

LEAST_DEPTHS = 4

NOTE = (
    "trend: slope of the figure of each document from the beginning to the end, compared with none; ends against "
    "middle: mean of the outer and of the inner depths of each document"
)


class Position(Check):
    """The sentences with a document's evidence are moved to evenly spaced depths of the same document.

    Evidence is what the records say (``probes``, answers, spans of a probe), as all generated corpora do. Two contrasts
    are tested over documents: a trend from beginning to end, and the ends against the middle (Liu et al. 2024,
    arXiv:2307.03172). Deviation: the document is the user's own, so that only the place of the evidence differs.
    """

    question = "Does the quality depend on where in the document the evidence stands?"

    def __init__(self, depths: int = 10, margin: float = 0.0) -> None:
        """Store the options.

        Args:
            depths: Number of places, from the beginning to the end.
            margin: Differences up to this size do not matter, in units of the figure.

        Raises:
            ValueError: There are too few depths for a middle and ends.
        """
        if depths < LEAST_DEPTHS:
            raise ValueError(f"depths={depths} has no middle between ends: give at least {LEAST_DEPTHS}.")
        self.depths, self.margin = depths, margin

    def check(self, subject: Subject) -> Finding:
        """See ``Check``."""
        found = [one for document in subject.documents if (one := movable(document, subject.task)) is not None]
        if not found:
            return not_applicable(
                f"No document of task={subject.task.name} says where its evidence is (answers, or the field probes): "
                "generated corpora do, with data=generated."
            )
        able = [one for one in found if one.num_places >= self.depths]
        num = len({record_of(one.document) for one in able})
        if num < subject.rules.least:
            return too_little(
                f"{num} documents have {self.depths} places for their evidence, at least {subject.rules.least} are "
                "needed: give longer documents, or fewer audit.position.depths."
            )
        places = np.linspace(0, 1, self.depths)
        answers = [_answers(subject, able, float(place)) for place in places]
        compared = judged(_contrasts(subject, answers, places), subject.rules, self.margin)
        notes = _left_out(len(subject.documents) - len(able))
        by_depth = _by_depth(subject, answers, places)
        text = sentence(compared, "No trend over the depth of the evidence, and no valley in the middle.")
        return Finding(
            verdict(compared), text, compared, tables=[by_depth, table(compared, "Contrasts", NOTE)], notes=notes
        )


def _left_out(count: int) -> list[str]:
    return [f"{count:,} documents whose evidence is unknown, or that are too short, are left out."] if count else []


def _answers(subject: Subject, able: Sequence[Movable], place: float) -> Answers:
    documents: list[Document] = [moved(one, place, subject.task) for one in able]
    return subject.answers(f"evidence at {place:.0%}", documents)


def _by_depth(subject: Subject, answers: Sequence[Answers], places: Counts) -> Table:
    rows = []
    for place, one in zip(places, answers, strict=True):
        scored = own(one.scores, subject.figure)
        ends = interval(scored, lower_is_better=subject.lower_is_better)
        rows.append((f"{place:.0%}", scored.num_documents, scored.estimate(), ends.low, ends.high))
    columns = ("evidence at", "documents", subject.figure, "low", "high")
    note = "low and high: 95 % interval over documents, which are the same at every depth"
    return Table("by_depth", "Quality by depth of the evidence", columns, rows, note=note, drawn=LINES)


def _contrasts(subject: Subject, answers: Sequence[Answers], places: Counts) -> list[Compared]:
    """Return the trend, and the ends against the middle, over the figures of single records."""
    each = [each_record(one.scores, subject.figure) for one in answers]
    names = [name for name in each[0] if all(name in one for one in each)]
    figures = np.asarray([[one[name] for one in each] for name in names])  # (N, depths)
    centred = places - places.mean()
    slopes = figures @ centred / float(centred @ centred)
    size = len(places) * 2 // 5 // 2 or 1  # on either side
    middle = slice((len(places) - 2 * size) // 2, (len(places) + 2 * size) // 2)
    ends = np.concatenate([figures[:, :size], figures[:, -size:]], axis=1).mean(axis=1)
    inner = figures[:, middle].mean(axis=1)
    seed = subject.rules.seed
    return [
        paired_values(Sides("trend from beginning to end", f"slope of {subject.figure}"), slopes, 0 * slopes, seed),
        paired_values(Sides("ends against middle", subject.figure), ends, inner, seed),
    ]
