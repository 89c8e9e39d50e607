"""What learning one corpus after another does to the scores on each of them.

Shape legend: T stages; scores (T, T): row i after stage i, column j on the documents of stage j.
"""

from collections.abc import Sequence
from dataclasses import dataclass

Scores = Sequence[Sequence[float]]


@dataclass(frozen=True, slots=True)
class Transfer:
    """The figures of Lopez-Paz and Ranzato 2017 (arXiv:1706.08840), section 3.

    A difference is above 0 where the score became better, also for metrics of which less is better.
    """

    accuracy: float
    """ACC: mean of the scores after the last stage."""
    backward: float
    """BWT: mean over all stages but the last of the score after the last stage less that after the stage itself; below
    0 something was forgotten."""
    forward: float
    """FWT: mean over all stages but the first of the score just before the stage less that of the untrained model."""


def transfer(scores: Scores, untrained: Sequence[float], *, lower_is_better: bool = False) -> Transfer:
    """Compute the figures.

    Args:
        scores: (T, T), at least two stages.
        untrained: (T,) scores of the model before the first stage.
        lower_is_better: Whether a smaller score is better.
    """
    stages, sign = len(scores), -1.0 if lower_is_better else 1.0
    back = [scores[-1][stage] - scores[stage][stage] for stage in range(stages - 1)]
    ahead = [scores[stage - 1][stage] - untrained[stage] for stage in range(1, stages)]
    return Transfer(sum(scores[-1]) / stages, sign * sum(back) / len(back), sign * sum(ahead) / len(ahead))
