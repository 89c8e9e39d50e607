"""Fewer layers."""

from typing import Any

from ctxlab.compression.choosing.fitting import check_no_spans, check_unshared, units_per_layer
from ctxlab.compression.choosing.influence import influence
from ctxlab.core.architecture import decoder_layers, installed, keep_layers, layers
from ctxlab.core.compression import Compressed, Compression, Subject
from ctxlab.core.errors import UserError
from ctxlab.core.types import Table
from ctxlab.models.loading.reduced.rebuild import FAMILY, HEADS

TOP, INFLUENCE = "top", "influence"
"""Values of ``remove``."""


class Layers(Compression):
    """Drops whole layers, from the top or those that change the hidden states least.

    Sources: Sajjad et al. 2020 (arXiv:2004.03844) for the top, Men et al. 2024 (arXiv:2403.03853) for the influence.
    Of an encoder-decoder the layers of the encoder. The first layer stays, since it may hold the positions of all (T5).
    """

    def __init__(self, layers: int | None = None, remove: str = TOP) -> None:
        """Store the options.

        Args:
            layers: Layers that are kept, from 1; None for two thirds of them.
            remove: ``top`` or ``influence``.

        Raises:
            UserError: A value is not valid.
        """
        if layers is not None and layers < 1:
            raise UserError(f"compression.layers={layers} leaves no layer: give at least 1.")
        if remove not in (TOP, INFLUENCE):
            raise UserError(f"compression.remove={remove} is not known: use {TOP} or {INFLUENCE}.")
        self.layers, self.remove = layers, remove

    def check(self, model: Any, tokenizer: Any) -> None:
        """See ``Compression``."""
        del tokenizer
        check_unshared(model, "layers")
        check_no_spans(model, "layers")
        total = len(layers(model))
        if not total:
            raise UserError(f"{type(model).__name__} has no list of layers of its own: use compression=int8.")
        if self._kept(total) >= total:
            raise UserError(
                f"compression.layers={self._kept(total)} keeps all: the model of this run has {total}; give at most "
                f"{total - 1}."
                if total > 1
                else "The model of this run has a single layer, of which compression=layers leaves none to drop."
            )

    def _kept(self, total: int) -> int:
        return self.layers if self.layers is not None else max(2 * total // 3, 1)

    def compress(self, subject: Subject) -> Compressed:
        """See ``Compression``."""
        model = subject.model
        total = len(layers(model))
        count, tables = self._kept(total), []
        kept = list(range(count))
        if self.remove == INFLUENCE:
            found = influence(layers(model), subject.read)
            last = sorted(range(1, total), key=lambda place: found[place])[: total - count]
            kept = [place for place in range(total) if place not in last]
            rows = [(place, value, "kept" if place in kept else "dropped") for place, value in enumerate(found)]
            tables = [Table("layers", "Influence of the layers", ("layer", "influence", "outcome"), rows)]
        note = {}
        if HEADS in installed(model.config, FAMILY):
            units = units_per_layer(model, [])
            note[HEADS] = [units[place] for place in kept]
        keep_layers(model, kept)
        where = "of the encoder " if decoder_layers(model) else ""
        return Compressed(
            subject.tokenizer, f"{count} of {total} layers {where}({', '.join(map(str, kept))})", note, tables
        )
