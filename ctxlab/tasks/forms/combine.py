"""Rules that combine the predictions of several windows into one answer for the document.

A window has the same prediction on all of its tokens, and the rules combine tokens. So a window is weighted by the
number of document tokens that it contributes, and a token in several windows counts once.

Shape legend: T tokens of a document that were read, C classes.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ctxlab.core.types import FloatArray

TINY = 1e-12
"""Smallest weight of a window, so that a document whose windows are all fully uncertain has an answer."""


def mean(logits: FloatArray, *, several: bool) -> FloatArray:
    """Return (C,) probabilities: the exponential of the mean log probabilities over tokens, renormalised.

    Args:
        logits: (T, C), at least one token.
        several: Whether classes are independent (sigmoid), rather than exclusive (softmax).
    """
    # Mean logits differ from mean log probabilities by a constant, which the softmax cancels; likewise for a sigmoid.
    average: FloatArray = logits.mean(axis=0, dtype=np.float64, keepdims=True)
    combined: FloatArray = probabilities(average, several=several)[0]
    return combined


def maximum(logits: FloatArray, *, several: bool) -> FloatArray:
    """Return (C,) the highest probability of each class over all windows; renormalised where classes are exclusive."""
    highest: FloatArray = probabilities(logits, several=several).max(axis=0)
    highest /= 1.0 if several else highest.sum()
    return highest


def attention(logits: FloatArray, *, several: bool) -> FloatArray:
    """Return (C,) the mean of the windows' probabilities, weighted by the confidence of each window.

    A window's weight is 1 - H / H0, with H the entropy of its prediction and H0 that of the uniform distribution
    (log C; for independent classes a weight per class, with log 2). It has no learned parameters.
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
    """Return (T, C) of logits (T, C): softmax, or sigmoid where ``several``."""
    if several:
        each: FloatArray = np.exp(-np.logaddexp(0, -logits.astype(np.float64))).astype(np.float32)
        return each
    return softmax(logits).astype(np.float32)


def softmax(logits: FloatArray) -> npt.NDArray[np.float64]:
    """Return the softmax of logits (T, C) in double precision."""
    exact = logits.astype(np.float64)
    shifted = np.exp(exact - exact.max(axis=1, keepdims=True))
    found: npt.NDArray[np.float64] = shifted / shifted.sum(axis=1, keepdims=True)
    return found


RULES: dict[str, Callable[..., FloatArray]] = {"mean": mean, "max": maximum, "attention": attention}
"""Values of ``task.combine``."""
