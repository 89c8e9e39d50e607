"""A split scored as it is and perturbed, by the same model: what the perturbation costs, document by document."""

from collections.abc import Sequence
from dataclasses import replace

from ctxlab.comparison.difference import difference
from ctxlab.comparison.records import contenders
from ctxlab.core.augmentation import Augmentation, changed
from ctxlab.core.errors import UserError
from ctxlab.core.types import Document, Table
from ctxlab.workbench.augmenting import check_changes, check_fits, option_of, prepared
from ctxlab.workbench.bench import Workbench
from ctxlab.workbench.finish import Split, score_split

SEED = 0
"""Seed of all perturbations, whatever the run's: all runs are scored on the same perturbed documents."""

TABLE = "perturbation"
"""Name of the table with the differences."""


def split_name(name: str) -> str:
    """Return the name of the perturbed form of a split, in files and tables."""
    return f"{name}_perturbed"


def score_perturbed(
    augmentation: Augmentation, bench: Workbench, name: str, before: Split, documents: Sequence[Document]
) -> Split:
    """Score the perturbed documents of a split; the first table has the differences.

    Args:
        augmentation: How documents are perturbed.
        bench: The opened run.
        name: Name of the split.
        before: The split as it is, scored.
        documents: The same documents perturbed.
    """
    after = score_split(bench, split_name(name), documents)
    num_changed = sum(one is not other for one, other in zip(before.documents, documents, strict=True))
    note = (
        f"perturb={option_of(augmentation, 'perturb')} changed {num_changed:,} of {len(documents):,} documents "
        f"({augmentation.changes}); intervals are 95 % t intervals of the paired difference over documents, for this "
        "one trained model."
    )
    table = paired(before, after, note, higher=bench.task.primary_metric)
    scores = after.evaluation.scores
    with_table = replace(scores, tables=[table, *scores.tables])
    return Split(documents, replace(after.evaluation, scores=with_table))


def perturbed(augmentation: Augmentation, bench: Workbench, documents: Sequence[Document]) -> list[Document]:
    """Return the documents perturbed; every one depends on its content, its id and ``SEED`` alone.

    Words that a perturbation takes from other documents are those of ``documents``.

    Raises:
        UserError: The perturbation does not fit the task, or changes no token of any document.
    """
    check_fits(augmentation, bench.task, "perturb")
    own = prepared(augmentation, documents, bench.task)
    check_changes(own, bench, documents, encoded=bench.encode(documents), group="perturb")
    return [changed(own, document, bench.task, seed=SEED, epoch=0) for document in documents]


def paired(before: Split, after: Split, note: str, higher: str) -> Table:
    """Return each figure as it is and perturbed, and the difference with its interval over documents.

    Args:
        before: The split as it is.
        after: The same documents perturbed.
        note: Sentence under the table.
        higher: Figure of the first row.
    """
    scores = {"as it is": before.evaluation.scores, "perturbed": after.evaluation.scores}
    names = sorted(scores["as it is"].metrics, key=lambda name: name != higher)
    rows = []
    for name in names:
        try:
            one, other = contenders({key: [found.records] for key, found in scores.items()}, name)
            found = difference(other.scored, one.scored)
        except (UserError, ValueError):  # a figure that no sum over documents gives, or undefined here
            continue
        low, high = found.interval.low, found.interval.high
        rows.append((name, one.scored.estimate(), other.scored.estimate(), found.estimate, low, high))
    columns = ("figure", "as it is", "perturbed", "difference", "low", "high")
    return Table(TABLE, "Perturbed documents against the same as they are", columns, rows=rows, note=note)
