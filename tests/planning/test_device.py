"""The roofline on worked figures."""

import pytest

from ctxlab.planning.device import ACCESSES, EFFICIENCY, Device, memory, seconds

DEVICE = Device(name="d", memory_bytes=1e10, half_flops=1e14, single_flops=1e13, bytes_per_second=1e12, has_bf16=True)


def test_a_step_is_bound_by_operations_or_by_memory_traffic_or_by_the_program():
    worst, best = EFFICIENCY
    compute = seconds(DEVICE, flops=1e14, created_bytes=1e9, operations=1000, single=False)
    assert (compute.low, compute.high) == pytest.approx((1 / best, 1 / worst))
    slow = seconds(DEVICE, flops=1e14, created_bytes=1e9, operations=1000, single=True)
    assert slow.low == pytest.approx(10 / best)
    traffic = seconds(DEVICE, flops=1e12, created_bytes=1e12, operations=1000, single=False)
    assert traffic.low == pytest.approx(ACCESSES / best)
    assert seconds(DEVICE, flops=1, created_bytes=1, operations=1000, single=False).high == pytest.approx(0.01)
    assert compute.low < compute.middle < compute.high


def test_memory_is_that_of_the_tensors_and_more():
    found = memory(1e9)
    assert 1e9 < found.low < found.high


def test_half_precision_is_what_the_device_has():
    assert DEVICE.precision == "bf16"
