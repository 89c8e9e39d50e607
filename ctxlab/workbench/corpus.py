"""The tokenised documents of a comparison."""

from collections.abc import Sequence
from dataclasses import dataclass

from ctxlab.core.types import Encoded


@dataclass(frozen=True, eq=False)
class Corpus:
    """The tokenised documents of all splits."""

    by_split: dict[str, Sequence[Encoded]]
    outside: int | None
    """Label of tokens outside gold spans (``O``); None if every label is gold."""

    @property
    def documents(self) -> list[Encoded]:
        """Documents of all splits."""
        return [document for documents in self.by_split.values() for document in documents]

    def longest(self, num: int) -> list[Encoded]:
        """Return the ``num`` longest documents, the longest first."""
        return sorted(self.documents, key=len, reverse=True)[:num]

    def num_scored_tokens(self) -> int:
        """Count the tokens of the validation and test documents."""
        return sum(len(document) for split in ("validation", "test") for document in self.by_split[split])
