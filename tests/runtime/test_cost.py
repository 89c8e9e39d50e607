"""Cost of a run: operations against torch's own counter and closed formulae, peak memory against allocated pages.

Torch's counter counts below autograd, independently of the functions that ours hooks.
"""

import gc
import mmap
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
import transformers as tf

from ctxlab.config import catalogue
from ctxlab.config.build import build
from ctxlab.core.architecture import recompute_activations
from ctxlab.core.errors import UserError
from ctxlab.core.generation import Decoding
from ctxlab.core.strategy import Attention, Memory
from ctxlab.core.types import Window
from ctxlab.models.tiny_bert import TinyBert
from ctxlab.models.tiny_gpt2 import TinyGpt2
from ctxlab.models.tiny_llama import TinyLlama
from ctxlab.models.tiny_t5 import TinyT5
from ctxlab.optim.tuning.full import Full
from ctxlab.optim.tuning.head import Head
from ctxlab.optim.tuning.top_k import TopK
from ctxlab.runtime import cost
from ctxlab.runtime.cost import RULES, FlopCounter, MemoryMeter
from ctxlab.runtime.forward import AFTER_WINDOW, IN_DECODER
from ctxlab.runtime.generator import TextGenerator
from tests.operations import FUSED, FUSED_BACKWARD, torchs_counter

ATTENTION = catalogue.conf_dir() / "strategy" / "attention"
SIZE = {"hidden_size": 32, "num_layers": 2}
MODELS = {
    "bert": lambda: TinyBert(**SIZE).build("token_classification", ["a", "b"]),
    "llama": lambda: TinyLlama(**SIZE).build("causal_lm", []),
    "gpt2": lambda: TinyGpt2(**SIZE).build("causal_lm", []),
    "t5": lambda: TinyT5(**SIZE).build("seq2seq_lm", []),
}


def given(kind, read=70, written=11, rows=2):
    ids = torch.randint(5, 60, (rows, read), generator=torch.Generator().manual_seed(0))
    return {"input_ids": ids, **({"decoder_input_ids": ids[:, :written]} if kind == "t5" else {})}


@contextmanager
def counted() -> Iterator[list[float]]:
    """What torch counts while it runs; the list has it afterwards."""
    found: list[float] = []
    with torchs_counter() as counter:
        yield found
    found.append(counter.get_total_flops())


def both(run):
    """Ours and torch's."""
    with FlopCounter() as ours:
        run()
    with counted() as theirs:
        run()
    return ours.total, theirs[0]


def step(model, inputs):
    def run():
        loss = model(**inputs).logits.float().sum()
        if loss.requires_grad:
            loss.backward()

    return run


@pytest.mark.parametrize("tuning", [Full(), Head(), TopK(1)], ids=["full", "head", "top_k"])
@pytest.mark.parametrize("kind", list(MODELS))
def test_a_training_step_costs_what_torch_counts(kind, tuning):
    model = MODELS[kind]()
    try:
        tuning.install(model)
    except UserError:
        pytest.skip("refused on this model, whose head is its embeddings")
    ours, theirs = both(step(model, given(kind)))
    assert ours == theirs > 0


def drawn(*shape):
    return torch.randn(*shape, requires_grad=True)


PRODUCTS = {
    "linear": lambda: torch.nn.functional.linear(drawn(3, 5), drawn(7, 5)),
    "matmul": lambda: torch.matmul(drawn(2, 3, 5), drawn(5, 4)),
    "mm": lambda: torch.mm(drawn(3, 5), drawn(5, 4)),
    "bmm": lambda: torch.bmm(drawn(2, 3, 5), drawn(2, 5, 4)),
    "__matmul__": lambda: drawn(3, 5) @ drawn(5, 4),
    "__rmatmul__": lambda: drawn(5, 4).__rmatmul__(drawn(3, 5)),
    "addmm": lambda: torch.addmm(drawn(4), drawn(3, 5), drawn(5, 4)),
    "baddbmm": lambda: torch.baddbmm(drawn(2, 3, 4), drawn(2, 3, 5), drawn(2, 5, 4)),
    "einsum": lambda: torch.einsum("bid,bjd->bij", drawn(2, 3, 5), drawn(2, 4, 5)),
    "scaled_dot_product_attention": lambda: torch.nn.functional.scaled_dot_product_attention(
        drawn(2, 2, 3, 8), drawn(2, 2, 6, 8), drawn(2, 2, 6, 8)
    ),
    "_scaled_dot_product_flash_attention_for_cpu": lambda: FUSED(
        drawn(2, 2, 3, 8), drawn(2, 2, 6, 8), drawn(2, 2, 6, 8)
    )[0],
    "_scaled_dot_product_flash_attention_for_cpu_backward": lambda: fused_backward(),
}


def fused_backward():
    """The gradient of a query, of which torch is to count nothing more."""
    upstream, query = (torch.randn(2, 2, 3, 8) for _ in range(2))
    key, value = (torch.randn(2, 2, 6, 8) for _ in range(2))
    gradients = FUSED_BACKWARD(upstream, query, key, value, *FUSED(query, key, value), 0.0, False)
    return gradients[0] + drawn(1)


def test_every_rule_has_a_product():
    assert set(PRODUCTS) == set(RULES)


@pytest.mark.parametrize("name", RULES)
def test_every_product_costs_what_torch_counts(name):
    ours, theirs = both(lambda: PRODUCTS[name]().sum().backward())
    assert ours == theirs > 0


