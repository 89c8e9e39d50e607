"""Quality by group."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations

from ctxlab.audit.lists.words import read_lists
from ctxlab.audit.measures import parity
from ctxlab.audit.measures.comparing import Sides, apart, chosen, own
from ctxlab.audit.measures.grouping import Grouping, by_field, by_words, check_occur
from ctxlab.audit.measures.verdicts import judged, sentence, table, verdict
from ctxlab.comparison.single_interval import interval
from ctxlab.core.audit import Answers, Check, Compared, Finding, Subject, not_applicable, too_little
from ctxlab.core.errors import UserError
from ctxlab.core.types import BARS, ScoredRecord, Table
from ctxlab.evaluation.statistics import NO_INTERVAL

NOTE = (
    "groups are of different documents, so that they may also differ because these do; equalized odds: the largest "
    "difference of two groups in the rate at which documents with (or without) a label get it, with the p-value when "
    "groups are dealt anew among the documents of each gold label"
)


class Groups(Check):
    """Quality by group with intervals, and for classes demographic parity and equalized odds.

    Groups are the values of a field of the records, or those of a list of words, of which a document belongs to the
    one whose words it has most often. Each pair of groups is compared, on different documents: a difference says where
    to look, not why. Selection rates are shown and not judged, since groups may have different gold labels; equalized
    odds are judged.
    """

    question = "Is the run as good on the documents of one group as on those of another?"

    def __init__(
        self,
        field: str | None = None,
        lists: Sequence[str] | None = None,
        groups: Sequence[str] | None = None,
        margin: float = 0.0,
    ) -> None:
        """Store the options.

        Args:
            field: Field of the records with the group; None for groups of words.
            lists: Lists of words by name or file; None for all of ctxlab's, of no effect with ``field``.
            groups: Groups that are compared; None for all.
            margin: Differences up to this size do not matter, in units of the figure.
        """
        self.field, self.lists, self.margin = field, lists, margin
        self.groups = None if groups is None else [str(group) for group in groups]

    def check(self, subject: Subject) -> Finding:
        """See ``Check``."""
        groupings = self._groupings(subject)
        if not groupings:
            return _without_groups(subject)
        if self.groups is not None:
            check_occur(self.groups, groupings)
        answers, compared, tables, notes = subject.own(), list[Compared](), list[Table](), list[str]()
        for name, grouping in groupings.items():
            sizes = self._sizes(grouping, answers)
            large = [group for group, size in sizes.items() if size >= subject.rules.least]
            few = [f"{group} ({size})" for group, size in sizes.items() if group not in large]
            if few:
                notes.append(f"{name}: too few documents to compare {', '.join(few)}.")
            tables.append(_by_group(name, grouping, answers, subject, sizes=sizes))
            if len(large) > 1:
                compared += _compared(name, grouping, answers, subject, large=large)
                tables += _rates(name, grouping, answers, large)
        if not compared:
            why = f"Fewer than two groups have {subject.rules.least} documents or more."
            return too_little(why, tables=tables, notes=notes)
        found = judged(compared, subject.rules, self.margin)
        text = sentence(found, "No group differs from another by more than chance.")
        return Finding(
            verdict(found), text, found, tables=[*tables, table(found, "Groups compared", NOTE)], notes=notes
        )

    def _groupings(self, subject: Subject) -> dict[str, Grouping]:
        """Return the groupings by name: one of a field, or one of each list whose words occur."""
        if self.field is not None:
            return {self.field: by_field(subject, self.field, self.groups)}
        lists = read_lists(self.lists)
        if subject.task.shape is None:
            return {}
        found = {words.name: by_words(subject, words) for words in lists}
        empty = next((name for name, grouping in found.items() if not grouping), None)
        if self.lists is not None and empty is not None:
            raise UserError(f"audit.groups.lists: no word of '{empty}' occurs in the documents; leave it out.")
        return {name: grouping for name, grouping in found.items() if grouping}

    def _sizes(self, grouping: Grouping, answers: Answers) -> dict[str, int]:
        """Return the number of scored records of each group that is asked for."""
        names = dict.fromkeys(one.group for one in answers.scores)
        found = Counter(grouping[name] for name in names if name in grouping)
        return {group: found[group] for group in sorted(found) if self.groups is None or group in self.groups}


def _without_groups(subject: Subject) -> Finding:
    if subject.task.shape is None:
        return not_applicable(
            f"task={subject.task.name} has no text in which words of groups are looked for: give the field of the "
            "records that has the group, as audit.groups.field=<field>."
        )
    return too_little(
        "No document has a word of the lists: give the field of the records that has the group, as "
        "audit.groups.field=<field>, or a list of your own, as audit.groups.lists=[<file>]."
    )


def _of(grouping: Grouping, answers: Answers, group: str) -> list[ScoredRecord]:
    return chosen(answers.scores, [grouping.get(one.group) == group for one in answers.scores])


def _by_group(name: str, grouping: Grouping, answers: Answers, subject: Subject, *, sizes: Mapping[str, int]) -> Table:
    """Return the primary figure of each group with its interval."""
    rows = []
    for group, size in sizes.items():
        scored = own(_of(grouping, answers, group), subject.figure)
        ends = interval(scored, lower_is_better=subject.lower_is_better)
        rows.append((group, size, scored.estimate(), ends.low, ends.high))
    columns = ("group", "documents", subject.figure, "low", "high")
    note = "low and high: 95 % interval over documents, for this one trained model"
    return Table(f"by_{name}", f"Quality by group: {name}", columns, rows, note=note, drawn=BARS)


def _compared(
    name: str, grouping: Grouping, answers: Answers, subject: Subject, *, large: Sequence[str]
) -> list[Compared]:
    """Compare each pair of groups, and equalized odds over all where answers are labels."""
    seed, by_group = subject.rules.seed, {group: _of(grouping, answers, group) for group in large}
    found = [
        apart(Sides(f"{name}: {one} against {other}", subject.figure), by_group[one], by_group[other], seed)
        for one, other in combinations(large, 2)
    ]
    labelled, _ = _labelled(by_group)
    if labelled is None:
        return found
    gap = float(parity.odds_gaps(labelled).max())
    p_value = parity.odds_p(labelled, seed)
    ends = parity.odds_interval(labelled) if _are_apart(by_group) else NO_INTERVAL
    odds = Compared(
        name=f"{name}: equalized odds over all groups",
        figure="largest rate difference",
        first=gap,
        second=0.0,
        difference=gap,
        low=ends.low,
        high=ends.high,
        p_value=p_value,
        num_documents=len(labelled.group),
    )
    return [*found, odds]


def _labelled(by_group: Mapping[str, Sequence[ScoredRecord]]) -> tuple[parity.Labelled | None, list[str]]:
    """Return gold and predicted labels of the scored units, and the labels' names; None where answers are no labels."""
    units = [(index, one) for index, scores in enumerate(by_group.values()) for one in scores]
    values = [next(iter(one.statistics.values())) for _, one in units]
    if not all({"gold", "predicted", "probabilities"} <= value.keys() for value in values):
        return None, []
    names = sorted({label for value in values for what in ("gold", "predicted") for label in value[what]})
    gold, predicted = ([value[what] for value in values] for what in ("gold", "predicted"))
    return parity.labelled(gold, predicted, [index for index, _ in units], names), names


