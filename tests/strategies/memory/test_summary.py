"""Summaries against a loop written by hand, and summaries of no tokens against independent windows."""

import pytest
import torch
from torch.testing import assert_close

from ctxlab.core.added_modules import attached
from ctxlab.core.errors import UserError
from ctxlab.core.strategy import Strategy
from ctxlab.strategies.attention.full import Full
from ctxlab.strategies.curriculum.constant import Constant
from ctxlab.strategies.memory.none import NoMemory
from ctxlab.strategies.memory.summary import Summary
from ctxlab.strategies.positions.keep import Keep
from ctxlab.strategies.reading.chunk import Chunk
from tests.strategies.memory.memory_runs import document, installed, passes, read

K, W = 3, 5


def by_hand(model, encoded, kept: int) -> torch.Tensor:
    """Outputs on a document of full windows: a growing list of summaries, of which the last ``kept`` are shown."""
    embed, own = model.get_input_embeddings(), attached(model, "memory")
    summaries = list(own.start.split(K))
    outputs = []
    for ids in torch.from_numpy(encoded.input_ids).split(W):
        shown = torch.cat(summaries[-kept:])
        result = model(inputs_embeds=torch.cat([shown, embed(ids), own.ask])[None], output_hidden_states=True)
        outputs.append(result.logits[0, len(shown) : len(shown) + len(ids)])
        summaries.append(result.hidden_states[-1][0, -K:])
    return torch.cat(outputs)


@pytest.mark.parametrize("kept", [1, 3])
@pytest.mark.parametrize("kind", ["bert", "roberta", "distilbert", "llama", "gpt2"])
def test_it_equals_the_loop_by_hand(kind, kept, tiny):
    model = tiny(kind)
    whole, encoded = installed(model, Summary(K, kept), W), document(5 * W + 2)
    outputs = read(whole, model, [encoded])[0]
    assert_close(outputs, by_hand(model, encoded, kept), atol=1e-5, rtol=1e-5)
    two = document(2 * W)
    assert_close(read(whole, model, [two])[0], by_hand(model, two, kept), atol=1e-5, rtol=1e-5)
    assert (whole.memory.num_front, whole.memory.num_added) == (kept * K, kept * K + K)


@pytest.mark.parametrize("kind", ["bert", "llama"])
def test_summaries_of_no_tokens_are_chunk_to_the_bit(kind, tiny):
    model, plain = tiny(kind), tiny(kind)
    whole = installed(model, Summary(0), W)
    chunk = Strategy("chunk", Chunk(), Keep(), Full(), NoMemory(), Constant())
    for num in (0, 3, W, 4 * W):
        encoded = document(num, num)
        for window in range(0, num, W):  # windows one at a time: batches of other sizes round differently
            ids = torch.from_numpy(encoded.input_ids[window : window + W])[None]
            given = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
            outputs, state = whole.memory.step(lambda inputs: model(**inputs), given, whole.memory.start(1))
            assert torch.equal(outputs, plain(**given).logits)
            assert state is None
        expected = read(chunk, plain, [encoded], W)[0]
        assert_close(read(whole, model, [encoded])[0], expected, atol=1e-5, rtol=1e-5)
    assert attached(model, "memory") is None
    assert (whole.memory.num_added, whole.memory.num_cached) == (0, 0)


def test_accumulated_summaries_are_seen_themselves(tiny):
    """Without gradient through summaries, a window still depends on the summary of the one two windows back."""
    model = tiny("llama")
    whole = installed(model, Summary(K, 2), W)
    ids = torch.arange(5, 5 + W)[None]
    given = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    state = whole.memory.start(1)
    states = [state]
    for _ in range(2):
        _, state = whole.memory.step(lambda inputs: model(**inputs), given, state)
        states.append(state)
    assert torch.equal(states[2][:, :K], states[1][:, K:])
    assert not torch.equal(states[2][:, K:], states[1][:, K:])


@pytest.mark.parametrize("kind", ["bert", "llama"])
@pytest.mark.parametrize("bptt_windows", [1, 2, 3])
def test_the_gradient_reaches_the_configured_number_of_windows(kind, bptt_windows, tiny):
    model = tiny(kind)
    whole, num_windows, touched = installed(model, Summary(K, 2, bptt_windows), W), 5, []

    def forward(inputs):
        touched.append(torch.zeros_like(inputs["inputs_embeds"], requires_grad=True))
        return model(**{**inputs, "inputs_embeds": inputs["inputs_embeds"] + touched[-1]})

    results = list(passes(whole, model, [document(num_windows * W)], forward))
    for row, passed in enumerate(results):
        weights = torch.randn(passed.outputs.shape)
        grads = torch.autograd.grad((passed.outputs * weights).sum(), touched, allow_unused=True, retain_graph=True)
        felt = [grad is not None and bool(grad.abs().sum() > 0) for grad in grads]
        assert felt == [column // bptt_windows == row // bptt_windows and column <= row for column in range(5)]


def test_its_vectors_learn_and_stay_through_a_second_installation(tiny):
    model = tiny("bert")
    whole = installed(model, Summary(K, 2), W)
    own = attached(model, "memory")
    sum(passed.outputs.square().sum() for passed in passes(whole, model, [document(12)])).backward()
    assert own.start.grad.abs().sum() > 0
    assert own.ask.grad.abs().sum() > 0
    installed(model, Summary(K, 2), W)
    assert attached(model, "memory") is own
    installed(model, Summary(K, 3), W)
    assert attached(model, "memory").start.shape == (3 * K, 32)
    assert not model.base_model._forward_hooks
    assert model.config.ctxlab["memory"] == {"name": "summary", "num_tokens": K, "accumulate": 3, "bptt_windows": 2}


@pytest.mark.parametrize(
    ("options", "said"), [((-1,), "num_tokens=-1"), ((2, 0), "accumulate=0"), ((2, 1, 0), "bptt_windows=0")]
)
def test_what_makes_no_sense_is_refused(options, said):
    with pytest.raises(UserError, match=f"^strategy.memory.{said} must be [^\n]*\\.$"):
        Summary(*options)


def test_a_head_on_the_place_of_the_summaries_is_refused(tiny):
    with pytest.raises(UserError, match=r"memory=summary does not work with model type `electra`.*use strategy=chunk"):
        Summary(2).install(tiny("electra"))
