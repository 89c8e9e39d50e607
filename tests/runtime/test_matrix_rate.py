"""The rate of matrix products is measured once, and again where the cached figure is of no use."""

from time import perf_counter

import pytest
import torch

from ctxlab.runtime import matrix_rate as rates

CPU = torch.device("cpu")


def test_it_is_the_rate_of_products(monkeypatch):
    monkeypatch.setitem(rates.SIZES, "cpu", 512)
    left = torch.ones(512, 512)
    left @ left
    seconds = []
    for _ in range(20):
        started = perf_counter()
        left @ left
        seconds.append(perf_counter() - started)
    assert rates._measure(CPU, torch.float32) == pytest.approx(2 * 512**3 / min(seconds), rel=0.9)


def test_it_is_measured_once_for_each_precision(tmp_path, monkeypatch):
    monkeypatch.setenv("CTXLAB_CACHE", str(tmp_path))
    measured = []
    monkeypatch.setattr(rates, "_measure", lambda device, dtype: measured.append(dtype) or 7e9)
    assert [rates.matrix_rate(CPU, precision) for precision in ("fp32", "fp32", "bf16", "bf16")] == [7e9] * 4
    assert measured == [torch.float32, torch.bfloat16]
    for entry in (tmp_path / rates.FOLDER).iterdir():
        entry.write_text("{")
    assert rates.matrix_rate(CPU, "fp32") == 7e9
    assert len(measured) == 3


def test_a_rate_below_what_a_run_reaches_is_measured_again(tmp_path, monkeypatch):
    """It was measured while other programs ran: the share of a run would be 490 % of the machine's products."""
    monkeypatch.setenv("CTXLAB_CACHE", str(tmp_path))
    busy, quiet, busier = 9e9, 64e9, 5e9
    measured = iter([busy, quiet, busier])
    monkeypatch.setattr(rates, "_measure", lambda *_: next(measured))
    assert rates.matrix_rate(CPU, "fp32", reached=1e9) == busy
    assert rates.matrix_rate(CPU, "fp32", reached=46e9) == quiet
    assert rates.matrix_rate(CPU, "fp32", reached=46e9) == quiet
    assert rates.matrix_rate(CPU, "fp32", reached=70e9) == quiet, "the larger one is kept"


@pytest.mark.parametrize(("flops_per_second", "size"), [(1e8, 256), (2e9, 512), (1e13, 2048)])
def test_slow_products_are_small_ones(flops_per_second, size, monkeypatch):
    """A product of bf16 in software takes two minutes at 2,048 rows."""
    monkeypatch.setattr(rates, "_seconds", lambda size, *_: 2 * size**3 / flops_per_second)
    assert rates._size(CPU, torch.bfloat16) == size
