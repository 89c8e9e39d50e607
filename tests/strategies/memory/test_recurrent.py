"""Recurrent memory against a loop written by hand, and memory of no tokens against independent windows."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from ctxlab.core.added_modules import attached
from ctxlab.core.strategy import Strategy
from ctxlab.core.types import Encoded
from ctxlab.strategies.attention.full import Full
from ctxlab.strategies.curriculum.constant import Constant
from ctxlab.strategies.memory.none import NoMemory
from ctxlab.strategies.memory.recurrent import Recurrent
from ctxlab.strategies.positions.keep import Keep
from ctxlab.strategies.reading.chunk import Chunk
from tests.selection import EXAMPLES
from tests.strategies.memory.memory_runs import document, installed, passes, read

M, W = 3, 5


def by_hand(model, encoded, *, causal: bool) -> torch.Tensor:
    """Outputs on a document of full windows, as in the paper."""
    embed, memory = model.get_input_embeddings(), attached(model, "memory").start[None]
    outputs = []
    for ids in torch.from_numpy(encoded.input_ids).split(W):
        whole = torch.cat([memory, embed(ids[None]), *([memory] if causal else [])], dim=1)
        result = model(inputs_embeds=whole, output_hidden_states=True)
        outputs.append(result.logits[0, M : M + len(ids)])
        last = result.hidden_states[-1]
        memory = last[:, -M:] if causal else last[:, :M]
    return torch.cat(outputs)


@pytest.mark.parametrize(
    ("kind", "causal"),
    [("bert", False), ("roberta", False), ("distilbert", False), ("llama", True), ("gpt2", True)],
)
def test_it_equals_the_loop_of_the_paper(kind, causal, tiny):
    model = tiny(kind)
    whole, encoded = installed(model, Recurrent(M), W), document(4 * W + 2)
    assert_close(read(whole, model, [encoded])[0], by_hand(model, encoded, causal=causal), atol=1e-5, rtol=1e-5)
    assert whole.memory.num_added == (2 * M if causal else M)


@pytest.mark.by_default(1)
@pytest.mark.parametrize("kind", ["bert", "llama"])
@pytest.mark.parametrize("examples", EXAMPLES)
def test_memory_of_no_tokens_is_chunk(kind, tiny, examples):
    model, plain = tiny(kind), tiny(kind)
    whole = installed(model, Recurrent(0), 7)
    chunk = Strategy("chunk", Chunk(), Keep(), Full(), NoMemory(), Constant())

    @settings(max_examples=examples, deadline=None)
    @given(num_tokens=st.integers(0, 40), window=st.integers(5, 20), frame=st.booleans(), seed=st.integers(0, 9))
    def check(num_tokens, window, frame, seed):
        whole.reading.window = window
        encoded = document(num_tokens, seed, **({"before": (2,), "after": (3,)} if frame else {}))
        outputs, expected = read(whole, model, [encoded])[0], read(chunk, plain, [encoded], window)[0]
        assert_close(outputs, expected, atol=1e-5, rtol=1e-5)

    check()
    assert attached(model, "memory") is None
    assert (whole.memory.num_added, whole.memory.num_cached) == (0, 0)


@pytest.mark.parametrize("kind", ["bert", "llama"])
@pytest.mark.parametrize("bptt_windows", [1, 2, 3, 9])
def test_the_gradient_reaches_the_configured_number_of_windows(kind, bptt_windows, tiny):
    model = tiny(kind)
    whole, num_windows, touched = installed(model, Recurrent(M, bptt_windows), W), 7, []

    def forward(inputs):
        touched.append(torch.zeros_like(inputs["inputs_embeds"], requires_grad=True))
        return model(**{**inputs, "inputs_embeds": inputs["inputs_embeds"] + touched[-1]})

    results = list(passes(whole, model, [document(num_windows * W)], forward))
    for row, passed in enumerate(results):
        weights = torch.randn(passed.outputs.shape)
        grads = torch.autograd.grad((passed.outputs * weights).sum(), touched, allow_unused=True, retain_graph=True)
        felt = [grad is not None and bool(grad.abs().sum() > 0) for grad in grads]
        assert felt == [column // bptt_windows == row // bptt_windows and column <= row for column in range(7)]
        assert passed.cut == ((row + 1) % bptt_windows == 0 or row + 1 == num_windows)


def test_the_first_memory_learns_and_stays_through_a_second_installation(tiny):
    model = tiny("bert")
    whole = installed(model, Recurrent(M), W)
    first = attached(model, "memory")
    assert any(parameter is first.start for parameter in model.parameters())
    sum(passed.outputs.square().sum() for passed in passes(whole, model, [document(12)])).backward()
    assert first.start.grad.abs().sum() > 0
    installed(model, Recurrent(M), W)
    assert attached(model, "memory") is first
    installed(model, Recurrent(M + 1), W)
    assert attached(model, "memory").start.shape == (M + 1, 32)
    assert not model.base_model._forward_hooks


def test_marks_of_tokens_move_with_them(tiny):
    """An attention part that uses marks finds none at the memory's positions."""
    model, seen = tiny("llama"), []
    whole = installed(model, Recurrent(2), W)
    inputs = {
        "input_ids": torch.tensor([[5, 6, 7], [8, 9, 0]]),
        "attention_mask": torch.tensor([[1, 1, 1], [1, 1, 0]]),
        "marks": torch.tensor([[1, 2, 4], [8, 1, 0]]),
    }

    def forward(given):
        seen.append((given.pop("marks").tolist(), given["attention_mask"].tolist()))
        return model(**given)

    outputs, _ = whole.memory.step(forward, inputs, whole.memory.start(2))
    assert outputs.shape == (2, 3, 3)
    assert seen == [([[0, 0, 1, 2, 4, 0, 0], [0, 0, 8, 1, 0, 0, 0]], [[1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1, 0]])]


def test_memory_has_the_scale_of_token_embeddings(tiny):
    model = tiny("bert")
    installed(model, Recurrent(50), W)
    start, embeddings = attached(model, "memory").start.detach(), model.get_input_embeddings().weight.detach()
    assert float(start.std()) == pytest.approx(float(embeddings.std()), rel=0.15)


def test_an_empty_document_has_no_windows(tiny):
    model = tiny("bert")
    whole = installed(model, Recurrent(M), W)
    empty = Encoded(*[document(0).input_ids] * 3)
    assert [len(outputs) for outputs in read(whole, model, [empty, document(3)])] == [0, 3]
