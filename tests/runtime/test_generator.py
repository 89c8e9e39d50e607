"""Generation after windows against a loop of plain forward passes, whatever shares the batch."""

import numpy as np
import pytest
import torch
import transformers as tf

from ctxlab.command.compose import compose
from ctxlab.config.build import build
from ctxlab.core.generation import Decoding
from ctxlab.core.strategy import Attention
from ctxlab.core.types import ADDED, LAST, Encoded, Window
from ctxlab.models.tiny_llama import TinyLlama
from ctxlab.models.tiny_t5 import TinyT5
from ctxlab.runtime.forward import AFTER_WINDOW, IN_DECODER, window_targets
from ctxlab.runtime.generator import TextGenerator

STOPS = (3,)
CPU = torch.device("cpu")


def window(length, seed):
    ids = np.random.default_rng(seed).integers(5, 200, length)
    return Window(ids, np.arange(length))


def generator(model, target_place, budget=10_000, cached=True, padded=True, **decoding):
    return TextGenerator(
        model, Decoding(**{"max_new_tokens": 6, **decoding}), target_place, STOPS, 0, budget, cached, padded, CPU
    )


@pytest.fixture(scope="module")
def models():
    return {
        AFTER_WINDOW: TinyLlama(hidden_size=32, num_layers=1).build("causal_lm", []),
        IN_DECODER: TinyT5(hidden_size=32, num_layers=1).build("seq2seq_lm", []),
    }


def likeliest(model, target_place, ids, steps):
    """Greedy tokens, each by a full forward pass without a cache."""
    read, written = torch.tensor(ids)[None], [model.config.decoder_start_token_id] if target_place == IN_DECODER else []
    start = len(written)
    logs = []
    with torch.inference_mode():
        for _ in range(steps):
            if target_place == IN_DECODER:
                logits = model(input_ids=read, decoder_input_ids=torch.tensor(written)[None]).logits
            else:
                logits = model(torch.cat([read, torch.tensor(written, dtype=torch.long)[None]], 1)).logits
            log = logits[0, -1].log_softmax(-1)
            token = int(log.argmax())
            logs.append(float(log[token]))
            if token in STOPS:
                break
            written.append(token)
    told = len(written) - start
    return written[start:], float(np.mean(logs[: max(told, 1)]))


PATTERNS = {
    "full": (),
    "local": ("window=4",),
    "bigbird": ("window=4", "num_random=1", "block=8"),
    "time_mask": ("threshold=20", "keep=8", "window=4"),
    "dynamic_window": ("base=4", "reference=60", "least=2", "most=9"),
    "strided": ("window=4", "stride=7"),
    "fixed": ("stride=16", "num_summary=2"),
    "lsg": ("window=4", "reach=16"),
    "dilated": ("window=4",),
}
"""Small enough that in no text every token sees every other."""


def attention(pattern):
    words = [f"strategy/attention={pattern}", *(f"strategy.attention.{word}" for word in PATTERNS[pattern])]
    return build(compose("train", words).strategy.attention, Attention)


def sharpened(model):
    """Attention of a new model is so flat that another pattern would hardly show."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(4)
    return model


def small_bart():
    config = tf.BartConfig(
        vocab_size=220, d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4,
        decoder_attention_heads=4, encoder_ffn_dim=48, decoder_ffn_dim=48, max_position_embeddings=256,
        pad_token_id=0, bos_token_id=1, eos_token_id=3, decoder_start_token_id=1, forced_eos_token_id=None,
        init_std=0.3,
    )  # fmt: skip
    torch.manual_seed(0)
    return tf.BartForConditionalGeneration(config).eval()


@pytest.mark.by_default(3)
@pytest.mark.parametrize("name", ["bart", *(f"t5 {pattern}" for pattern in PATTERNS)])
def test_an_encoder_decoder_writes_what_the_library_writes_for_each_text_alone(name):
    """Oracle: the library's ``generate`` for one text without any padding."""
    if name == "bart":
        model = small_bart()
    else:
        model = sharpened(TinyT5(hidden_size=32, num_layers=2).build("seq2seq_lm", []))
        attention(name.split()[1]).install(model)
    windows = [window(length, seed) for seed, length in enumerate((9, 80, 23, 180, 180, 41, 64))]
    given = generator(model, IN_DECODER).generate([[one] for one in windows])
    for one, written in zip(windows, given, strict=True):
        with torch.inference_mode():
            text = torch.tensor(one.input_ids)[None]
            options = {"max_new_tokens": 6, "do_sample": False, "num_beams": 1, "eos_token_id": 3, "pad_token_id": 0}
            ids = model.generate(text, **options)
            logs = model(input_ids=text, decoder_input_ids=ids[:, :-1]).logits.log_softmax(-1)[0]
        new = ids[0, 1:].tolist()
        new = new[: new.index(3)] if 3 in new else new
        assert written.token_ids.tolist() == new
        told = range(max(len(new), 1))
        assert written.score == pytest.approx(float(np.mean([logs[i, ids[0, i + 1]] for i in told])), abs=1e-4)


