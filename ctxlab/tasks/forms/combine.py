"""Rules by which what several windows say of a document becomes one answer.

A window says the same on all of its tokens, so that the tokens weigh the windows: one weighs as much as what it settles
of the document, and a token that several windows saw counts once.

Shape legend: T tokens of a document that were read, C classes.
"""

from collections.abc import Callable

import numpy as np

from ctxlab.core.types import FloatArray

TINY = 1e-12
"""Weight that is left to a window without any confidence, so that a document of such windows has an answer."""


def mean(logits: FloatArray, *, several: bool) -> FloatArray:
    """(C,) probabilities: e to the mean over tokens of the windows' log probabilities, made to add up to 1 again.

    Args:
        logits: (T, C), at least one token.
        several: Whether each class is asked for by itself (sigmoid), rather than one out of all (softmax).
    """
    # A mean of log probabilities is one of logits but for what a softmax takes out again, and likewise for a sigmoid.
    average: FloatArray = logits.mean(axis=0, dtype=np.float64, keepdims=True)
    combined: FloatArray = probabilities(average, several=several)[0]
    return combined


def maximum(logits: FloatArray, *, several: bool) -> FloatArray:
    """(C,) the highest probability that any window gives each class; of one out of all, made to add up to 1 again."""
    highest: FloatArray = probabilities(logits, several=several).max(axis=0)
    highest /= 1.0 if several else highest.sum()
    return highest


def attention(logits: FloatArray, *, several: bool) -> FloatArray:
    """(C,) the mean of the windows' probabilities, weighted by how sure each window is.

    A window's weight is 1 - H / H0, with H the entropy of what it says and H0 that of knowing nothing (log C; where
    each class is asked for by itself, a weight for each class, with log 2). Nothing is learned for it.
    """
    given = probabilities(logits, several=several).astype(np.float64)
    entropy = -given * np.log(np.maximum(given, TINY))
    if several:
        weights = 1 - (entropy - (1 - given) * np.log(np.maximum(1 - given, TINY))) / np.log(2)
    else:
        weights = 1 - entropy.sum(axis=1, keepdims=True) / np.log(max(given.shape[1], 2))
    weights = np.maximum(weights, TINY)
    answer: FloatArray = ((weights * given).sum(axis=0) / weights.sum(axis=0)).astype(np.float32)
    return answer


def probabilities(logits: FloatArray, *, several: bool) -> FloatArray:
    """(T, C) of logits (T, C): softmax, or sigmoid where ``several``."""
    logits = logits.astype(np.float64)
    if several:
        each: FloatArray = np.exp(-np.logaddexp(0, -logits)).astype(np.float32)
        return each
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    one: FloatArray = (shifted / shifted.sum(axis=1, keepdims=True)).astype(np.float32)
    return one


RULES: dict[str, Callable[..., FloatArray]] = {"mean": mean, "max": maximum, "attention": attention}
"""Values of ``task.combine``."""
