"""Labels of single-label documents: accuracy, F1, AUROC and calibration error."""

from ctxlab.evaluation.labels import Labels


class SingleLabel(Labels):
    """Values as in ``evaluation.labels``."""

    several = False


STATISTIC = SingleLabel()
