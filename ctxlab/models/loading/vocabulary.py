"""A table of embeddings with a row for every token of the tokenizer."""

from typing import Any

from ctxlab.models.loading.named_rows import add_note


def fit_vocabulary(model: Any, tokenizer: Any, called: str) -> None:
    """Add rows for tokens that were added to ``tokenizer`` and not to ``model``; a report says so.

    New rows are drawn around the mean of the others (Hewitt 2021, nlp.stanford.edu/~johnhew/vocab-expansion.html), by
    the library, with torch's global seed. Rows without a token stay.
    """
    needed = 1 + max(tokenizer.get_vocab().values())
    rows = model.get_input_embeddings().num_embeddings
    if needed <= rows:
        return
    model.resize_token_embeddings(needed)
    add_note(
        model,
        f"The tokenizer of model `{called}` has {needed - rows:,} tokens more than the model has embeddings: "
        "theirs started around the mean of the others.",
    )
