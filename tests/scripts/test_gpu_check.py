"""The checks for a GPU run on a CPU too, and see a kernel that is wrong."""

import pytest
import torch

from ctxlab.strategies.attention.kernels import blocks
from scripts.gpu import check, parts

CPU = torch.device("cpu")


QUICK = tuple(name for name in check.CHECKS if name != "resume")


@pytest.mark.slow
@pytest.mark.parametrize("names", [QUICK, pytest.param(("resume",), marks=pytest.mark.slow)])
def test_every_check_ends_with_rows_that_hold(names):
    found = check.run(CPU, small=True, names=names)
    assert {row["check"] for row in found["rows"]} == set(names)
    assert [row for row in found["rows"] if row.get("met") is False] == []
    parts_seen = {row["what"].split(",")[0] for row in found["rows"] if row["check"] == "parts"}
    assert "parts" not in names or {"full", "local", "bigbird", "dilated"} <= parts_seen
    assert found["machine"]["device"] == "cpu"


@pytest.mark.parametrize("of_output", [True, False])
def test_a_wrong_kernel_is_seen(of_output, monkeypatch):
    blockwise = blocks.blockwise_sdpa

    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, tensor):
            return tensor * (1.001 if of_output else 1.0)

        @staticmethod
        def backward(ctx, gradient):
            return gradient * (1.0 if of_output else 1.001)

    monkeypatch.setattr(parts.catalogue, "options", lambda _: ["local"])
    monkeypatch.setattr(blocks, "blockwise_sdpa", lambda *given: Wrong.apply(blockwise(*given)))
    assert parts.check(CPU, True)[0]["met"] is False


def test_a_check_that_fails_leaves_the_others(monkeypatch):
    def fails(*_):
        raise RuntimeError("no kernel image")

    monkeypatch.setitem(check.CHECKS, "parts", fails)
    rows = check.run(CPU, small=True, names=("parts", "memory meter"))["rows"]
    assert [(row["check"], row["met"]) for row in rows] == [("parts", False), ("memory meter", None)]
    monkeypatch.setattr(check, "LIMIT_SECONDS", -1.0)
    assert check.run(CPU, small=True, names=("parts",))["rows"][0]["what"] == "not begun"
