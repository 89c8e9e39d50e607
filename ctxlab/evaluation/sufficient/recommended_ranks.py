"""Ranks of the chosen candidates, scored as in MIND: AUC, NDCG at 5 and 10, and both MRRs."""

from ctxlab.evaluation.ranks import AUC, MIND_MRR, MRR, Figure, Rankings, ndcg_at


class RecommendedRanks(Rankings):
    """Values as in ``evaluation.ranks``."""

    ranked_by: tuple[Figure, ...] = (AUC, ndcg_at(5), ndcg_at(10), MRR, MIND_MRR)


STATISTIC = RecommendedRanks()
