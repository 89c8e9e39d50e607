"""Several tasks: the figures of each, prefixed by its name, and the mean of their primary figures.

Every member is scored by its own metric over its own documents. How figures that go opposite ways are averaged is in
``sufficient.multi``.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ctxlab.core.types import Document, Prediction, ScoredRecord, Scores, Table
from ctxlab.evaluation.evaluator import metric
from ctxlab.evaluation.scores import metrics
from ctxlab.tasks.multi import MemberAnswer

NAME = "multi"
"""Name of the statistic."""


def score(documents: Sequence[Document], predictions: Sequence[Prediction]) -> Scores:
    """Score each member's documents by its metric; tables and notes name the member.

    Args:
        documents: Documents of all members.
        predictions: ``MemberAnswer`` of each, in the same order.
    """
    records: list[ScoredRecord] = []
    tables: list[Table] = []
    notes: list[str] = []
    seen: list[float] = []
    answers: list[MemberAnswer] = [prediction.answer for prediction in predictions]
    for name in dict.fromkeys(answer.member for answer in answers):
        places = [i for i, answer in enumerate(answers) if answer.member == name]
        first = answers[places[0]]
        own = metric(first.metric)(
            [replace(documents[i], id=documents[i].id.removeprefix(f"{name}/")) for i in places],
            [replace(predictions[i], answer=answers[i].answer) for i in places],
        )
        goal = {"member": name, "primary": first.primary, "lower": first.lower_is_better}
        records += [replace(one, id=f"{name}/{one.id}", statistics={NAME: goal | {"of": one.statistics}})
                    for one in own.records]  # fmt: skip
        tables += [replace(one, name=f"{name}_{one.name}", title=f"{name}: {one.title}") for one in own.tables]
        notes += [f"{name}: {note}" for note in own.notes]
        seen.append(own.coverage_labels)
    found = metrics(records)
    return Scores(
        found,
        float(np.mean(seen)),
        tables=[_members(answers, found), *tables],
        notes=[*notes, *_directions(answers)],
        records=records,
    )


def _members(answers: Sequence[MemberAnswer], found: dict[str, float]) -> Table:
    """Return the table of the members' primary figures."""
    rows = [
        (one.member, sum(other.member == one.member for other in answers), one.primary, found.get(_primary(one)))
        for one in {answer.member: answer for answer in answers}.values()
    ]
    rows.append(("mean", len(answers), "", found.get("mean")))
    return Table("members", "Members", columns=("member", "documents", "figure", "value"), rows=rows)


def _primary(answer: MemberAnswer) -> str:
    return f"{answer.member}_{answer.primary}"


def _directions(answers: Sequence[MemberAnswer]) -> list[str]:
    """Return a note where the mean is of figures that go opposite ways."""
    lower = sorted({answer.member for answer in answers if answer.lower_is_better})
    if not lower or all(answer.lower_is_better for answer in answers):
        return []
    return [f"In the mean, the figure x of {', '.join(lower)}, which is better when lower, counts as 1 / (1 + x)."]
