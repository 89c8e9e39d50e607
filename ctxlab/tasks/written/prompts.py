"""What stands around the windows of a model that writes, as token ids."""

from dataclasses import dataclass
from typing import Any

from ctxlab.core.errors import UserError


@dataclass(frozen=True, slots=True)
class Prompt:
    """What stands around a window, the same for all documents; ``conf/task/<name>.yaml`` explains the fields."""

    instruction: str
    cue: str
    shots: int = 0
    example_words: int = 120


def ids_of(tokenizer: Any, text: str) -> list[int]:
    """Token ids of a short text, without special tokens.

    One that begins with a line end is taken as it is behind a word: by itself, byte-level tokenizers would begin it
    with the space that belongs to words.
    """

    def ids(text: str) -> list[int]:
        return list(tokenizer(text, add_special_tokens=False, truncation=False, verbose=False)["input_ids"])

    word = ids("x") if text.startswith("\n") else []
    behind = ids(f"x{text}") if word else []
    return behind[len(word) :] if word and behind[: len(word)] == word else ids(text)


def end_of_text(tokenizer: Any) -> int:
    """Token id that ends a text; raises UserError where the tokenizer has none."""
    for token in (tokenizer.eos_token_id, tokenizer.sep_token_id):
        if token is not None:
            return int(token)
    raise UserError(f"{type(tokenizer).__name__} has no token that ends a text: choose a model that writes.")


def line_ends(tokenizer: Any) -> tuple[int, ...]:
    """Token ids whose text has a line end in it, for answers of a single line."""
    pieces = tokenizer.batch_decode([[i] for i in range(len(tokenizer))])
    return tuple(i for i, piece in enumerate(pieces) if "\n" in piece)
