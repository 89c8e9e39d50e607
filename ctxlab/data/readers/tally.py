"""What a reader decided in the user's stead, counted, and said once for a file."""

from collections import Counter


class Tally:
    """Counts decisions; ``sentences`` says each once, with its number."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, sentence: str, count: int = 1) -> None:
        """Count one more of what ``sentence`` says, which has ``{n}`` where the number belongs (or nowhere)."""
        if count:
            self._counts[sentence] += count

    def sentences(self) -> list[str]:
        """All that was counted, in the order of first mention."""
        return [sentence.replace("{n}", f"{count:,}") for sentence, count in self._counts.items()]
