"""Labels of documents that have any number: exact match, F1 and AUROC."""

from ctxlab.evaluation.labels import Labels


class MultiLabel(Labels):
    """As ``evaluation.labels`` has it."""

    several = True


STATISTIC = MultiLabel()
