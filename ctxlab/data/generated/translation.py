"""To be replaced."""

from typing import Any


def generate(*, split: str, seed: int, documents: int, words_per_document: int, **_: Any) -> list[dict[str, Any]]:
    """Nothing yet."""
    words = "one two three . four five . six seven eight nine . " * (words_per_document // 12 + 1)
    return [{"id": f"g-{split}-{seed}-{i}", "source": words, "target": words.upper()} for i in range(documents)]
