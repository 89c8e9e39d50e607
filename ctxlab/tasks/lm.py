"""Language modelling: every token of a whole document is predicted from those before it.

Shape legend: L tokens of a document.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ctxlab.core.explanation import Answered, Asked
from ctxlab.core.types import NO_LABEL, Document, Encoded, IntArray, Merged, Prediction
from ctxlab.tasks.forms.explained import next_token
from ctxlab.tasks.forms.token_predictor import TokenPredictor
from ctxlab.tasks.text.encoding import encode_text
from ctxlab.tasks.text.subwords import frame


class LM(TokenPredictor):
    """Next-token prediction, for continued pretraining and perplexity.

    The first token of a document is not predicted, as nothing is before it. The first token of a later window is
    predicted from the last one of the previous window, so that adjacent windows predict every token once.
    """

    name = "lm"
    explains = True
    takes_beside = False
    only_field = "text"
    head = "causal_lm"
    kinds = frozenset({"decoder"})
    contiguous = True
    metric = "language"
    primary_metric = "bits_per_character"

    def __init__(self, text_field: str = "text", language: str | None = None) -> None:
        super().__init__(text_field, language)

    def encode(self, documents: Sequence[Document], tokenizer: Any) -> list[Encoded]:
        """Return whole documents as token ids, each labelled with the next one.

        Windows begin with the special tokens before a text, if any, and have none at the end, as a window does not end
        the document.
        """
        before, _ = frame(tokenizer)
        encoded = []
        for document in documents:
            text = encode_text(tokenizer, document.fields["text"], document.fields.get("language", ""))
            encoded.append(text.encoded(next_tokens(text.input_ids), before=before))
        return encoded

    def decode(self, document: Document, encoded: Encoded, merged: Merged) -> Prediction:
        """Return the ``TokenScores`` of all tokens but the first, each from the output of the one before."""
        asked = np.arange(1, len(encoded))
        return self.scored(document, encoded, merged, asked=asked, at=asked - 1)

    def explained(self, document: Document, answered: Answered) -> Asked:
        """Return the token that most probably follows the document."""
        return next_token(document.fields["text"], answered)

    def explained_outputs(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the logits (B, W, V): the token that follows the document is not known."""
        del labels
        return outputs


def next_tokens(input_ids: IntArray) -> IntArray:
    """Return (L,) the token after each, ``NO_LABEL`` for the last."""
    return np.append(input_ids[1:], NO_LABEL)
