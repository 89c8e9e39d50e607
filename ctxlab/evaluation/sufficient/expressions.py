"""Expressions: whether each has the right value, equals the gold expression, and is one at all."""

from ctxlab.evaluation.statistic import Means


class Expressions(Means):
    """Values: 1 or 0 for ``accuracy`` (by execution), ``exact_match`` (of tokens) and ``parses``."""

    columns = ("accuracy", "exact_match", "parses")


STATISTIC = Expressions()
