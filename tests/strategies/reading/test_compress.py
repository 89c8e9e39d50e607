"""The least informative tokens are left out: how many, which, and by whose frequencies."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
import transformers as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from ctxlab.core.added_modules import attached
from ctxlab.core.errors import UserError
from ctxlab.core.types import Encoded
from ctxlab.strategies.reading.choosing.information import Frequencies, model_self_information, self_information
from ctxlab.strategies.reading.choosing.keeping import sentence_starts
from ctxlab.strategies.reading.compress import Compress
from tests.strategies.conftest import COMMON, ROTARY, VOCABULARY
from tests.strategies.reading.test_select import document, kept, sentences


def language_model(**options):
    torch.manual_seed(0)
    config = tf.LlamaConfig(**ROTARY | options, num_key_value_heads=2, max_position_embeddings=512)
    return tf.LlamaForCausalLM(config).eval()


@settings(max_examples=200, deadline=None)
@given(sentences(), st.floats(0.01, 1), st.integers(1, 60), st.sampled_from(["sentence", "token"]), st.booleans())
def test_the_smaller_of_ratio_and_context_is_kept(written, ratio, fits, unit, marked):
    encoded = document(written)
    if not marked:
        encoded = Encoded(encoded.input_ids, encoded.word_ids, encoded.labels, (101,), (102,))
    part = Compress(ratio, unit, sentence_tokens=4)
    own = kept(part, encoded, fits + 2)
    assert own == sorted(set(own))
    assert len(own) == min(fits, max(1, round(ratio * len(encoded))))
    information = {t: -math.log(1 + list(encoded.input_ids).count(i)) for t, i in enumerate(encoded.input_ids.tolist())}
    if unit == "token":
        expected = sorted(sorted(information, key=lambda t: (-information[t], t))[: len(own)])
        assert own == expected
        return
    starts = [*sentence_starts(encoded, 4).tolist(), len(encoded)]
    means = {
        (start, end): math.fsum(information[t] for t in range(start, end)) / (end - start)
        for start, end in pairwise(starts)
    }
    inside = {span: sum(span[0] <= token < span[1] for token in own) for span in means}
    for span, number in inside.items():
        for other, others in inside.items():
            if means[span] > means[other] + 1e-9 and others:
                assert number == span[1] - span[0]  # whole, before anything of a lesser one is taken
    outputs = [np.ones((len(own) + 2, 3), dtype=np.float32)]
    assert np.flatnonzero(part.merge(part.windows(encoded, fits + 2), outputs, len(encoded)).seen).tolist() == own


def test_surprise_by_hand():
    """Counts 3, 0, 1 in a vocabulary of three: shares 4/7, 1/7 and 2/7."""
    found = self_information(np.array([0, 1, 2, 0]), np.array([3, 0, 1]))
    np.testing.assert_allclose(found, [math.log(7 / 4), math.log(7), math.log(7 / 2), math.log(7 / 4)])


def test_rare_tokens_stay_in_order():
    encoded = document([[9, 5, 5, 8, 5, 7, 5, 5]])
    assert kept(Compress(0.375, "token"), encoded, 100) == [0, 3, 5]
    assert kept(Compress(0.375, "token"), encoded, 4) == [0, 3]


def test_the_frequencies_of_the_training_documents(tiny):
    """A token that is rare in the document but common in training is uninformative; counts are saved with the
    weights."""
    model, part = tiny("bert"), Compress(0.5, "token")
    part.install(model)
    encoded = document([[5, 6, 7, 7]])
    assert kept(part, encoded, 100) == [0, 1]
    assert "their own document" in part.notes({"test": 0.5})[1]
    assert attached(model, "reading") is None
    part.learn([document([[5, 5, 5, 6]]), document([[6, 6]])], model)
    assert kept(part, encoded, 100) == [2, 3]
    assert part.notes({"test": 0.4987}) == [
        "strategy.reading.ratio=0.5 kept 49.9% of test (fewer tokens where the context is full)."
    ]
    counts = attached(model, "reading").counts
    assert counts.dtype == torch.int64
    assert counts[[5, 6, 7]].tolist() == [3, 3, 0]
    assert len(counts) == VOCABULARY
    assert not list(attached(model, "reading").parameters())


def test_counts_from_a_checkpoint_are_kept(tiny, tmp_path):
    model, part = tiny("bert"), Compress(0.5, "token")
    part.install(model)
    part.learn([document([[5, 5, 6]])], model)
    model.save_pretrained(tmp_path)
    again, other = tf.AutoModelForTokenClassification.from_pretrained(tmp_path), Compress(0.5, "token")
    other.install(again)
    assert not attached(again, "reading").known  # room for them, which the checkpoint fills
    assert len(other.notes({"test": 1.0})) == 2
    attached(again, "reading").load_state_dict(attached(model, "reading").state_dict())
    other.learn([document([[9, 9, 9]])], again)
    assert torch.equal(attached(again, "reading").counts, attached(model, "reading").counts)


def test_counts_survive_a_model_in_bf16(tiny):
    model, part = tiny("bert").to(torch.bfloat16), Compress()
    part.install(model)
    part.learn([document([[5] * 1001])], model)
    assert attached(model, "reading").counts[5] == 1001


@pytest.mark.parametrize("num_tokens", [1, 2, 7, 8, 9, 12, 13, 29])
def test_surprise_under_a_model_token_by_token(num_tokens):
    """Windows of 8 that overlap by 4: each token is predicted in the earliest window that holds it and its
    predecessor."""
    model, ids = language_model(), np.random.default_rng(1).integers(5, VOCABULARY, num_tokens)
    model.train()
    found = model_self_information(model, ids, 8)
    assert model.training
    model.eval()
    expected = [math.log(VOCABULARY)]
    for token in range(1, num_tokens):
        start = next(s for s in range(0, num_tokens, 4) if token < s + 8)
        assert start == 0 or token - start >= 4
        with torch.no_grad():
            logits = model(torch.from_numpy(ids[start:token])[None]).logits[0, -1]
        expected.append(-logits.log_softmax(-1)[ids[token]].item())
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_a_model_scores_a_document_once():
    model, part = language_model(), Compress(0.5, "token", scorer="model")
    part.fit(512, 0, 100, extended=False)
    part.take_scorer(model)
    encoded = document([list(np.random.default_rng(0).integers(5, VOCABULARY, 40))])
    own = kept(part, encoded, 100)
    information = model_self_information(model, encoded.input_ids, 512)
    assert own == sorted(np.argsort(-information, kind="stable")[:20].tolist())
    calls = []
    handle = model.register_forward_hook(lambda *_: calls.append(1))
    assert kept(part, encoded, 100) == own
    assert not calls
    handle.remove()
    assert part.notes({"test": 0.5})[1:] == []
    part.learn([encoded], model)
    assert attached(model, "reading") is None


@pytest.mark.parametrize("kind", ["bert", "llama", "t5"])
def test_a_model_without_next_token_predictions_is_refused(kind, tiny):
    with pytest.raises(UserError, match=r"scorer=model needs a causal model .* use strategy.reading.scorer=freq"):
        Compress(scorer="model").take_scorer(tiny(kind))


def test_encoder_decoders_and_masked_models_are_refused():
    models = [
        tf.T5ForConditionalGeneration(tf.T5Config(vocab_size=60, d_model=8, d_ff=8, num_layers=1, num_heads=1, d_kv=8)),
        tf.BertForMaskedLM(tf.BertConfig(**COMMON, hidden_size=8, num_hidden_layers=1, num_attention_heads=1)),
    ]
    for model in models:
        with pytest.raises(UserError, match="scorer=model"):
            Compress(scorer="model").take_scorer(model)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"ratio": 0.0}, "ratio=0.0 must be above 0 and at most 1"),
        ({"ratio": 1.5}, "ratio=1.5 must be above 0 and at most 1"),
        ({"ratio": math.nan}, "ratio=nan must be above 0"),
        ({"unit": "phrase"}, "unit=phrase is not one of sentence, token"),
        ({"scorer": "gpt"}, "scorer=gpt is not one of frequencies, model"),
        ({"sentence_tokens": 0}, "sentence_tokens=0"),
    ],
)
def test_options_that_make_no_sense(options, words):
    with pytest.raises(UserError, match=words):
        Compress(**options)


def test_everything_that_fits_at_ratio_one():
    encoded = document([[5, 6], [7]])
    assert kept(Compress(1.0), encoded, 5) == [0, 1, 2]
    assert len(kept(Compress(1.0), encoded, 4)) == 2
    assert kept(Compress(), document([]), 5) == []
    assert kept(Compress(0.01), document([[5]]), 5) == [0]
    assert not Compress.covers
    assert_close(Frequencies(3).counts, torch.zeros(3, dtype=torch.int64))
