"""To be replaced."""

from typing import Any

from ctxlab.core.types import Scores


def score(documents: Any, predictions: Any) -> Scores:
    """Nothing yet."""
    return Scores({"chrf": 0.0}, 1.0, [], [])
