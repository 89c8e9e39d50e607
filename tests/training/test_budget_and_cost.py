"""Budgets compose; operations are counted right; memory peaks are seen."""

import math
import mmap
import signal
from types import SimpleNamespace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import BertConfig, BertModel

from ctxlab.command.compose import compose
from ctxlab.config.build import build
from ctxlab.core.architecture import describe
from ctxlab.core.errors import UserError
from ctxlab.core.model import ModelSource
from ctxlab.runtime.cost import FlopModel, MemoryMeter
from ctxlab.training.budget import Budget
from ctxlab.training.faults import StopRequest, check_finite
from ctxlab.training.state import TrainState


def test_the_nearest_limit_counts():
    state = TrainState(step=10, epochs=1.5, seconds=30.0, tokens=1000, flops=2e12)
    assert Budget(max_steps=100).progress(state) == 0.1
    assert Budget(max_epochs=3).progress(state) == 0.5
    assert Budget(max_seconds=40).progress(state) == 0.75
    assert Budget(max_tokens=4000).progress(state) == 0.25
    assert Budget(max_flops=1e13).progress(state) == 0.2
    composed = Budget(max_steps=100, max_epochs=3, max_seconds=40, max_tokens=4000, max_flops=1e13)
    assert composed.progress(state) == 0.75
    assert composed.nearest(state) == "trainer.max_seconds=40"
    assert Budget(max_steps=5).progress(state) == 1.0
    assert Budget().progress(state) == 0.0


def test_a_pass_that_is_read_in_thirds_is_whole():
    """0.1 + 0.2 is not 0.3 to a computer: what rounding leaves must not cost a further step."""
    state = TrainState()
    for _ in range(10):
        state.count_step(10)
        state.begin_pass(16)
    assert state.epochs != 1.0
    assert Budget(max_epochs=1).progress(state) == 1.0


LIMITS = ("max_steps", "max_epochs", "max_seconds", "max_tokens", "max_flops")


def test_without_any_limit_a_run_has_three_epochs():
    limits = dict.fromkeys(LIMITS)
    assert Budget.of(SimpleNamespace(**limits)) == Budget(max_epochs=3)
    for name in LIMITS:
        assert Budget.of(SimpleNamespace(**{**limits, name: 9})) == Budget(**{name: 9})


@pytest.mark.parametrize("length", [32, 128])
def test_flops_match_the_formula_and_torchs_counter(length):
    n, d = 2, 64
    config = BertConfig(
        hidden_size=d, num_hidden_layers=n, num_attention_heads=4, intermediate_size=4 * d, vocab_size=50,
        attn_implementation="eager",
    )  # fmt: skip
    model = BertModel(config, add_pooling_layer=False).eval()
    counted = FlopModel.of(model, n, d).forward(length, length * length)
    assert counted == n * (24 * length * d**2 + 4 * length**2 * d)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(1, length, dtype=torch.long))
    assert math.isclose(counted, counter.get_total_flops(), rel_tol=1e-3)


@pytest.mark.parametrize("name", ["tiny_llama", "tiny_gpt2"])
def test_flops_of_writing_match_torchs_counter(name):
    model = build(compose("train", ["task=lm", f"model={name}"]).model, ModelSource).build("causal_lm", []).eval()
    model.set_attn_implementation("eager")
    facts = describe(model)
    flops, read, written = FlopModel.of(model, facts.num_layers, facts.hidden_size), 48, 5
    with torch.no_grad():
        with FlopCounterMode(display=False) as reading:
            given = model(torch.full((1, read), 5), use_cache=True)
        with FlopCounterMode(display=False) as writing:
            for _ in range(written):
                given = model(torch.full((1, 1), 5), past_key_values=given.past_key_values, use_cache=True)
    assert math.isclose(flops.forward(read, read * read), reading.get_total_flops(), rel_tol=1e-2)
    assert math.isclose(flops.writing(read, written), writing.get_total_flops(), rel_tol=1e-2)
    assert flops.writing(read, written, beams=3) == 3 * flops.writing(read, written)


def test_training_costs_three_forwards():
    model = FlopModel(matrix_weights=10, num_layers=2, hidden_size=4)
    assert model.training(5, 25) == 3 * model.forward(5, 25) == 3 * (100 + 800)


def test_a_peak_of_memory_is_seen_and_forgotten_by_the_next_meter():
    before = MemoryMeter(torch.device("cpu")).peak_bytes()
    meter = MemoryMeter(torch.device("cpu"))
    with mmap.mmap(-1, 64 * 2**20) as block:  # new pages, whatever the allocator keeps of earlier tests
        block.write(b"1" * len(block))
    peak = meter.peak_bytes()
    assert peak - before > 48 * 2**20
    assert MemoryMeter(torch.device("cpu")).peak_bytes() < peak - 32 * 2**20


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_figure_that_is_not_finite_names_step_and_documents(value):
    with pytest.raises(UserError, match=r"loss is .* at step 7 \(documents a, b\)"):
        check_finite("loss", value, 7, ["a", "b", "a"])
    check_finite("loss", 1.0, 7, ["a"])


def test_signals_are_heard_and_handlers_put_back():
    former = signal.getsignal(signal.SIGTERM)
    with StopRequest().listening() as stop:
        assert stop.signal_number is None
        signal.raise_signal(signal.SIGTERM)
        assert stop.signal_number == signal.SIGTERM
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) == former
