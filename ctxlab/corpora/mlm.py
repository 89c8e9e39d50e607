"""Generated documents for masked tokens: those of language modelling, where either mention determines the other."""

from ctxlab.corpora.lm import write

__all__ = ["write"]
