"""Cached keys against full attention, a dense mask over the whole document, and layers that are run by hand."""

from types import SimpleNamespace

import pytest
import torch
import transformers as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from ctxlab.core.errors import UserError
from ctxlab.strategies.memory.segment_cache import SegmentCache
from ctxlab.strategies.memory.sinks import Sinks
from tests.selection import EXAMPLES
from tests.strategies.conftest import ROTARY
from tests.strategies.memory.memory_runs import document, installed, passes, read

LARGE = {name: value for name, value in ROTARY.items() if name != "initializer_range"} | {"initializer_range": 0.1}
MEMORIES = (
    lambda window: SegmentCache(),
    lambda window: SegmentCache(window + 3),
    lambda window: SegmentCache(max(window - 2, 1)),
    lambda window: Sinks(3, window),
    lambda window: Sinks(0, 2 * window + 1),
    lambda window: Sinks(window + 2, max(window - 3, 1)),
)


def numbers(memory, window):
    """Sinks and latest tokens in the cache."""
    return (memory.num_sinks, memory.window) if isinstance(memory, Sinks) else (0, memory.num_cached or window)


def by_hand(model, ids, window, first, last):
    """Layer by layer and window by window, without cache: positions count among the tokens that are seen."""
    body = model.model
    states = body.embed_tokens(ids)[None]
    for layer in body.layers:
        above = []
        for start in range(0, len(ids), window):
            kept = sorted({*range(min(first, start)), *range(max(start - last, 0), start)})
            seen = torch.tensor([*kept, *range(start, min(start + window, len(ids)))])
            angles = body.rotary_emb(states, torch.arange(len(seen))[None])
            causal = torch.ones(len(seen), len(seen), dtype=torch.bool).tril()[None, None]
            above.append(layer(states[:, seen], attention_mask=causal, position_embeddings=angles)[:, len(kept) :])
        states = torch.cat(above, dim=1)
    return model.score(body.norm(states))[0]


@pytest.mark.by_default("<lambda>0", "<lambda>3")
@pytest.mark.parametrize("make", MEMORIES)
def test_it_equals_layers_that_are_run_by_hand(make, tiny):
    model = tiny("llama")

    @settings(max_examples=20, deadline=None)
    @given(num_tokens=st.integers(1, 40), window=st.integers(1, 12))
    def check(num_tokens, window):
        memory = make(window)
        whole = installed(model, memory, window)
        encoded = document(num_tokens)
        expected = by_hand(model, torch.from_numpy(encoded.input_ids), window, *numbers(memory, window))
        assert_close(read(whole, model, [encoded])[0], expected, atol=2e-5, rtol=1e-4)

    check()


