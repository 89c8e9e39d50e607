"""Generated documents to embed: those of language modelling."""

from ctxlab.corpora.lm import write

__all__ = ["write"]
