"""What strategy parts ask of a model."""

from typing import Any


def is_causal(model: Any) -> bool:
    """Whether a token of what ``model`` reads sees only those before it, as the library's attention layers say."""
    if getattr(model.config, "is_encoder_decoder", False):
        return False  # what writes is causal, what reads is not
    causal = any(getattr(module, "is_causal", False) is True for module in model.modules())
    return causal and bool(getattr(model.config, "is_causal", True))
