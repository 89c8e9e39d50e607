"""Readings against slow references written from their definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctxlab.core.errors import UserError
from ctxlab.core.types import ADDED, Encoded, Window
from ctxlab.strategies.reading.chunk import Chunk
from ctxlab.strategies.reading.compress import Compress
from ctxlab.strategies.reading.select import Select
from ctxlab.strategies.reading.truncate import Truncate


def document(num_tokens, before=(101,), after=(102,)):
    return Encoded(
        input_ids=np.arange(num_tokens) + 1000,
        word_ids=np.arange(num_tokens),
        labels=np.zeros(num_tokens, dtype=np.int64),
        before=before,
        after=after,
    )


def seen(window):
    return [int(token) for token in window.token_index if token != ADDED]


def check_frame(window, encoded, length):
    """Special tokens around the document's, ids and map in step."""
    num_before, num_after = len(encoded.before), len(encoded.after)
    assert len(window) <= length
    assert window.input_ids.dtype == window.token_index.dtype == np.int64
    assert tuple(window.input_ids[:num_before]) == encoded.before
    assert tuple(window.input_ids[len(window) - num_after :]) == encoded.after
    inner = window.token_index[num_before : len(window) - num_after]
    assert list(window.input_ids[num_before : len(window) - num_after]) == [encoded.input_ids[i] for i in inner]
    assert (inner >= 0).all()
    assert (window.token_index >= 0).sum() == len(inner)


specials = st.sampled_from([((101,), (102,)), ((), ()), ((101, 7, 8, 102), (102,))])


@given(st.integers(0, 60), st.integers(1, 30), st.integers(0, 10), specials)
def test_chunk_windows(num_tokens, room, overlap, added):
    encoded = document(num_tokens, *added)
    length = room + len(added[0]) + len(added[1])
    part = Chunk(overlap_tokens=overlap)
    if overlap >= room:
        with pytest.raises(UserError, match="overlap_tokens"):
            part.windows(encoded, length)
        return
    expected, start = [], 0
    while num_tokens:
        expected.append(list(range(start, min(start + room, num_tokens))))
        if start + room >= num_tokens:
            break
        start += room - overlap
    windows = part.windows(encoded, length)
    assert [seen(window) for window in windows] == expected
    for window in windows:
        check_frame(window, encoded, length)


@given(st.integers(0, 60), st.integers(1, 30), st.sampled_from(["head", "tail", "head_tail", "middle"]), specials)
def test_truncate_windows(num_tokens, room, keep, added):
    encoded = document(num_tokens, *added)
    length = room + len(added[0]) + len(added[1])
    windows = Truncate(keep).windows(encoded, length)
    tokens = list(range(num_tokens))
    if num_tokens == 0:
        assert windows == []
        return
    (window,) = windows
    check_frame(window, encoded, length)
    kept = seen(window)
    if num_tokens <= room:
        assert kept == tokens
    elif keep == "head":
        assert kept == tokens[:room]
    elif keep == "tail":
        assert kept == tokens[-room:]
    elif keep == "head_tail":
        head = (room + 1) // 2
        assert kept == tokens[:head] + (tokens[-(room - head) :] if room > head else [])
    else:
        lost_in_front, lost_behind = kept[0], num_tokens - 1 - kept[-1]
        assert kept == tokens[kept[0] : kept[0] + room]
        assert 0 <= lost_behind - lost_in_front <= 1


def slow_merge(rule, windows, outputs, num_tokens):
    """Merge token by token: the windows that contain it, combined by the rule."""
    merged = [None] * num_tokens
    for token in range(num_tokens):
        found = []
        for window, values in zip(windows, outputs, strict=True):
            own = seen(window)
            if token in own:
                place = own.index(token)
                at = list(window.token_index).index(token)
                found.append((min(place, len(own) - 1 - place), values[at], place))
        if found and rule == "first":
            merged[token] = found[0][1]
        elif found and rule == "mean":
            merged[token] = sum(values for _, values, _ in found) / len(found)
        elif found and rule == "left":
            merged[token] = max(found, key=lambda pair: pair[2])[1]
        elif found:
            merged[token] = max(found, key=lambda pair: pair[0])[1]
    return merged


@settings(deadline=None)
@given(
    st.sampled_from(["first", "mean", "central", "left"]),
    st.integers(1, 40),
    st.integers(2, 20),
    st.integers(0, 19),
    specials,
    st.integers(0, 1000),
)
def test_chunk_merge(rule, num_tokens, room, overlap, added, seed):
    overlap = min(overlap, room - 1)
    encoded = document(num_tokens, *added)
    part = Chunk(overlap, merge=rule)
    windows = part.windows(encoded, room + len(added[0]) + len(added[1]))
    rng = np.random.default_rng(seed)
    outputs = [rng.normal(size=(len(window), 3)).astype(np.float32) for window in windows]
    merged = part.merge(windows, outputs, num_tokens)
    assert merged.seen.all()
    assert merged.outputs.dtype == np.float32
    np.testing.assert_allclose(merged.outputs, slow_merge(rule, windows, outputs, num_tokens), atol=1e-6)


