"""Ranks of the chosen candidates by model and given features together: the figures of ``recommended_ranks``."""

from dataclasses import replace

from ctxlab.evaluation.sufficient.recommended_ranks import RecommendedRanks


class FeaturedRanks(RecommendedRanks):
    """Values as in ``evaluation.ranks``; figures are called ``with_features_…``."""

    ranked_by = tuple(replace(figure, name=f"with_features_{figure.name}") for figure in RecommendedRanks.ranked_by)


STATISTIC = FeaturedRanks()
