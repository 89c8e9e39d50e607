"""Attention rollout: how much of each token reaches the answer if attention alone mixed the tokens."""

import numpy as np

from ctxlab.core.explanation import ATTENTION, TOKEN, Attended, Attribution, Explanation, Subject, Target
from ctxlab.core.types import ADDED, DoubleArray
from ctxlab.explanation.attributing.limits import at_least


class Rollout(Explanation):
    """The product over layers of half the attention weights, mean over heads, and half the identity.

    Source: Abnar and Zuidema 2020 (arXiv:2005.00928), section 3. The rows of each factor add up to 1, and so do the
    values of all tokens of a window together with its special tokens. The values do not depend on what is
    answered, only on where: they say what could be mixed, neither for nor against an answer.
    Deviations: weights are those of the installed attention pattern, from the dense mask that it declares; several
    windows count as their outputs do in the merged output.
    """

    needs, completes, by_answer = ATTENTION, False, False

    def __init__(self, longest: int = 4096) -> None:
        """Take the tokens of the longest window whose attention weights, their square, are kept for every layer."""
        at_least(1, "token", longest=longest)
        self.longest = longest

    def attribute(self, subject: Subject, target: Target) -> Attribution:
        """Return a value from 0 to 1 for each token.

        Raises:
            UserError: The weights are not known, or a window is longer than ``longest``.
        """
        by_token, added = np.zeros(subject.num_tokens), 0.0
        for window in subject.attended(target, self.longest):
            reached = roll_out(window)
            own = window.token_index != ADDED
            np.add.at(by_token, window.token_index[own], reached[own])
            added += float(reached[~own].sum())
        values = np.array([by_token[tokens].sum() for tokens in subject.units[TOKEN]])
        return Attribution(TOKEN, values, added=added)


def roll_out(window: Attended) -> DoubleArray:
    """Return (W,) how much of each place reaches the places that the score is computed from."""
    row = window.start.double()
    for weights in reversed(window.layers):
        row = (row + row @ weights.double()) / 2
    found: DoubleArray = row.cpu().numpy()
    return found
