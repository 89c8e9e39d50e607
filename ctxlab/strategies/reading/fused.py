"""Windows are encoded apart, and the decoder of an encoder-decoder reads all of them together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from typing import Any

import numpy as np

from ctxlab.core.architecture import note_installed
from ctxlab.core.errors import UserError
from ctxlab.core.strategy import ModelKind
from ctxlab.core.types import TEXT, BoolArray, Encoded, FloatArray, Merged, Window
from ctxlab.strategies.reading.segments import Segments
from ctxlab.strategies.reading.windows import merging
from ctxlab.strategies.reading.windows.framing import frame, room
from ctxlab.strategies.reading.windows.fusion import Fusion


@dataclass(frozen=True, slots=True)
class Span:
    """The tokens of a document in a window, ``stop`` not included."""

    start: int
    stop: int
    begins: bool
    """Whether the window is the first of its group."""


KEEP = ("all", "once")
"""What the decoder reads of a window: all of it, or so much that every token of the document is read once."""


class Fused(Segments):
    """Every window goes through the encoder alone; the decoder's cross attention reads the states of all of them.

    Source: FiD (Izacard & Grave 2021, arXiv:2007.01282) with ``keep=all``, and SLED (Ivgi et al. 2023,
    arXiv:2208.00748) with ``keep=once`` and an overlap: of two overlapping windows each keeps the half of the overlap
    that is further from its end. Deviations: windows are consecutive parts of the document, begin anew at each of
    several texts, and have no numbers or titles of their own; with ``keep=once`` the tokens around a window (a
    question, special tokens) are read once too, those before it from the first window and those after it from the last,
    where SLED encodes a prefix apart. One window is the plain model.

    The decoder sees which states belong together only by what the encoder wrote into them, not in which order windows
    come. The windows of a group have at most ``context.length`` tokens together; a longer document is read in several
    groups, after each of which a text is generated. No parameters are added.
    """

    supports: frozenset[ModelKind] = frozenset({"encoder_decoder"})
    joins = True
    fuses = True

    def __init__(
        self,
        window: int | None = None,
        overlap_tokens: int | None = 0,
        keep: str = "all",
        max_windows: int | None = None,
    ) -> None:
        """Build the reading.

        Args:
            window: Tokens of a window, special tokens included; None for the trained length.
            overlap_tokens: Document tokens that neighbouring windows share, 0 or more; None for half of them.
            keep: What the decoder reads of each window: ``all`` or ``once``.
            max_windows: Windows of a document that are read at most, the first ones; None for all.

        Raises:
            UserError: A value is out of range or unknown.
        """
        super().__init__(window)
        if overlap_tokens is not None and overlap_tokens < 0:
            raise UserError(f"strategy.reading.overlap_tokens={overlap_tokens} must be 0 or more tokens.")
        if keep not in KEEP:
            raise UserError(f"strategy.reading.keep={keep} is not one of {', '.join(KEEP)}.")
        if max_windows is not None and max_windows < 1:
            raise UserError(f"strategy.reading.max_windows={max_windows} must be at least 1, or null.")
        self.overlap_tokens, self.keep, self.max_windows = overlap_tokens, keep, max_windows
        self.covers = max_windows is None

    def windows(self, encoded: Encoded, length: int) -> list[Window]:
        """Return the windows in groups that the decoder reads together; none for a document without tokens.

        Raises:
            UserError: A window has no room for more than the overlap.
        """
        widest, added = self.longest(length), len(encoded.before) + len(encoded.after)
        if self.window and widest == self.window <= added:
            raise UserError(
                f"strategy.reading.window={widest} leaves no room for the document beside {added} tokens before and "
                f"after it in every window: use {added + 1} or more, or shorten these."
            )
        fits = room(encoded, widest, length)
        overlap = fits // 2 if self.overlap_tokens is None else self.overlap_tokens
        if overlap >= fits:
            raise UserError(
                f"strategy.reading.overlap_tokens={overlap} is not smaller than the {fits} document tokens of a window "
                f"of {widest}: use strategy.reading.overlap_tokens={fits - 1} or less."
            )
        spans = list(islice(self._spans(encoded, widest, length, added=added, overlap=overlap), self.max_windows))
        return [self._window(encoded, spans, place) for place in range(len(spans))]

    def _spans(self, encoded: Encoded, widest: int, length: int, *, added: int, overlap: int) -> Iterator["Span"]:
        """Yield what each window has of the document.

        Args:
            encoded: The document.
            widest: Tokens of a window, at most.
            length: Tokens of a group, at most.
            added: Tokens around the document's in every window.
            overlap: Tokens of the document that neighbouring windows share.
        """
        used = 0
        for first, end in text_spans(encoded):
            start = first
            while start < end:
                width = min(widest, length - used)
                if not used or width - added <= overlap:
                    used, width = 0, widest
                stop = min(start + width - added, end)
                yield Span(start, stop, begins=not used)
                used += stop - start + added
                start = end if stop == end else stop - overlap

    def _window(self, encoded: Encoded, spans: Sequence["Span"], place: int) -> Window:
        """Return the window of a span, with what the decoder reads of it."""
        own = spans[place]
        window = frame(encoded, np.arange(own.start, own.stop), begins=own.begins)
        if self.keep == "all":
            return replace(window, kept=np.ones(len(window), np.bool_))
        before = None if own.begins else spans[place - 1]
        after = None if place + 1 == len(spans) or spans[place + 1].begins else spans[place + 1]
        kept = np.zeros(len(window), np.bool_)
        first = own.start if before is None else between(before, own)
        last = own.stop if after is None else between(own, after)
        kept[len(encoded.before) :][first - own.start : last - own.start] = True
        kept[: len(encoded.before)] = before is None
        kept[len(window) - len(encoded.after) :] = after is None
        return replace(window, kept=kept)

    def merge(self, windows: Sequence[Window], outputs: Sequence[FloatArray], num_tokens: int) -> Merged:
        """Map outputs back; a token that several windows have gets those of the first, and what is cut is not seen."""
        return merging.first(windows, outputs, num_tokens)

    def install(self, model: Any) -> None:
        """Add hooks to ``model`` that join the encoder's states for the decoder.

        Raises:
            UserError: The model has no decoder that generates.
        """
        for handle in getattr(model, "ctxlab_fused", ()):
            handle.remove()
        model.ctxlab_fused = Fusion().watch(model)
        note = {"name": "fused", "overlap_tokens": self.overlap_tokens, "keep": self.keep}
        note_installed(model.config, "reading", note)

    def reach(self, num_windows: int) -> BoolArray:
        """Declare (N, N): what is generated depends on all windows that are read together."""
        return np.ones((num_windows, num_windows), dtype=np.bool_)


def between(one: Span, other: Span) -> int:
    """Return the first token that the decoder reads of the later of two neighbouring windows of a group."""
    return other.start + max(one.stop - other.start, 0) // 2


def text_spans(encoded: Encoded) -> list[tuple[int, int]]:
    """Return first and last token (not included) of each text that the document consists of."""
    starts = np.flatnonzero(encoded.marks & TEXT) if len(encoded.marks) else np.zeros(0, np.int64)
    bounds = [0, *(start for start in starts.tolist() if start), len(encoded)]
    return [(start, end) for start, end in pairwise(bounds) if start < end]
