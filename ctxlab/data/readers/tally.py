"""Counts of choices that a reader made without being told, reported once per file."""

from collections import Counter


class Tally:
    """Counts decisions; ``sentences`` returns each once, with its count."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, sentence: str, count: int = 1) -> None:
        """Add ``count`` to ``sentence``, in which ``{n}`` is replaced by the total."""
        if count:
            self._counts[sentence] += count

    def sentences(self) -> list[str]:
        """Return all sentences with their counts, in order of first occurrence."""
        return [sentence.replace("{n}", f"{count:,}") for sentence, count in self._counts.items()]
