"""The order of turns: every document has a pass before any has its next one, and keys have equal shares."""

from collections.abc import Sequence

from ctxlab.runtime.pieces import together
from ctxlab.runtime.reader import Reader
from ctxlab.serving.ticket import Read, Ticket, Turn

LOOKED_AT = 64
"""Documents among which those are chosen that share a pass."""


class Ring:
    """Documents that wait for their next pass. Not safe for several threads: the scheduler holds a lock."""

    def __init__(self) -> None:
        self._turns: list[Turn] = []
        self._spent: dict[str, int] = {}
        """Tokens that were read for each key in the ring, above those of the one that came last."""
        self._given_up: list[Turn] = []
        """Begun documents of clients that have left; they are closed by the thread that runs passes."""

    def __bool__(self) -> bool:
        """Return whether there is anything to do."""
        return bool(self._turns or self._given_up)

    def add(self, turns: Sequence[Turn], key: str) -> None:
        """Put documents at the end."""
        self._spent.setdefault(key, min(self._spent.values(), default=0))
        self._turns += turns

    def remove(self, ticket: Ticket) -> None:
        """Take the documents of a record out."""
        self._given_up += [turn for turn in self._turns if turn.ticket is ticket]
        self._turns = [turn for turn in self._turns if turn.ticket is not ticket]

    def given_up(self) -> list[Turn]:
        """Return what was removed since the last call."""
        found, self._given_up = self._given_up, []
        return found

    def next(self, reader: Reader) -> list[Turn]:
        """Return the documents of the next pass; one without any pass left, or that is explained, is alone."""
        if not self._turns:
            return []
        first = min(self._turns, key=lambda turn: self._spent.get(turn.ticket.key, 0))  # of these the first
        if not isinstance(first, Read) or first.has_ended:
            return [first]
        others = [turn for turn in self._turns if turn is not first][:LOOKED_AT]
        by_pieces = {turn.pieces: turn for turn in (first, *others) if isinstance(turn, Read) and not turn.has_ended}
        _, *rest = by_pieces
        return [by_pieces[one] for one in together(reader, first.pieces, rest)]

    def charge(self, turns: Sequence[Turn]) -> int:
        """Count the tokens of the next pass of these documents for their keys, and return them all."""
        for turn in turns:
            self._spent[turn.ticket.key] = self._spent.get(turn.ticket.key, 0) + turn.tokens
        return sum(turn.tokens for turn in turns)

    def after(self, turns: Sequence[Turn]) -> None:
        """Put those that had their turn at the end, if a pass is left."""
        still = [turn for turn in turns if not turn.has_ended and turn in self._turns]
        self._turns = [*(turn for turn in self._turns if turn not in turns), *still]
        there = {turn.ticket.key for turn in self._turns}
        self._spent = {key: tokens for key, tokens in self._spent.items() if key in there}
