"""The report by tag and word that tutorials of tagging print, beside the strict scores of entities.

It counts words instead of entities and ``O`` as a class: a model that finds no entity is right about most words. So it
is not comparable with scores of entities, nor with reports that count subword tokens or padding.
"""

from collections.abc import Sequence

import numpy as np

from ctxlab.core.types import Table
from ctxlab.evaluation.averages import averages, by_class
from ctxlab.evaluation.statistics import Counts
from ctxlab.tasks.records.bio import OUTSIDE

NOTE = (
    "counts words, not entities, and O as a class: not comparable with strict scores; micro avg over all tags is the "
    "accuracy"
)


def tag_report(gold: Sequence[str], predicted: Sequence[str]) -> Table:
    """Return precision, recall, F1 and support of every tag, and their averages with and without ``O``.

    Args:
        gold: Right tag of each word of all documents.
        predicted: Given tag of each, in the same order.
    """
    tags, counts = _counts(gold, predicted)
    entities = counts[[tag != OUTSIDE for tag in tags]]
    rows = [
        (tag, *map(float, figures), int(count[2]))
        for tag, count, figures in zip(tags, counts, by_class(counts), strict=True)
    ]
    for beside, table in (("", counts), (" without O", entities)):
        support = int(table[:, 2].sum())
        rows += [(f"{one.name}{beside}", one.precision, one.recall, one.f1, support) for one in averages(table)]
    columns = ("tag", "precision", "recall", "f1", "support")
    return Table("per_tag", "By tag and word, as tutorials print it", columns=columns, rows=rows, note=NOTE)


def _counts(gold: Sequence[str], predicted: Sequence[str]) -> tuple[list[str], Counts]:
    """Return the tags with ``O`` last, and (C, 3) correct, predicted and gold words of each."""
    tags = sorted({*gold, *predicted}, key=lambda tag: (tag == OUTSIDE, tag[2:], tag))
    places = {tag: place for place, tag in enumerate(tags)}
    right, given = (np.asarray([places[tag] for tag in words], np.int64) for words in (gold, predicted))
    every = (right[right == given], given, right)
    counts: Counts = np.stack([np.bincount(one, minlength=len(tags)) for one in every], axis=-1).astype(np.float64)
    return tags, counts
