"""A tagger without a model: every mention of the training documents, wherever its words occur again."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from ctxlab.tasks.records.bio import OUTSIDE, spans
from ctxlab.text.phrases import Phrases, Words


class MentionDictionary:
    """Mentions with their types, found in documents from left to right, the longest first."""

    def __init__(self, types: Mapping[Words, str]) -> None:
        """Take the type of each mention."""
        self.types = types
        self._phrases = Phrases(types)

    def tags(self, words: Sequence[str]) -> list[str]:
        """Return one BIO tag per word: at each word the longest mention that begins there and overlaps none before."""
        tags = [OUTSIDE] * len(words)
        for found in self._phrases.longest(words):
            name = self.types[tuple(words[found.start : found.stop])]
            tags[found.start : found.stop] = [f"B-{name}"] + [f"I-{name}"] * (len(found) - 1)
        return tags


def learn_mentions(documents: Iterable[tuple[Sequence[str], Sequence[str]]]) -> MentionDictionary:
    """Return every mention with its most frequent type (of equals, the first in the alphabet).

    A mention is left out if more of its occurrences are not mentions than are (``the boy`` in ``the boy 's mother`` or
    outside any mention), as its words then say little.

    Args:
        documents: Words and valid BIO tags of each document.
    """
    kept = [(list(words), list(tags)) for words, tags in documents]
    counts: defaultdict[Words, Counter[str]] = defaultdict(Counter)
    for words, tags in kept:
        for span in spans(tags):
            counts[tuple(words[span.start : span.end])][span.type] += 1
    phrases, occurring = Phrases(counts), Counter[Words]()
    for words, _ in kept:
        occurring.update(tuple(words[found.start : found.stop]) for found in phrases.occurrences(words))
    trusted = (key for key, types in counts.items() if 2 * types.total() >= occurring[key])
    return MentionDictionary({key: min(counts[key], key=lambda name: (-counts[key][name], name)) for key in trusted})
