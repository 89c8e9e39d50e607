"""Values of statistics of generated texts that several metrics share."""

from typing import Any

from ctxlab.tasks.generative.base import GeneratedText
from ctxlab.text.units import words


def target_tokens(answer: GeneratedText) -> dict[str, dict[str, Any]]:
    """Return the values of the statistic ``target_tokens``, by its name."""
    return {"target_tokens": {"nll": float(answer.target_nll), "tokens": int(answer.num_asked)}}


def text_variety(answer: GeneratedText) -> dict[str, dict[str, Any]]:
    """Return the values of the statistic ``text_variety``, by its name."""
    return {"text_variety": {"words": generated_words(answer)}}


def generated_words(answer: GeneratedText) -> list[str]:
    """Return the lower-cased words of the text, whose n-grams are counted."""
    return words(answer.text.lower())