@given(st.integers(1, 40), st.integers(3, 20), st.sampled_from(["head", "tail", "head_tail", "middle"]))
def test_truncate_merge_leaves_the_rest_unseen(num_tokens, length, keep):
    encoded, part = document(num_tokens), Truncate(keep)
    windows = part.windows(encoded, length)
    outputs = [np.random.default_rng(0).normal(size=(len(window), 2)).astype(np.float32) for window in windows]
    merged = part.merge(windows, outputs, num_tokens)
    for token, expected in enumerate(slow_merge("first", windows, outputs, num_tokens)):
        assert merged.seen[token] == (expected is not None)
        np.testing.assert_array_equal(merged.outputs[token], 0 if expected is None else expected)


def test_a_document_that_fits_is_one_window():
    assert len(Chunk(3).windows(document(10), 12)) == 1
    assert len(Chunk(3).windows(document(11), 12)) == 2
    assert seen(Chunk().windows(document(10), 12)[0]) == list(range(10))


def test_without_overlap_every_token_is_seen_once():
    windows = Chunk().windows(document(1003), 52)
    assert [token for window in windows for token in seen(window)] == list(range(1003))
    assert len(windows) == 21


@pytest.mark.parametrize("rule", ["first", "mean", "central"])
def test_a_long_document_is_merged_from_its_windows(rule):
    encoded, part = document(100_000), Chunk(64, merge=rule)
    windows = part.windows(encoded, 512)
    outputs = [np.ones((len(window), 9), dtype=np.float32) for window in windows]
    merged = part.merge(windows, outputs, len(encoded))
    assert merged.seen.all()
    assert (merged.outputs == 1).all()


def test_a_document_without_tokens_has_no_windows():
    for part in (Chunk(), Truncate()):
        assert part.windows(document(0), 10) == []
        merged = part.merge([], [], 0)
        assert merged.outputs.shape[0] == merged.seen.shape[0] == 0


def test_tokens_of_no_window_are_unseen():
    merged = Chunk().merge([], [], 5)
    assert not merged.seen.any()
    assert merged.outputs.shape[0] == 5


def test_special_tokens_never_reach_the_document():
    window = Window(input_ids=np.arange(4), token_index=np.array([ADDED, 1, 0, ADDED]))
    outputs = [np.array([[9], [1], [2], [9]], dtype=np.float32)]
    assert Chunk().merge([window], outputs, 2).outputs.tolist() == [[2], [1]]


@pytest.mark.parametrize("part", [Chunk(), Truncate()])
@pytest.mark.parametrize("length", [0, 1, 2])
def test_no_room_beside_the_special_tokens(part, length):
    with pytest.raises(UserError, match=f"context.length={length} .* use context.length=3 or more"):
        part.windows(document(5), length)


def test_options_that_make_no_sense():
    with pytest.raises(UserError, match="keep=centre is not one of head, tail, middle, head_tail"):
        Truncate("centre")
    with pytest.raises(UserError, match="merge=max is not one of first, mean, central"):
        Chunk(merge="max")
    with pytest.raises(UserError, match="overlap_tokens=-1"):
        Chunk(-1)


def test_the_longest_window_is_the_context():
    assert Chunk().longest(700) == Truncate().longest(700) == 700


READINGS = {"chunk": Chunk, "truncate": Truncate, "select": Select, "compress": lambda: Compress(ratio=1.0)}


@pytest.mark.parametrize("name", READINGS)
@pytest.mark.parametrize(
    ("trained", "extended", "longest"),
    [(512, False, 512), (512, True, 4096), (None, False, 4096), (9999, False, 4096)],
)
def test_no_window_is_longer_than_the_trained_length_unless_positions_are_extended(name, trained, extended, longest):
    part = READINGS[name]()
    part.fit(trained, 0, 4096, extended=extended)
    encoded = document(5000)
    windows = part.windows(encoded, 4096)
    assert part.longest(4096) == longest
    assert max(len(window) for window in windows) == longest
    assert part.longest(100) == 100  # a curriculum may stay below
    read = {token for window in windows for token in seen(window)}
    assert len(read) == (5000 if name == "chunk" else longest - 2)


def test_a_prompt_that_fills_the_trained_length_is_refused_by_that_length():
    part = Chunk()
    part.fit(512, 0, 4096, extended=False)
    with pytest.raises(UserError, match=r"The 512 tokens that the model was trained for leave no room.*beside 601 "):
        part.windows(document(10, before=(7,) * 600), 4096)
