"""What a client that asked for a stream is told after each forward pass of its document."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, cast

import numpy as np

from ctxlab.core.passes import Item
from ctxlab.core.types import ADDED, Encoded, FloatArray, Window
from ctxlab.evaluation.answerer import Answerer
from ctxlab.runtime.pieces import Pieces
from ctxlab.serving.ticket import Read


class Progress:
    """The lines of one document: one for each window, and sometimes the answer so far.

    The answer so far comes with the first window and whenever the number of read ones has doubled, since it costs as
    much as that to the whole document. A task whose answers need all windows has none.
    """

    def __init__(self, answerer: Answerer) -> None:
        self._answerer = answerer
        self._told: set[int] = set()
        self._next_answer = 1

    def lines(self, turn: Read) -> Iterator[dict[str, Any]]:
        """Yield the lines of the windows that were read since the last call."""
        pieces = turn.pieces
        begins = np.cumsum([0, *(len(_windows(unit)) for unit in pieces.units)])
        fresh = sorted(pieces.results.keys() - self._told)
        self._told.update(fresh)
        done = sum(len(_windows(pieces.units[unit])) for unit in self._told)
        for unit in fresh:
            for i, window in enumerate(_windows(pieces.units[unit])):
                yield {
                    "document": turn.place,
                    "window": int(begins[unit]) + i,
                    "windows": int(begins[-1]),
                    "windows_read": done,
                    **_place(window, pieces.encoded),
                }
        if fresh and self._next_answer <= done < begins[-1]:
            self._next_answer = 2 * done
            yield from self._so_far(turn)

    def _so_far(self, turn: Read) -> Iterator[dict[str, Any]]:
        pieces, reader = turn.pieces, self._answerer.reader
        if reader.generator is not None or not reader.runs_model:
            return
        with suppress(Exception):  # such as a merge that needs all windows
            windows, outputs = _read(pieces)
            merged = reader.merged(pieces.encoded, windows, outputs)
            answer = self._answerer.answer(turn.document, pieces.encoded, merged)
            yield {"document": turn.place, "record_so_far": answer.record, "coverage": answer.coverage.plain()}


def _read(pieces: Pieces) -> tuple[list[Window], list[FloatArray]]:
    units = sorted(pieces.results)
    windows = [window for unit in units for window in _windows(pieces.units[unit])]
    return windows, [each for unit in units for each in cast(list[FloatArray], pieces.results[unit])]


def _windows(unit: Item | Sequence[Window]) -> list[Window]:
    return list(unit.windows if isinstance(unit, Item) else unit)


def _place(window: Window, encoded: Encoded) -> dict[str, list[int]]:
    """Return the tokens of the document that a window has, first and one after the last, and their characters."""
    own = window.token_index[window.token_index != ADDED]
    if not len(own):
        return {"tokens": [0, 0]}
    first, last = int(own.min()), int(own.max())
    tokens = {"tokens": [first, last + 1]}
    if not len(encoded.starts):
        return tokens
    return {**tokens, "characters": [int(encoded.starts[first]), int(encoded.ends[last])]}
