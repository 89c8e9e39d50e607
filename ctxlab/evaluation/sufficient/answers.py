"""Exact match and F1 of answers, over all questions and over those with and without an answer (SQuAD 2.0)."""

from collections.abc import Sequence

import numpy as np

from ctxlab.evaluation.statistic import Figures, Means, Values, where
from ctxlab.evaluation.statistics import Counts


class Answers(Means):
    """Values: ``exact_match`` (0 or 1) and ``f1`` (0 to 1) of a question, and whether it ``has_answer`` in the text."""

    columns = ("exact_match", "f1")

    def figures(self, values: Sequence[Values], weights: Counts | None = None) -> Figures:
        """Compute means over all questions and, where there are both kinds, over answerable and unanswerable ones."""
        found = dict(super().figures(values, weights))
        kinds = [[i for i, one in enumerate(values) if bool(one["has_answer"]) == has] for has in (True, False)]
        if all(kinds):
            answerable, unanswerable = (self.among(kind, values, weights) for kind in kinds)
            both = ~np.isnan(answerable["f1"]) & ~np.isnan(unanswerable["f1"])
            found["has_answer_exact_match"] = where(both, answerable["exact_match"])
            found["has_answer_f1"] = where(both, answerable["f1"])
            found["no_answer_accuracy"] = where(both, unanswerable["exact_match"])
        return found


STATISTIC = Answers()
