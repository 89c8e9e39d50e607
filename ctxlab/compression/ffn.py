"""Fewer hidden units in the feed-forward blocks."""

from typing import Any

from ctxlab.compression.choosing.fitting import check_unshared, num_removed
from ctxlab.compression.choosing.taylor import importance
from ctxlab.core.compression import Compressed, Compression, Subject
from ctxlab.core.errors import UserError
from ctxlab.core.projections import FeedForward, feed_forwards, set_width
from ctxlab.models.loading.reduced.resized import keep_inputs, keep_outputs


class Ffn(Compression):
    """Removes the hidden units whose removal changes the loss least, as many in each layer.

    Source: the first-order criterion of Molchanov et al. 2017 (arXiv:1611.06440). As every layer keeps the same number,
    the library loads the result. Of a layer that no pass reached, in a decoder that a task does not use, the first
    units are kept.
    """

    def __init__(self, share: float = 0.25) -> None:
        """Store the fraction of each layer's units that is removed, above 0 and below 1."""
        self.share = share

    def check(self, model: Any, tokenizer: Any) -> None:
        """See ``Compression``."""
        del tokenizer
        check_unshared(model, "ffn")
        widths = {block.width for block in feed_forwards(model)}
        if len(widths) > 1:
            raise UserError(
                f"compression=ffn needs layers of one size, and {type(model).__name__} has blocks of "
                f"{', '.join(map(str, sorted(widths)))} hidden units: use compression=layers or compression=int8."
            )
        num_removed(widths.pop(), self.share, "compression.share", "hidden units of a layer")

    def compress(self, subject: Subject) -> Compressed:
        """See ``Compression``."""
        blocks = feed_forwards(subject.model)
        width = blocks[0].width
        count = width - num_removed(width, self.share, "compression.share", "hidden units of a layer")
        found = importance([block.output for block in blocks], 1, subject.read)
        for block, scores in zip(blocks, found, strict=True):
            kept = scores.topk(count).indices.sort().values.tolist() if scores.ndim else list(range(count))
            _keep(block, kept)
        set_width(subject.model.config, count)
        return Compressed(subject.tokenizer, f"{count:,} of {width:,} hidden units in each feed-forward block")


def _keep(block: FeedForward, kept: list[int]) -> None:
    width = block.width
    for projection in block.inputs:
        keep_outputs(projection, [part * width + unit for part in range(block.parts) for unit in kept])
    keep_inputs(block.output, kept)
