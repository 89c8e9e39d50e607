"""Finding known sequences of words in documents."""

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence

Words = tuple[str, ...]


class Phrases:
    """An index of sequences of words by their first word."""

    def __init__(self, entries: Iterable[Words]) -> None:
        """Take the sequences, none of them empty."""
        sizes: defaultdict[str, set[int]] = defaultdict(set)
        self._entries = frozenset(entries)
        for entry in self._entries:
            sizes[entry[0]].add(len(entry))
        self._sizes = {word: sorted(found, reverse=True) for word, found in sizes.items()}

    def occurrences(self, words: Sequence[str]) -> Iterator[range]:
        """Yield every place where an entry occurs: those of the first word first, at each word the longest first."""
        for start, word in enumerate(words):
            for size in self._sizes.get(word, ()):
                if start + size <= len(words) and tuple(words[start : start + size]) in self._entries:
                    yield range(start, start + size)

    def longest(self, words: Sequence[str], among: Container[Words] | None = None) -> Iterator[range]:
        """Yield from left to right the longest entry that begins at a word and overlaps none before it.

        Args:
            words: Words of a document.
            among: The entries that count; None for all.
        """
        free = 0
        for found in self.occurrences(words):
            if found.start >= free and (among is None or tuple(words[found.start : found.stop]) in among):
                free = found.stop
                yield found
