"""Documents for masked tokens: those of language modelling, where a masked word may be told by either mention."""

from ctxlab.corpora.lm import write

__all__ = ["write"]
