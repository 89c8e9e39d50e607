"""Bytes of tensors that are alive, against sums by hand."""

import math

import torch

from ctxlab.core.slices import slice_of
from ctxlab.runtime.live_tensors import LiveTensors


def test_a_storage_counts_once_until_it_is_freed():
    before = torch.zeros(10)
    live = LiveTensors([before])
    assert live.live_bytes == 40
    live.begin()
    with live:
        one = torch.zeros(100)
        view = one[:50].view(5, 10)
        two = one + 1
        assert live.live_bytes == 40 + 400 + 400
        del one
        assert live.live_bytes == 840  # the view holds it
        del view
        assert live.live_bytes == 440
        del two
    del before
    assert (live.live_bytes, live.peak_bytes) == (0, 840)
    assert live.sizes == [400, 400]
    assert live.events[:4] == [(0, True), (1, True), (0, False), (1, False)]


def test_a_backward_pass_counts_activations_and_gradients():
    """x (4, 8) by two products of 8 × 8: activations and their gradients, gradients of the weights."""
    first, second, x = (torch.ones(*shape, requires_grad=n < 2) for n, shape in enumerate([(8, 8), (8, 8), (4, 8)]))
    live = LiveTensors([first, second, x])
    live.begin()
    with live:
        loss = (x @ first @ second).sum()
        loss.backward()
    assert live.live_bytes == 4 * (64 + 64 + 32) + 4 + 4 * (64 + 64)  # with the loss and both gradients
    assert live.peak_bytes > live.live_bytes


def test_tensors_of_a_slice_grow_to_a_whole_slice_at_most():
    live = LiveTensors()
    with live:
        torch.zeros(3, 5)
        with slice_of(3, at_most=12):
            torch.zeros(3, 5)
    assert live.sizes == [60, 60]
    assert live.at_most == [math.inf, 12 * 5 * 4]
