"""Documents by group: the values of a field of their records, or the words that they have."""

from collections import Counter
from collections.abc import Mapping, Sequence

from ctxlab.audit.lists.words import WordList, counts
from ctxlab.augment.changing.passage import read
from ctxlab.config.nearest import suggestion
from ctxlab.core.audit import Subject, record_of
from ctxlab.core.errors import UserError
from ctxlab.core.types import Document

MOST_GROUPS = 20
"""Largest number of values of a field; more are hardly groups."""

Grouping = Mapping[str, str]
"""Id of a record → its group; records without one are missing."""


def by_field(subject: Subject, field: str, groups: Sequence[str] | None) -> Grouping:
    """Return the groups of a field.

    Args:
        subject: The run with its documents.
        field: Field of the records.
        groups: Groups that are compared; None for all.

    Raises:
        UserError: No record has the field, it has no single values, or too many.
    """
    records = {record_of(document): subject.record(document) for document in subject.documents}
    known = sorted({name for record in records.values() for name in record})
    if field not in known:
        raise UserError(f"audit.groups.field={field}: no record has such a field{suggestion(field, known, 'fields')}")
    values = {name: record.get(field) for name, record in records.items()}
    found = {name: str(value) for name, value in values.items() if isinstance(value, str | int | float | bool)}
    num = len(set(found.values()))
    if not found:
        raise UserError(
            f"audit.groups.field={field} has no single text or number: give a field with the group of each."
        )
    if num > MOST_GROUPS and groups is None:
        raise UserError(
            f"audit.groups.field={field} has {num:,} different values, and at most {MOST_GROUPS} are compared: give a "
            "field of groups, or some of its values as audit.groups.groups=[…]."
        )
    return found


def by_words(subject: Subject, words: WordList) -> Grouping:
    """Return the group of which a document has most words; documents with none, or as many of two, have no group."""
    found: dict[str, Counter[str]] = {}
    for document in subject.documents:
        found.setdefault(record_of(document), Counter()).update(_counts(document, subject, words))
    leading = {name: every.most_common(2) for name, every in found.items()}
    return {
        name: first[0][0]
        for name, first in leading.items()
        if first and first[0][1] and (len(first) < 2 or first[0][1] > first[1][1])
    }


def _counts(document: Document, subject: Subject, words: WordList) -> Mapping[str, int]:
    return counts(read(document, subject.task).units, words)


def check_occur(groups: Sequence[str], groupings: Mapping[str, Grouping]) -> None:
    """Refuse groups that no document has.

    Raises:
        UserError: Names the first.
    """
    known = sorted({group for grouping in groupings.values() for group in grouping.values()})
    for group in groups:
        if group not in known:
            raise UserError(
                f"audit.groups.groups: the group '{group}' does not occur in the documents"
                f"{suggestion(group, known, 'groups')}"
            )
