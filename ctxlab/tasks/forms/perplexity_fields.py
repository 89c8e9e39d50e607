"""Fields of a prediction line about the tokens of a document."""

from typing import Any

import numpy as np

from ctxlab.tasks.forms.vocabulary import TokenScores

TOKENS_PER_PART = 1024
"""Number of document tokens that one figure of ``nll_by_position`` averages."""


def perplexity_fields(scores: TokenScores) -> dict[str, Any]:
    """Return counts, mean negative log likelihood (nats), perplexity, and the mean of every 1,024 consecutive tokens.

    Unseen tokens are charged as in ``vocabulary.charge_unseen``; a part without predicted tokens is None.
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
