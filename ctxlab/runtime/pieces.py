"""A document that is read one forward pass at a time, so that several documents can take turns.

A unit is what cannot be divided between passes: a window, or several that are linked (``Window.begins``).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from ctxlab.core.passes import Item
from ctxlab.core.types import Encoded, FloatArray, GeneratedTokens, Merged, Window
from ctxlab.data.sampler import split_forward
from ctxlab.runtime.forward import make_items, units
from ctxlab.runtime.reader import Reader

Outputs = list[FloatArray] | GeneratedTokens
"""What comes of a unit: outputs (W, D) of each of its windows, or the text generated after it."""


@dataclass(eq=False)
class Pieces:
    """A document, its units and what came of them so far.

    The units of each pass are those that they would be if ``Reader.read`` were given the document alone.
    """

    encoded: Encoded
    windows: Sequence[Window]
    units: Sequence[Item | Sequence[Window]]
    passes: list[list[int]]
    """Units of each pass that is still to be run, the next one last."""
    sizes: Sequence[int]
    """Tokens of each unit that are in memory at the same time."""
    results: dict[int, Outputs] = field(default_factory=dict)

    @property
    def tokens(self) -> int:
        """Return the tokens of the next pass, with its padding."""
        return len(self.passes[-1]) * max(self.sizes[unit] for unit in self.passes[-1])

    def merged(self, reader: Reader) -> Merged:
        """Merge the results once no pass is left."""
        found = [self.results[unit] for unit in range(len(self.units))]
        if reader.generator is not None:
            merged = reader.unobserved(self.encoded, self.windows)
            return replace(merged, generated=[one for one in found if isinstance(one, GeneratedTokens)])
        if not reader.runs_model:
            return reader.unobserved(self.encoded, self.windows)
        outputs = [each for one in found for each in cast(list[FloatArray], one)]
        return reader.merged(self.encoded, self.windows, outputs)


def divide(reader: Reader, encoded: Encoded) -> Pieces:
    """Return the passes of a document of which no gold is known."""
    windows = reader.strategy.reading.windows(encoded, reader.length)
    if not reader.runs_model:
        return Pieces(encoded, windows, units=[], passes=[], sizes=[])
    if reader.generator is not None:
        asked = units(windows)
        lengths = [sum(map(len, unit)) for unit in asked]
        sizes = [length + reader.generator.decoding.max_new_tokens for length in lengths]
        return Pieces(encoded, windows, asked, passes=reader.generator.groups(lengths)[::-1], sizes=sizes)
    items = make_items(0, encoded, windows)
    sizes = reader.sizes(items)
    passes = split_forward(range(len(items)), sizes, reader.tokens_per_forward)
    return Pieces(encoded, windows, items, passes=passes[::-1], sizes=sizes)


def together(reader: Reader, first: Pieces, others: Sequence[Pieces]) -> list[Pieces]:
    """Return those documents whose next passes are run as one: ``first``, and others as long as they fit.

    Documents that would be padded much, or may not share a pass, are left for a later one.
    """
    chosen, sizes = [first], [first.sizes[unit] for unit in first.passes[-1]]
    if reader.generator is not None and not (reader.generator.cached and reader.generator.padded):
        return chosen
    for other in others:
        asked = [*sizes, *(other.sizes[unit] for unit in other.passes[-1])]
        if len(split_forward(range(len(asked)), asked, reader.tokens_per_forward)) == 1:
            chosen.append(other)
            sizes = asked
    return chosen


def run(reader: Reader, chosen: Sequence[Pieces]) -> None:
    """Run the next pass of each of these documents together.

    Raises:
        UserError: A single unit does not fit the memory.
    """
    places = [(pieces, unit) for pieces in chosen for unit in pieces.passes[-1]]
    found = _results(reader, [pieces.units[unit] for pieces, unit in places])
    for (pieces, unit), result in zip(places, found, strict=True):
        pieces.results[unit] = result
    for pieces in chosen:
        pieces.passes.pop()


def _results(reader: Reader, asked: Sequence[Item | Sequence[Window]]) -> Sequence[Outputs]:
    reader.model.eval()
    if reader.generator is None:
        return reader.outputs(cast(list[Item], asked))
    with reader.strategy.attention.reading():
        return reader.generator.generate(cast(list[list[Window]], asked))
