"""Names and words of a group swapped inside whole documents."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ctxlab.audit.changes.swapping import Swapped, change, outcome, swap
from ctxlab.audit.lists.words import WordList, read_lists
from ctxlab.audit.measures.comparing import Sides, paired, paired_values
from ctxlab.audit.measures.verdicts import judged, sentence, table, verdict
from ctxlab.core.audit import Check, Compared, Finding, Subject, not_applicable, record_of, too_little
from ctxlab.core.augmentation import generator
from ctxlab.core.errors import UserError
from ctxlab.core.types import Document, Prediction, Table

FIGURE = "changed answers"


@dataclass(frozen=True, slots=True, eq=False)
class _Change:
    """What a swap did to the answer for one document."""

    swapped: Swapped
    across: float
    within: float


class Swap(Check):
    """The words of a list become words of another group, in all places of a document, and the answers are compared.

    Beside it the same words become others of their own group: an answer may change because any name is another one.
    Only what a change of the group adds is a finding (the difference of both rates, paired over documents). Of
    pronouns, for which no other of the same group could stand, the comparison is with forms of no group (they), and
    verbs stay as they are. Labels and spans stay, and so do gold answers, and words that a question or another text of
    the record has.

    After counterfactual evaluation (Kusner et al. 2017, arXiv:1703.06856; Garg et al. 2019, arXiv:1809.10610).
    Deviation: the swap within the group as a control.
    """

    question = "Does the answer change when names and words of one group become those of another?"

    def __init__(self, lists: Sequence[str] | None = None, margin: float = 0.0) -> None:
        """Store the options.

        Args:
            lists: Lists of words by name or file; None for all of ctxlab's.
            margin: Differences of the rates up to this size do not matter.
        """
        self.lists, self.margin = lists, margin

    def check(self, subject: Subject) -> Finding:
        """See ``Check``."""
        lists = read_lists(self.lists)
        if subject.task.shape is None:
            return not_applicable(f"task={subject.task.name} has no text in which words can be swapped.")
        compared, tables, notes = list[Compared](), list[Table](), list[str]()
        for words in lists:
            swapped = [one for document in subject.documents if (one := _swapped(document, subject, words)) is not None]
            num = len({record_of(one.document) for one in swapped})
            if not num and self.lists is not None:
                raise UserError(f"audit.swap.lists: no word of '{words.name}' can be swapped in the documents.")
            if num < subject.rules.least:
                notes += [f"{words.name}: {num} documents have such words, too few to compare."] if num else []
                continue
            notes += [_of_controls(words)] if words.controls else []
            changes, quality = _changes(words, swapped, subject)
            compared += [_flips(words, changes, subject), *quality]
            tables.append(_directions(words, changes))
        if not compared:
            return too_little(
                f"Fewer than {subject.rules.least} documents have words of a list; give one of your own, as "
                "audit.swap.lists=[<file>].",
                notes=notes,
            )
        every = judged(compared, subject.rules, self.margin)
        # Fewer changes than within the group are no finding.
        found = [replace(one, is_found=one.is_found and (one.figure != FIGURE or one.difference > 0)) for one in every]
        text = sentence(found, "A change of the group changes no more answers than another word of the same group.")
        note = "first: after words of another group came in; second: after other words of the same group did"
        return Finding(verdict(found), text, found, tables=[table(found, "Swaps compared", note), *tables], notes=notes)


def _of_controls(words: WordList) -> str:
    used = ", ".join(dict.fromkeys(word.text for several in words.controls.values() for word in several))
    return (
        f"{words.name}: beside a word of the other group stands a form of no group ({used}), since no other word of "
        "the same group could; verbs are left as they are."
    )


def _swapped(document: Document, subject: Subject, words: WordList) -> Swapped | None:
    return swap(document, subject.task, words, generator(document, subject.rules.seed, epoch=0))


def _changes(words: WordList, swapped: Sequence[Swapped], subject: Subject) -> tuple[list[_Change], list[Compared]]:
    """Return how much each answer changed, and the comparison of the primary figure where documents have gold."""
    before = subject.own()
    across = subject.answers(f"{words.name}, other group", [one.across for one in swapped])
    within = subject.answers(f"{words.name}, same group", [one.within for one in swapped])
    given = {document.id: prediction for document, prediction in zip(before.documents, before.predictions, strict=True)}
    changes = []
    for one, other, same in zip(swapped, across.predictions, within.predictions, strict=True):
        first = _said(one, one.document, given[one.document.id], subject)
        rates = (
            change(first, _said(one, new, answer, subject)) for new, answer in ((one.across, other), (one.within, same))
        )
        changes.append(_Change(one, *rates))
    if not (across.scores and within.scores):
        return changes, []
    sides = Sides(f"{words.name}: quality after swaps", subject.figure)
    return changes, [paired(sides, across.scores, within.scores, subject.rules.seed)]


def _said(one: Swapped, document: Document, prediction: Prediction, subject: Subject) -> Any:
    """Return what an answer to a form of a document says, without the words that were swapped.

    Args:
        one: The document and its forms.
        document: The form that was answered.
        prediction: The answer.
        subject: The run.
    """
    return outcome(subject.task.record(document, prediction), document, subject.task, one.words)


def _flips(words: WordList, changes: Sequence[_Change], subject: Subject) -> Compared:
    """Compare the mean change of the answers of each record."""
    records: dict[str, list[_Change]] = {}
    for one in changes:
        records.setdefault(record_of(one.swapped.document), []).append(one)
    across, within = (
        [sum(pick(one) for one in several) / len(several) for several in records.values()]
        for pick in (lambda one: one.across, lambda one: one.within)
    )
    sides = Sides(f"{words.name}: other group against same group", FIGURE)
    return paired_values(sides, across, within, subject.rules.seed)


def _directions(words: WordList, changes: Sequence[_Change]) -> Table:
    """Return the changes by the group that was replaced and the one that came in."""
    found: dict[tuple[str, str], list[_Change]] = {}
    for one in changes:
        for direction in one.swapped.directions:
            found.setdefault(direction, []).append(one)
    rows = []
    for (old, new), several in sorted(found.items()):
        rates = (sum(pick) / len(several) for pick in zip(*((one.across, one.within) for one in several), strict=True))
        rows.append((f"{old} → {new}", len(several), *rates))
    columns = ("direction", "documents", "changed by the other group", "changed by the same group")
    note = "a document with words of several groups is in several rows"
    return Table(f"directions_{words.name}", f"Changed answers by direction: {words.name}", columns, rows, note=note)