def _are_apart(by_group: Mapping[str, Sequence[ScoredRecord]]) -> bool:
    """Whether every record has one unit, so that units are independent, as intervals of rates take them to be."""
    records = [one.group for scores in by_group.values() for one in scores]
    return len(set(records)) == len(records)


def _rates(name: str, grouping: Grouping, answers: Answers, large: Sequence[str]) -> list[Table]:
    """Return demographic parity and equalized odds by label, where answers are labels."""
    by_group = {group: _of(grouping, answers, group) for group in large}
    labelled, names = _labelled(by_group)
    if labelled is None:
        return []
    selected = parity.selection_rates(labelled).T.tolist()
    gaps = [parity.parity_gaps(labelled), parity.odds_gaps(labelled)]
    ends = [parity.parity_intervals(labelled), parity.odds_intervals(labelled)]
    if not _are_apart(by_group):
        ends = [[NO_INTERVAL] * len(names)] * 2
    rows = [
        (
            label,
            *selected[n],
            *(cell for gap, end in zip(gaps, ends, strict=True) for cell in (float(gap[n]), end[n].low, end[n].high)),
        )
        for n, label in enumerate(names)
    ]
    columns = ("label", *(f"given to {group}" for group in large), "demographic parity", "from", "to",
               "equalized odds", "odds from", "odds to")  # fmt: skip
    note = (
        "given: fraction of the documents of a group that get the label; demographic parity and equalized odds: "
        "largest difference of two groups, as fairlearn defines them, except that rates without a document are left "
        "out; from and to: 95 % interval of Newcombe for the two groups that differ most, wider where more than two "
        "are compared; none where a record has several answers"
    )
    return [Table(f"rates_{name}", f"Rates by label: {name}", columns, rows, note=note)]
