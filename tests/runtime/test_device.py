"""Device and precision: the requested ones, or one sentence."""

import pytest
import torch

from ctxlab.core.errors import UserError
from ctxlab.runtime import device
from ctxlab.runtime.device import make_accelerator


def test_successive_jobs_may_use_different_precisions():
    for precision, mixed in (("fp32", "no"), ("bf16", "bf16"), ("fp32", "no")):
        accelerator = make_accelerator("cpu", precision)
        assert (accelerator.device.type, accelerator.mixed_precision) == ("cpu", mixed)


@pytest.mark.parametrize("native", [True, False])
def test_auto_is_bf16_where_the_hardware_multiplies_it(native, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": native})
    assert make_accelerator("cpu", "auto").mixed_precision == ("bf16" if native else "no")


@pytest.mark.parametrize(("native", "precision"), [(True, "bf16"), (False, "bf16"), (False, "fp32")])
def test_bf16_in_software_is_warned_of(native, precision, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": native})
    note = device.slow_precision(make_accelerator("cpu", precision))
    assert (note is not None) == (precision == "bf16" and not native)


def test_what_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(device.torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match=r"trainer\.device=cuda"):
        make_accelerator("cuda", "fp32")
    with pytest.raises(UserError, match=r"trainer\.precision=fp16"):
        make_accelerator("auto", "fp16")


def test_operations_without_a_fixed_order_are_refused_where_asked_for():
    try:
        make_accelerator("cpu", "fp32", deterministic=True)
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.utils.deterministic.fill_uninitialized_memory
    finally:
        make_accelerator("cpu", "fp32")
    assert not torch.are_deterministic_algorithms_enabled()
