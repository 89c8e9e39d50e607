"""What a prediction file says about the tokens of a document."""

from typing import Any

import numpy as np

from ctxlab.tasks.forms.vocabulary import TokenScores

TOKENS_PER_PART = 1024
"""Tokens of a document that one figure of ``nll_by_position`` stands for."""


def summary(scores: TokenScores) -> dict[str, Any]:
    """Counts, mean negative log likelihood (nats), perplexity, and the mean of every 1,024 tokens in a row.

    Unseen tokens are charged as in ``vocabulary.charge_unseen``; a part in which nothing was asked for is None.
    """
    parts = scores.position // TOKENS_PER_PART
    counts = np.bincount(parts, minlength=-(-scores.num_tokens // TOKENS_PER_PART))
    sums = np.bincount(parts, weights=scores.nll, minlength=len(counts))
    mean = float(scores.nll.mean(dtype=np.float64)) if len(scores.nll) else None
    return {
        "tokens": scores.num_tokens,
        "asked": len(scores.nll),
        "seen": int(scores.seen.sum()),
        "characters": int(scores.characters.sum()),
        "nll": mean,
        "perplexity": None if mean is None else float(np.exp(min(mean, 700.0))),
        "correct": int(scores.correct.sum()),
        "nll_by_position": [round(float(s / n), 4) if n else None for s, n in zip(sums, counts, strict=True)],
    }
