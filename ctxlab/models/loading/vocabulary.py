"""Checks that the embedding table has a row for every token of the tokenizer."""

from typing import Any

from ctxlab.core.errors import UserError
from ctxlab.core.quiet import quiet
from ctxlab.models.loading.named_rows import add_note


def fit_vocabulary(model: Any, tokenizer: Any, called: str) -> None:
    """Add rows for tokens that were added to ``tokenizer`` but not to ``model``, and note it for the report.

    A tokenizer whose own vocabulary is larger belongs to another model; ``check_vocabulary`` refuses it.

    The library initialises new rows around the mean of the others (Hewitt 2021,
    nlp.stanford.edu/~johnhew/vocab-expansion.html), with torch's global seed. Rows without a token are kept.
    """
    needed, rows = num_rows_needed(tokenizer), model.get_input_embeddings().num_embeddings
    added = set(tokenizer.get_added_vocab().values())
    if needed <= rows or not added.issuperset(range(rows, needed)):
        return
    with quiet():
        model.resize_token_embeddings(needed)
    add_note(
        model,
        f"The tokenizer of model `{called}` has {needed - rows:,} tokens more than the model has embeddings: "
        "theirs started around the mean of the others.",
    )


def check_vocabulary(model: Any, tokenizer: Any, called: str) -> None:
    """Raise UserError if ``tokenizer`` has tokens without an embedding in ``model``."""
    needed, rows = num_rows_needed(tokenizer), model.get_input_embeddings().num_embeddings
    if needed > rows:
        raise UserError(
            f"model `{called}` has embeddings for {rows:,} tokens, and its tokenizer gives {needed:,}: it is another "
            "model's; save the tokenizer that the model was trained with into its folder."
        )


def num_rows_needed(tokenizer: Any) -> int:
    """Return the largest token id plus one."""
    return 1 + int(max(tokenizer.get_vocab().values()))