def test_forward_is_the_closed_formula_and_the_backward_pass_twice_that():
    length, n, d = 128, 2, 64
    config = tf.BertConfig(
        hidden_size=d, num_hidden_layers=n, num_attention_heads=4, intermediate_size=4 * d, vocab_size=50
    )
    model = tf.BertModel(config, add_pooling_layer=False).eval()
    formula = n * (24 * length * d**2 + 4 * length**2 * d)
    with FlopCounter() as reading, torch.no_grad():
        model(torch.zeros(1, length, dtype=torch.long))
    assert reading.total == formula
    with FlopCounter() as training:
        model(torch.zeros(1, length, dtype=torch.long)).last_hidden_state.sum().backward()
    assert training.total == 3 * formula


class Adapted(torch.nn.Module):
    """A frozen matrix and the product of two thin ones beside it (LoRA)."""

    def __init__(self, frozen):
        super().__init__()
        self.frozen = frozen
        self.down = torch.nn.Linear(frozen.in_features, 1, bias=False)
        self.up = torch.nn.Linear(1, frozen.out_features, bias=False)

    def forward(self, states):
        return self.frozen(states) + self.up(self.down(states))


def test_adapters_on_all_matrices_cost_one_forward_pass_and_little_more_on_the_way_back():
    """A frozen matrix passes the gradient on but needs none itself: 1 of the 2 products of full tuning."""
    model = tf.BertModel(
        tf.BertConfig(hidden_size=128, num_hidden_layers=6, num_attention_heads=4, intermediate_size=512,
                      vocab_size=50), add_pooling_layer=False,
    ).eval().requires_grad_(False)  # fmt: skip
    for module in list(model.encoder.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, torch.nn.Linear):
                setattr(module, name, Adapted(child))
    ids = torch.zeros(1, 64, dtype=torch.long)
    with FlopCounter() as reading, torch.no_grad():
        model(ids)
    ours, theirs = both(lambda: model(ids).last_hidden_state.sum().backward())
    assert ours == theirs
    assert 0.95 < ours / reading.total - 1 < 1.1  # less than 1, as nothing below the first layer learns


def test_layers_that_are_computed_twice_count_twice():
    model = MODELS["llama"]().train()
    once, _ = both(step(model, given("llama")))
    recompute_activations(model)
    twice, theirs = both(step(model, {**given("llama"), "use_cache": False}))
    assert twice == theirs > once


@pytest.mark.covering
@pytest.mark.parametrize("name", sorted(p.stem for p in ATTENTION.glob("*.yaml")))
@pytest.mark.parametrize("kind", ["bert", "llama", "t5"])
def test_every_attention_part_costs_what_its_kernel_computes(kind, name):
    part = build(catalogue.read(catalogue.option_file("strategy/attention", name)), Attention)
    model = MODELS[kind]()
    try:
        part.install(model)
    except UserError:
        pytest.skip("refused on this kind of model")
    ours, theirs = both(step(model, given(kind, read=330, rows=1)))
    assert ours == theirs > 0


@pytest.mark.parametrize("name", ["segment_cache", "sinks"])
def test_keys_in_a_cache_cost_what_they_are_compared_with(name):
    model = MODELS["llama"]()
    memory = build(catalogue.read(catalogue.option_file("strategy/memory", name)), Memory)
    memory.fit(32)
    memory.install(model)
    inputs = {"input_ids": torch.full((1, 32), 7), "attention_mask": torch.ones(1, 32, dtype=torch.long)}
    costs = []

    @torch.no_grad()
    def run():
        state = memory.start(1)
        for _ in range(2):
            with FlopCounter() as counter:
                _, state = memory.step(lambda named: model(**named), inputs, state)
            costs.append(counter.total)

    ours, theirs = both(run)
    assert ours == theirs
    pairs, width, layers = 32 * 32, 32, 2
    assert costs[1] - costs[0] == pytest.approx(4 * layers * width * pairs)


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize(("kind", "target_place"), [("llama", AFTER_WINDOW), ("t5", IN_DECODER)])
def test_every_beam_and_every_token_that_is_generated_counts(kind, target_place, beams):
    decoding = Decoding(max_new_tokens=5, num_beams=beams)
    generator = TextGenerator(MODELS[kind](), decoding, target_place, (3,), 0, 1000, True, True, torch.device("cpu"))
    window = Window(torch.arange(5, 25).numpy(), torch.arange(20).numpy())
    ours, theirs = both(lambda: generator.generate([[window]]))
    assert ours == theirs > 0


def test_memory_of_an_earlier_job_is_released_first(monkeypatch):
    """Part of a model in a reference cycle, as hooks create, and small blocks that the allocator keeps."""
    monkeypatch.setattr(cost, "gc", gc)
    before = MemoryMeter(torch.device("cpu")).peak_bytes()
    gc.disable()
    try:
        left: list[object] = [torch.ones(2**14) for _ in range(1024)]  # 64 MiB in pieces that are not mapped apart
        left.append(left)
        del left
        assert MemoryMeter(torch.device("cpu")).peak_bytes() - before < 16 * 2**20
    finally:
        gc.enable()


def test_a_peak_of_memory_is_seen_and_forgotten_by_the_next_meter():
    before = MemoryMeter(torch.device("cpu")).peak_bytes()
    meter = MemoryMeter(torch.device("cpu"))
    with mmap.mmap(-1, 64 * 2**20) as block:  # new pages, whatever the allocator keeps of earlier tests
        block.write(b"1" * len(block))
    peak = meter.peak_bytes()
    assert peak - before > 48 * 2**20
    assert MemoryMeter(torch.device("cpu")).peak_bytes() < peak - 32 * 2**20
