"""Weights of 8 bits."""

from typing import Any

from ctxlab.compression.choosing.fitting import check_precise
from ctxlab.core.architecture import layers
from ctxlab.core.compression import Compressed, Compression, Subject
from ctxlab.core.errors import UserError
from ctxlab.models.loading.reduced.int8 import quantize
from ctxlab.models.loading.reduced.rebuild import INT8


class Int8(Compression):
    """Rounds the weights inside the layers to 8 bits, with inputs rounded as they come; embeddings and head stay.

    See ``models.loading.reduced.int8`` for the source and the deviations. It is for inference on a CPU: the result
    cannot be trained, and other devices compute the same with products of full precision.
    """

    heals = False

    def check(self, model: Any, tokenizer: Any) -> None:
        """See ``Compression``."""
        del tokenizer
        check_precise(model, "int8")
        if not layers(model):
            raise UserError(f"{type(model).__name__} has no list of layers of its own, which compression=int8 changes.")

    def compress(self, subject: Subject) -> Compressed:
        """See ``Compression``."""
        count = quantize(subject.model)
        return Compressed(subject.tokenizer, f"{count} projections with weights of 8 bits", {INT8: True})
