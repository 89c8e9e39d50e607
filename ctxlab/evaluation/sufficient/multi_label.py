"""Labels of multi-label documents: exact match, F1 and AUROC."""

from ctxlab.evaluation.labels import Labels


class MultiLabel(Labels):
    """Values as in ``evaluation.labels``."""

    several = True


STATISTIC = MultiLabel()
