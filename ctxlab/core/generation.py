"""How a model answers with text: settings of generation, and texts to choose from."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Decoding:
    """Settings of text generation; the values are in ``conf/task/decoding``."""

    max_new_tokens: int = 64
    num_beams: int = 1
    sample: bool = False
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Continuations:
    """The closed set of texts from which a model chooses the one that follows a prompt."""

    token_ids: Sequence[tuple[int, ...]] = ()
    """Token ids of each continuation."""
    ends: tuple[int, ...] = ()
    """End tokens, one of which must follow a continuation; empty where no continuation is a prefix of another."""
