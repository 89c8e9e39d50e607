"""The documents of a comparison as tokens."""

from dataclasses import dataclass

from ctxlab.core.types import Encoded


@dataclass(frozen=True, eq=False)
class Corpus:
    """All splits."""

    by_split: dict[str, list[Encoded]]
    outside: int | None
    """Label of what is no gold (``O``); None where every label is gold."""

    @property
    def documents(self) -> list[Encoded]:
        """Of all splits."""
        return [document for documents in self.by_split.values() for document in documents]

    def longest(self, num: int) -> list[Encoded]:
        """The longest documents, the longest first."""
        return sorted(self.documents, key=len, reverse=True)[:num]

    def num_scored_tokens(self) -> int:
        """Tokens of the documents that are not trained on."""
        return sum(len(document) for split in ("validation", "test") for document in self.by_split[split])
