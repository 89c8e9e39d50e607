"""Ranks of the relevant documents by model and BM25 together: the figures of ``retrieved_ranks``, each ``blend_…``."""

from dataclasses import replace

from ctxlab.evaluation.sufficient.retrieved_ranks import RetrievedRanks


class BlendRanks(RetrievedRanks):
    """Values as in ``evaluation.ranks``."""

    ranked_by = tuple(replace(figure, name=f"blend_{figure.name}") for figure in RetrievedRanks.ranked_by)


STATISTIC = BlendRanks()
