"""Ranks of the relevant documents by BM25: the figures of ``retrieved_ranks``, each called ``bm25_…``."""

from dataclasses import replace

from ctxlab.evaluation.sufficient.retrieved_ranks import RetrievedRanks


class Bm25Ranks(RetrievedRanks):
    """Values as in ``evaluation.ranks``."""

    ranked_by = tuple(replace(figure, name=f"bm25_{figure.name}") for figure in RetrievedRanks.ranked_by)


STATISTIC = Bm25Ranks()
