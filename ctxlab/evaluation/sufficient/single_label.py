"""Labels of documents that have one each: accuracy, F1, AUROC and calibration error."""

from ctxlab.evaluation.labels import Labels


class SingleLabel(Labels):
    """As ``evaluation.labels`` has it."""

    several = False


STATISTIC = SingleLabel()
