"""stub"""

from ctxlab.core.types import Scores


def score(documents, predictions):
    return Scores({"chrf": 0.0}, 1.0, [], [])
