"""Which model class carries which head."""

from typing import Any

import transformers

from ctxlab.core.errors import UserError

HEADS = {"token_classification": "AutoModelForTokenClassification"}


def auto_class(head: str) -> Any:
    """The library's class that loads any architecture with this ``head``.

    Raises:
        UserError: No class is known for it.
    """
    if head not in HEADS:
        raise UserError(
            f"head `{head}` of the task is not one of {', '.join(HEADS)}; add it to ctxlab/models/heads.py."
        )
    return getattr(transformers, HEADS[head])
