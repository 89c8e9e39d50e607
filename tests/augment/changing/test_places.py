"""Places after replacements, against a text that is really replaced and searched."""

import random

import pytest

from ctxlab.augment.changing.places import Move, Places


@pytest.mark.parametrize("seed", range(200))
def test_marks_are_found_where_the_places_say(seed):
    """Letters are unique, and parts of them are replaced by digits: what remains must lie where it is said to."""
    draw = random.Random(seed)
    text = "abcdefghijklmnopqrstuvwxyz"
    borders = sorted(draw.choices(range(len(text) + 1), k=2 * draw.randint(0, 4)))
    moves, pieces, at = [], [], 0
    for start, end in zip(borders[::2], borders[1::2], strict=True):
        if moves and start == moves[-1].end == moves[-1].start:
            continue  # two insertions at one place
        size = draw.randint(0, 3)
        moves.append(Move(start, end, size))
        pieces += [text[at:start], "#" * size]
        at = end
    new = "".join([*pieces, text[at:]])
    places = Places(moves)
    for index, letter in enumerate(text):
        if letter in new:
            assert new.index(letter) == places.begin(index)
            assert new.index(letter) + 1 == places.end(index + 1)
    for move in moves:
        if move.start < move.end:
            first, last = places.begin(move.start), places.end(move.end)
            assert new[first:last] == "#" * move.size
            assert all(places.begin(inside) == first for inside in range(move.start + 1, move.end))
            assert all(places.end(inside) == last for inside in range(move.start + 1, move.end))


def test_an_insertion_stays_outside_what_ends_and_begins_at_its_place():
    places = Places([Move(3, 3, 2)])
    assert (places.end(3), places.begin(3), places.inserted()) == (3, 5, [3])
