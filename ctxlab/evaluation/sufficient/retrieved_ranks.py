"""Ranks of the relevant documents: recall at 1, 5 and 10, MRR and nDCG at 10."""

from ctxlab.evaluation.ranks import MRR, Figure, Rankings, ndcg_at, recall_at


class RetrievedRanks(Rankings):
    """Values as in ``evaluation.ranks``."""

    ranked_by: tuple[Figure, ...] = (recall_at(5), recall_at(1), recall_at(10), MRR, ndcg_at(10))


STATISTIC = RetrievedRanks()
