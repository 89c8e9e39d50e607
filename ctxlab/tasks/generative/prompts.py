"""The prompt around the windows of a generative model, as token ids."""

from dataclasses import dataclass
from typing import Any

from ctxlab.core.errors import UserError


@dataclass(frozen=True, slots=True)
class Prompt:
    """The parts of a prompt that all documents share; ``conf/task/<name>.yaml`` explains the fields."""

    instruction: str
    cue: str
    shots: int = 0
    example_words: int = 120


def ids_of(tokenizer: Any, text: str) -> list[int]:
    """Return the token ids of a short text, without special tokens.

    A text that begins with a line end is tokenized after a word, as byte-level tokenizers may put a space before the
    start of a text.
    """

    def ids(text: str) -> list[int]:
        return list(tokenizer(text, add_special_tokens=False, truncation=False, verbose=False)["input_ids"])

    word = ids("x") if text.startswith("\n") else []
    together = ids(f"x{text}") if word else []
    return together[len(word) :] if word and together[: len(word)] == word else ids(text)


def end_of_text(tokenizer: Any) -> int:
    """Return the token id that ends a text; raises UserError where the tokenizer has none."""
    for token in (tokenizer.eos_token_id, tokenizer.sep_token_id):
        if token is not None:
            return int(token)
    raise UserError(f"{type(tokenizer).__name__} has no token that ends a text: choose a model that generates text.")


def line_ends(tokenizer: Any) -> tuple[int, ...]:
    """Return the token ids whose text contains a line end, for answers of a single line."""
    pieces = tokenizer.batch_decode([[i] for i in range(len(tokenizer))])
    return tuple(i for i, piece in enumerate(pieces) if "\n" in piece)