@pytest.mark.parametrize("target_place", [AFTER_WINDOW, IN_DECODER])
@pytest.mark.parametrize("cached", [True, False])
def test_greedy_is_the_likeliest_token_each_time(models, target_place, cached):
    windows = [window(length, seed) for seed, length in enumerate((7, 30, 12, 30))]
    given = generator(models[target_place], target_place, cached=cached).generate([[one] for one in windows])
    for one, written in zip(windows, given, strict=True):
        ids, score = likeliest(models[target_place], target_place, one.input_ids, 6)
        assert written.token_ids.tolist() == ids
        assert written.score == pytest.approx(score, abs=1e-4)


@pytest.mark.by_default(3)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_sparse_decoder_writes_what_it_would_if_it_read_the_whole_text_for_every_token(pattern):
    part = attention(pattern)
    model = sharpened(TinyLlama(hidden_size=32, num_layers=2).build("causal_lm", []))
    part.install(model)
    windows = [window(length, seed) for seed, length in enumerate((9, 80, 23, 80, 41))]
    writer = generator(model, AFTER_WINDOW, cached=part.caches, padded=part.shifts, max_new_tokens=12)
    for one, written in zip(windows, writer.generate([[one] for one in windows]), strict=True):
        ids, score = likeliest(model, AFTER_WINDOW, one.input_ids, 12)
        assert written.token_ids.tolist() == ids
        assert written.score == pytest.approx(score, abs=1e-3)


@pytest.mark.by_default(4)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_cache_is_used_where_pairs_stay_as_they_are_while_the_text_grows(pattern):
    part = attention(pattern)
    place = torch.arange(60)
    whole = part.allowed(place[:, None], place[None], 60).tril()
    same = [
        bool((part.allowed(place[:size, None], place[None, :size], size).tril() == whole[:size, :size]).all())
        for size in (12, 18, 36, 48)
    ]
    assert part.caches == all(same)


@pytest.mark.parametrize("target_place", [AFTER_WINDOW, IN_DECODER])
@pytest.mark.parametrize(
    "decoding", [{}, {"num_beams": 3}, {"sample": True, "temperature": 1.5}, {"sample": True, "top_k": 5, "top_p": 0.8}]
)
def test_what_is_generated_does_not_depend_on_the_batch(models, target_place, decoding):
    windows = [window(length, seed) for seed, length in enumerate((5, 21, 9, 40, 21))]
    together = generator(models[target_place], target_place, **decoding).generate([[one] for one in windows])
    alone = generator(models[target_place], target_place, budget=1, **decoding).generate(
        [[one] for one in windows[::-1]]
    )[::-1]
    for one, other in zip(together, alone, strict=True):
        assert one.token_ids.tolist() == other.token_ids.tolist()
        assert one.score == pytest.approx(other.score, abs=1e-4)


def test_samples_follow_the_probabilities(models):
    """The first token over many seeds, against the model's own distribution."""
    one = window(8, 0)
    with torch.inference_mode():
        expected = models[AFTER_WINDOW](torch.tensor(one.input_ids)[None]).logits[0, -1].softmax(-1).numpy()
    top = np.argsort(-expected)[:3]
    draws = []
    for seed in range(300):
        made = generator(
            models[AFTER_WINDOW], AFTER_WINDOW, sample=True, max_new_tokens=1, top_k=3, seed=seed
        ).generate([[one]])[0]
        draws.append(made.token_ids[0] if len(made.token_ids) else STOPS[0])
    share = np.array([draws.count(token) for token in top]) / len(draws)
    assert set(draws) <= set(top)
    assert np.abs(share - expected[top] / expected[top].sum()).max() < 0.1


def test_targets_that_continue_the_document_belong_to_the_last_window():
    encoded = Encoded(
        np.arange(6), np.arange(6), np.full(6, -100), target=np.array([10, 2]), anchors=np.array([LAST, LAST])
    )
    windows = [Window(np.zeros(2), np.array([0, 1])), Window(np.zeros(2), np.array([2, 3]))]
    assert [target.tolist() for target in window_targets(encoded, windows)] == [[], [10, 2]]


def test_targets_go_to_the_windows_that_hold_what_they_render():
    encoded = Encoded(
        np.arange(6),
        np.arange(6),
        np.full(6, -100),
        target=np.array([10, 11, 12, 13, 2]),
        anchors=np.array([0, 2, 3, 5, ADDED]),
    )
    windows = [Window(np.zeros(4), np.array([ADDED, 0, 1, 2])), Window(np.zeros(4), np.array([ADDED, 2, 3, 4]))]
    assert [target.tolist() for target in window_targets(encoded, windows)] == [[10, 11, 2], [12, 2]]