@pytest.mark.slow
def test_segment_cache_equals_full_attention_under_a_mask(tiny):
    """One pass over the document: a query sees its window up to itself, and a number of tokens before the window."""
    model = tiny("llama")

    @settings(max_examples=200, deadline=None)
    @given(num_tokens=st.integers(1, 40), window=st.integers(4, 15), tokens=st.none() | st.integers(1, 25))
    def check(num_tokens, window, tokens):
        whole = installed(model, SegmentCache(tokens), window)
        encoded, place = document(num_tokens), torch.arange(num_tokens)
        query, key = place[:, None], place[None]
        pairs = (key <= query) & (key >= query // window * window - (tokens or window))
        with torch.no_grad():
            expected = model(torch.from_numpy(encoded.input_ids)[None], attention_mask=pairs[None, None]).logits[0]
        assert_close(read(whole, model, [encoded])[0], expected, atol=1e-5, rtol=1e-5)

    check()


def full(model, encoded):
    with torch.no_grad():
        return model(torch.from_numpy(encoded.input_ids)[None]).logits[0]


@pytest.mark.parametrize("examples", EXAMPLES)
def test_nothing_dropped_is_full_attention(tiny, examples):
    model = tiny("llama")

    @settings(max_examples=examples, deadline=None)
    @given(num_tokens=st.integers(1, 40), window=st.integers(4, 20), num_sinks=st.integers(0, 9), cache=st.booleans())
    def check(num_tokens, window, num_sinks, cache):
        memory = SegmentCache(num_tokens) if cache else Sinks(num_sinks, max(num_tokens - num_sinks, 1))
        whole, encoded = installed(model, memory, window), document(num_tokens)
        assert_close(read(whole, model, [encoded])[0], full(model, encoded), atol=1e-5, rtol=1e-5)

    check()


MODELS = {
    "llama": tf.LlamaConfig(**ROTARY),
    "grouped": tf.LlamaConfig(**ROTARY, num_key_value_heads=1),
    "yarn": tf.LlamaConfig(**ROTARY, rope_parameters={"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0,
                                                      "original_max_position_embeddings": 64}),
    "linear": tf.LlamaConfig(**ROTARY, rope_parameters={"rope_type": "linear", "rope_theta": 1e4, "factor": 4.0}),
    "mistral": tf.MistralConfig(**LARGE, num_key_value_heads=2, sliding_window=None),
    "qwen3": tf.Qwen3Config(**LARGE, num_key_value_heads=2, head_dim=8),
    "interleaved": tf.GlmConfig(**LARGE, num_key_value_heads=2, head_dim=8),
    "partial": tf.GPTNeoXConfig(**LARGE, rotary_pct=0.5, hidden_dropout=0.0),
    "half": tf.PhiConfig(**LARGE, partial_rotary_factor=0.5),
    "gemma": tf.GemmaConfig(**LARGE, num_key_value_heads=2, head_dim=8),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("memory", [lambda: SegmentCache(40), lambda: Sinks(4, 36)])
def test_other_decoders_and_scaled_rotary_positions(name, memory):
    """Rotation of halves or pairs, of part of a head, with YaRN's factor: the cache works with each."""
    torch.manual_seed(0)
    model = tf.AutoModelForCausalLM.from_config(MODELS[name]).eval()
    encoded = document(40)
    assert_close(read(installed(model, memory(), 7), model, [encoded])[0], full(model, encoded), atol=1e-4, rtol=1e-4)


def test_keys_with_another_rotation_are_refused(monkeypatch, tiny):
    model = tiny("llama")
    wrong = lambda query, key, cos, sin: (query, key * cos[:, None] - key * sin[:, None])  # noqa: E731
    monkeypatch.setattr("transformers.models.llama.modeling_llama.apply_rotary_pos_emb", wrong)
    with pytest.raises(UserError, match=r"memory=sinks does not work with .*its layers do not all rotate"):
        Sinks().install(model)
    monkeypatch.undo()
    Sinks().install(model)


def test_several_angles_in_one_model_are_refused_by_sinks():
    config = tf.Gemma3TextConfig(**LARGE, num_key_value_heads=2, head_dim=8)
    model = tf.Gemma3ForCausalLM(config).eval()
    with pytest.raises(UserError, match=r"memory=sinks does not work with model type `gemma3_text`"):
        Sinks().install(model)


def sizes(state):
    return {part.shape[2] for layer in state.layers for part in layer}


@pytest.mark.parametrize("memory", [lambda: SegmentCache(9), lambda: SegmentCache(), lambda: Sinks(4, 8)])
def test_the_cache_never_grows(memory, tiny):
    """The cache of sixty windows is as large as that of three."""
    model, seen = tiny("llama"), []
    whole = installed(model, memory(), 6)
    step = whole.memory.step
    whole.memory.step = lambda *given: seen.append(step(*given)) or seen[-1]
    for passed in passes(whole, model, [document(360)]):
        assert torch.isfinite(passed.outputs).all()
    assert len(seen) == 60
    assert all(sizes(state) == {whole.memory.num_cached or 6} for _, state in seen[2:])
    assert seen[-1][1].seen.tolist() == [360]


def decoded(memory, model, input_ids, num_tokens):
    """The likeliest next tokens (B, T) after ``input_ids`` (B, L), one at a time, under sinks.

    Tokens that fit the cache are read at once, the rest one by one: no step sees more than the cache and one token.
    """
    fits = memory.num_sinks + memory.window
    unread = [input_ids[:, :fits], *(input_ids[:, i : i + 1] for i in range(fits, input_ids.shape[1]))]
    state, chosen = None, []
    with torch.no_grad():
        while len(chosen) < num_tokens:
            for ids in unread:
                given = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
                outputs, state = memory.step(lambda inputs: model(**inputs), given, state)
            unread = [outputs[:, -1:].argmax(-1)]
            chosen.extend(unread)
    return torch.cat(chosen, dim=1)


@pytest.fixture
def speaker():
    """A tiny causal language model that was trained for 64 tokens."""
    torch.manual_seed(0)
    return tf.LlamaForCausalLM(tf.LlamaConfig(**ROTARY, max_position_embeddings=64)).eval()


@pytest.mark.parametrize("prompt", [1, 7, 20])
def test_decoding_is_plain_generation_until_something_is_dropped(prompt, speaker):
    ids = torch.arange(5, 5 + 2 * prompt).view(2, prompt) % 50 + 5
    memory = Sinks(4, 36)
    memory.install(speaker)
    expected = speaker.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=20, min_new_tokens=20, do_sample=False, eos_token_id=[]
    )
    assert decoded(memory, speaker, ids, 20).tolist() == expected[:, prompt:].tolist()


def test_decoding_continues_at_constant_memory(speaker):
    """Five times the trained length after a prompt of twice it."""
    memory, seen = Sinks(4, 28), []
    memory.install(speaker)
    handle = speaker.register_forward_hook(
        lambda module, args, given, output: seen.append(
            (output.past_key_values.get_seq_length(), int(given["position_ids"].max()), output.logits.isfinite().all())
        ),
        with_kwargs=True,
    )
    chosen = decoded(memory, speaker, torch.arange(128)[None] % 50 + 5, 320)
    handle.remove()
    assert chosen.shape == (1, 320)
    assert max(length for length, _, _ in seen) == 33
    assert max(place for _, place, _ in seen) == 32
    assert all(finite for _, _, finite in seen)


def test_each_decoded_token_sees_sinks_and_latest_only(speaker):
    """Against a model of one layer that reads the visible tokens again for every new one."""
    config = tf.LlamaConfig(**{**ROTARY, "num_hidden_layers": 1})
    model = tf.LlamaForCausalLM(config).eval()
    memory = Sinks(2, 5)
    memory.install(model)
    ids = list(range(10, 19))
    chosen = decoded(memory, model, torch.tensor([ids]), 12)[0].tolist()
    for token in chosen:
        seen = ids if len(ids) <= 8 else [*ids[:2], *ids[-6:]]
        with torch.no_grad():
            assert int(model(torch.tensor([seen])).logits[0, -1].argmax()) == token
        ids.append(token)


def test_sinks_say_that_they_must_be_installed():
    ids = torch.ones(1, 1, dtype=torch.long)
    with pytest.raises(RuntimeError, match="install the memory first"):
        Sinks().step(fake, {"input_ids": ids, "attention_mask": ids}, None)


def fake(inputs):
    inputs["past_key_values"].update(torch.zeros(1, 1, 1, 2), torch.zeros(1, 1, 1, 2), 0)
    return SimpleNamespace(logits=torch.zeros(1, 1, 2))
