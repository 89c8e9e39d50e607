"""Ranks of the true responses among candidates: MRR and recall at 1, 2 and 5."""

from ctxlab.evaluation.ranks import MRR, Rankings, recall_at


class ResponseRanks(Rankings):
    """Values as in ``evaluation.ranks``."""

    ranked_by = (MRR, recall_at(1), recall_at(2), recall_at(5))


STATISTIC = ResponseRanks()
