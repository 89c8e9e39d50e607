"""Fewer attention heads."""

from typing import Any

from ctxlab.compression.choosing.fitting import check_no_spans, check_unshared, num_removed
from ctxlab.compression.choosing.taylor import importance
from ctxlab.core.architecture import has_encoder_and_decoder
from ctxlab.core.compression import Compressed, Compression, Subject
from ctxlab.core.errors import UserError
from ctxlab.core.projections import AttentionBlock, attention_blocks
from ctxlab.core.types import HEADS as DRAWN
from ctxlab.core.types import Table
from ctxlab.models.loading.reduced.rebuild import HEADS
from ctxlab.models.loading.reduced.resized import keep_heads


class Heads(Compression):
    """Removes the heads whose removal changes the loss least, by its first-order estimate on training documents.

    Source: Michel et al. 2019 (arXiv:1905.10650), importances divided by their norm in each layer. Every layer keeps a
    head. Where several heads have the same keys and values (Llama), they are kept or removed together.
    """

    def __init__(self, share: float = 0.25) -> None:
        """Store the fraction of all heads that is removed, above 0 and below 1."""
        self.share = share

    def check(self, model: Any, tokenizer: Any) -> None:
        """See ``Compression``."""
        del tokenizer
        check_unshared(model, "heads")
        check_no_spans(model, "heads")
        if has_encoder_and_decoder(model.config):
            raise UserError(
                f"compression=heads does not work on {type(model).__name__}: the layers of an encoder-decoder share "
                "positions by head; use compression=layers, compression=ffn or compression=int8."
            )
        self._num_removed(attention_blocks(model))

    def _num_removed(self, blocks: list[AttentionBlock]) -> int:
        total = sum(block.num_units for block in blocks)
        removed = num_removed(total, self.share, "compression.share", "heads")
        if total - removed < len(blocks):
            raise UserError(
                f"compression.share={self.share} leaves {total - removed} heads for {len(blocks)} layers, each of "
                f"which keeps one: give at most {(total - len(blocks)) / total:.2f}."
            )
        return removed

    def compress(self, subject: Subject) -> Compressed:
        """See ``Compression``."""
        blocks = attention_blocks(subject.model)
        found = importance(
            [block.output for block in blocks], blocks[0].heads_per_unit * blocks[0].head_size, subject.read
        )
        scores = [(one / one.norm().clamp_min(1e-12)).tolist() for one in found]
        removed = self._num_removed(blocks)
        kept = _kept(scores, removed)
        keep_heads(subject.model, kept)
        total = sum(block.num_units for block in blocks)
        rows = [
            (layer, head, "kept" if head in kept[layer] else "removed", score)
            for layer, row in enumerate(scores)
            for head, score in enumerate(row)
        ]
        columns = ("layer", "head", "outcome", "importance")
        table = Table("heads", "Importance of the heads", columns, rows, drawn=DRAWN)
        unit = "heads" if blocks[0].heads_per_unit == 1 else f"groups of {blocks[0].heads_per_unit} heads"
        return Compressed(
            subject.tokenizer, f"{total - removed} of {total} {unit}", {HEADS: [len(one) for one in kept]}, [table]
        )


def _kept(scores: list[list[float]], removed: int) -> list[list[int]]:
    """Return the heads that each layer keeps when the least important are removed, one a layer staying."""
    kept = [set(range(len(row))) for row in scores]
    order = sorted((score, layer, head) for layer, row in enumerate(scores) for head, score in enumerate(row))
    for _, layer, head in order:
        if removed and len(kept[layer]) > 1:
            kept[layer].remove(head)
            removed -= 1
    return [sorted(one) for one in kept]
