"""Windows encoded apart and read together by the decoder, against Transformers' own models called directly."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import transformers as tf
from torch.testing import assert_close
from transformers.modeling_outputs import BaseModelOutput

from ctxlab.core.errors import UserError
from ctxlab.core.generation import Decoding
from ctxlab.core.model import ModelFacts
from ctxlab.core.strategy import Strategy
from ctxlab.core.types import ADDED, NO_LABEL, TEXT, Encoded
from ctxlab.runtime.forward import IN_DECODER, Passes, make_items, model_call, units
from ctxlab.runtime.generator import TextGenerator
from ctxlab.strategies.attention.full import Full
from ctxlab.strategies.attention.local import Local
from ctxlab.strategies.attention.structured import Structured
from ctxlab.strategies.curriculum.constant import Constant
from ctxlab.strategies.memory.none import NoMemory
from ctxlab.strategies.memory.recurrent import Recurrent
from ctxlab.strategies.positions.keep import Keep
from ctxlab.strategies.reading.chunk import Chunk
from ctxlab.strategies.reading.fused import Fused
from ctxlab.strategies.reading.hierarchical import Hierarchical
from ctxlab.tasks.forms import vocabulary
from ctxlab.tasks.ner import NER
from ctxlab.tasks.summarization import Summarization
from ctxlab.workbench.fit import check_fit, check_task
from ctxlab.workbench.planning.shapes import fused_pass

CPU = torch.device("cpu")
VOCABULARY = 60


def t5():
    torch.manual_seed(1)
    config = tf.T5Config(
        vocab_size=VOCABULARY, d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4, dropout_rate=0.0,
        relative_attention_num_buckets=12, relative_attention_max_distance=40, pad_token_id=0, eos_token_id=1,
        decoder_start_token_id=0, initializer_factor=2.0,
    )  # fmt: skip
    return tf.T5ForConditionalGeneration(config).eval()


def bart():
    torch.manual_seed(1)
    config = tf.BartConfig(
        vocab_size=VOCABULARY, d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4,
        decoder_attention_heads=4, encoder_ffn_dim=48, decoder_ffn_dim=48, dropout=0.0, max_position_embeddings=64,
        pad_token_id=0, bos_token_id=2, eos_token_id=1, decoder_start_token_id=0, forced_eos_token_id=None,
        init_std=0.5,
    )  # fmt: skip
    return tf.BartForConditionalGeneration(config).eval()


MODELS = {"t5": t5, "bart": bart}


def strategy(reading):
    return Strategy("test", reading, Keep(), Full(), NoMemory(), Constant())


def document(num_tokens, seed=0, before=(7, 8), after=(1,), texts=(), target=(11, 12, 13, 1)):
    ids = np.random.default_rng((seed, num_tokens)).integers(9, VOCABULARY, num_tokens)
    marks = np.zeros(num_tokens, np.int64)
    marks[list(texts)] = TEXT
    goal = np.asarray(target, np.int64)
    return Encoded(
        ids, np.arange(num_tokens), np.full(num_tokens, NO_LABEL), before=before, after=after, marks=marks, target=goal,
        anchors=np.full(len(goal), ADDED),
    )  # fmt: skip


def read(model, reading, documents, length):
    """Logits (T, V) of the target of each group of each document."""
    whole = strategy(reading)
    items = [item for i, one in enumerate(documents) for item in make_items(i, one, reading.windows(one, length))]
    passes = Passes(whole, model_call(model), pad_id=0, device=CPU, target_place=IN_DECODER)
    found = {}
    with torch.no_grad():
        for passed in passes.run(items):
            for row, (i, w) in enumerate(passed.rows):
                found[i, w] = passed.outputs[row, : len(items[i].targets[w])], passed.labels[row]
    return [found[key][0] for key in sorted(found)]


def fused(model, **options):
    reading = Fused(**{"window": 12, **options})
    reading.install(model)
    return reading


def plain(model, ids, target, **inputs):
    """Logits of the library's model, called directly, for a row of token ids."""
    given = torch.as_tensor(np.asarray(ids))[None]
    with torch.no_grad():
        return model(input_ids=given, labels=torch.as_tensor(np.asarray(target))[None], **inputs)


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("keep", ["all", "once"])
def test_one_window_is_the_plain_model(kind, keep):
    model, one = MODELS[kind](), document(9)
    expected = plain(model, [7, 8, *one.input_ids, 1], one.target)  # before any hook
    reading = fused(model, keep=keep)
    (logits,) = read(model, reading, [one], length=40)
    assert_close(logits, expected.logits[0], rtol=0, atol=1e-6)
    loss = vocabulary.cross_entropy(logits[None], torch.as_tensor(one.target)[None])
    assert float(loss.total / loss.weight) == pytest.approx(float(expected.loss), abs=1e-6)


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("kind", MODELS)
def test_one_window_generates_what_the_plain_model_does(kind, beams):
    model, documents = MODELS[kind](), [document(9), document(5, seed=3)]
    options = {"max_new_tokens": 7, "num_beams": beams, "do_sample": False, "eos_token_id": [1], "pad_token_id": 0}
    plainly = [
        model.generate(torch.as_tensor([7, 8, *one.input_ids, 1])[None], **options)[0, 1:].tolist() for one in documents
    ]
    reading = fused(model)
    asked = [unit for one in documents for unit in units(reading.windows(one, 40))]
    texts = generator(model, num_beams=beams).generate(asked)
    assert [text.token_ids.tolist() for text in texts] == [before_end(ids) for ids in plainly]


def before_end(ids):
    return ids[: ids.index(1)] if 1 in ids else ids


def generator(model, **decoding):
    return TextGenerator(
        model, Decoding(**{"max_new_tokens": 7, **decoding}), IN_DECODER, (1,), 0, 10_000, True, True, CPU
    )


def long_pass(model, windows, target=None):
    """States and logits of one long row in which each window attends to itself only: T5's positions are relative."""
    ids = torch.as_tensor(np.concatenate([window.input_ids for window in windows]))[None]
    of = torch.repeat_interleave(torch.arange(len(windows)), torch.as_tensor([len(w) for w in windows]))
    allowed = of[:, None] == of[None]
    mask = torch.zeros(allowed.shape).masked_fill(~allowed, torch.finfo(torch.float32).min)[None, None]
    with torch.no_grad():
        states = model.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        if target is None:
            return states
        goal = torch.as_tensor(np.asarray(target))[None]
        return model(encoder_outputs=BaseModelOutput(states), labels=goal).logits[0]


def test_windows_equal_one_long_row_with_a_block_diagonal_mask():
    model = t5()
    documents = [document(31), document(17, seed=4), document(4, seed=5)]  # 4, 2 and 1 windows in a batch
    reading = fused(model)
    rows = [reading.windows(one, 100) for one in documents]
    assert [len(row) for row in rows] == [4, 2, 1]
    expected = [long_pass(model, row, one.target) for row, one in zip(rows, documents, strict=True)]
    for ours, theirs in zip(read(model, reading, documents, length=100), expected, strict=True):
        assert_close(ours, theirs, rtol=0, atol=5e-5)


def test_generation_reads_all_windows_as_one_long_row_would():
    model, one = t5(), document(31)
    reading = fused(model)
    row = reading.windows(one, 100)
    written = [0]
    for _ in range(7):
        states = long_pass(model, row)
        with torch.no_grad():
            logits = model(
                encoder_outputs=BaseModelOutput(states), decoder_input_ids=torch.tensor(written)[None]
            ).logits
        written.append(int(logits[0, -1].argmax()))
        if written[-1] == 1:
            break
    asked = [*units(row), *units(reading.windows(document(6, seed=9), 100))]  # beside a shorter one
    assert generator(model).generate(asked)[0].token_ids.tolist() == before_end(written[1:])


@pytest.mark.parametrize("kind", MODELS)
def test_overlapping_windows_keep_each_token_once(kind):
    """SLED by hand: every window through the encoder alone, of the overlap of four the first two from the left one."""
    model, one = MODELS[kind](), document(20)
    ids = one.input_ids
    parts, states = [ids[:9], ids[5:14], ids[10:19], ids[15:20]], []
    slices = [slice(0, 2 + 7), slice(2 + 2, 2 + 7), slice(2 + 2, 2 + 7), slice(2 + 2, None)]
    with torch.no_grad():
        for part, own in zip(parts, slices, strict=True):
            row = torch.as_tensor([7, 8, *part, 1])[None]
            states.append(model.get_encoder()(row, attention_mask=torch.ones_like(row)).last_hidden_state[:, own])
        memory = torch.cat(states, 1)
        goal = torch.as_tensor(one.target)[None]
        expected = model(encoder_outputs=BaseModelOutput(memory), labels=goal).logits[0]
    assert memory.shape[1] == 2 + 20 + 1  # the tokens around the document once too
    reading = fused(model, overlap_tokens=4, keep="once")
    for logits in (read(model, reading, [one], length=100)[0], read(model, reading, [one, document(7)], 100)[0]):
        assert_close(logits, expected, rtol=0, atol=5e-5)


@pytest.mark.parametrize("overlap", [0, 1, 4, 5])
@pytest.mark.parametrize("length", [12, 20, 31, 200])
def test_every_token_is_kept_once_of_each_group(overlap, length):
    for num_tokens in (1, 8, 9, 10, 40, 57):
        windows = Fused(12, overlap, "once").windows(document(num_tokens), length)
        assert np.unique(np.concatenate([w.token_index for w in windows]))[-1] == num_tokens - 1
        for group in units(windows):
            assert sum(map(len, group)) <= length
            assert group[0].begins
            kept = np.concatenate([w.token_index[w.kept] for w in group])
            own = kept[kept != ADDED]
            inside = np.concatenate([w.token_index for w in group])
            assert own.tolist() == np.unique(inside[inside != ADDED]).tolist()
            assert (kept == ADDED).sum() == 3


def test_windows_begin_anew_at_each_text():
    one = document(30, texts=(0, 4, 19))
    spans = [(w.token_index[2], w.token_index[-2]) for w in Fused(12).windows(one, 200)]
    assert spans == [(0, 3), (4, 12), (13, 18), (19, 27), (28, 29)]


def test_a_longer_document_is_read_in_groups_and_a_limit_leaves_the_rest_out():
    one = document(50)
    windows = Fused(12).windows(one, 24)
    assert [len(group) for group in units(windows)] == [2, 2, 2]
    limited = Fused(12, max_windows=3)
    assert (limited.covers, Fused(12).covers) == (False, True)
    assert limited.merge(limited.windows(one, 200), [np.zeros((12, 0), np.float32)] * 3, 50).seen.sum() == 27


def test_a_target_belongs_to_a_group_and_goes_to_the_group_with_the_evidence():
    one = document(50)
    target = {"target": one.target, "anchors": one.anchors, "absent": np.array([5, 1]), "evidence": np.array([3, 14])}
    spread = Encoded(one.input_ids, one.word_ids, one.labels, before=one.before, after=one.after, **target)
    found = [[t.tolist() for t in item.targets] for item in make_items(0, spread, Fused(12).windows(spread, 24))]
    assert found == [[[11, 12, 13, 1], []], [[5, 1], []], [[5, 1], []]]
    apart = [t.tolist() for item in make_items(0, spread, Chunk().windows(spread, 12)) for t in item.targets]
    assert apart == [[5, 1]] * 6  # no window alone has all of it


def test_tokens_are_counted_with_and_without_padding():
    items = [
        item for i, n in enumerate((31, 5)) for item in make_items(i, document(n), Fused(12).windows(document(n), 99))
    ]
    passed = next(Passes(strategy(Fused(12)), model_call(t5_fused()), 0, CPU, IN_DECODER).run(items))
    assert passed.tokens == 31 + 4 * 3 + 4 + 5 + 3 + 4
    assert passed.padded_tokens == 5 * 12 + 2 * 4
    assert passed.rows == [(0, 0), (1, 0)]


def t5_fused():
    model = t5()
    fused(model)
    return model


def test_gradients_reach_every_window():
    model, one = t5(), document(31)
    items = make_items(0, one, fused(model).windows(one, 100))
    table = model.encoder.get_input_embeddings()
    seen = []
    table.register_forward_hook(lambda _, __, output: seen.append(output))
    passed = next(Passes(strategy(fused(model)), model_call(model), 0, CPU, IN_DECODER).run(items))
    (gradient,) = torch.autograd.grad(vocabulary.cross_entropy(passed.outputs, passed.labels).total, seen)
    assert (gradient.abs().amax((1, 2)) > 1e-6).all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"overlap_tokens": -1}, "overlap_tokens=-1"),
        ({"keep": "some"}, "keep=some"),
        ({"max_windows": 0}, "max_windows=0"),
        ({"window": 0}, "window=0"),
    ],
)
def test_refuses_what_cannot_be(options, words):
    with pytest.raises(UserError, match=words):
        Fused(**options)


def test_refuses_an_overlap_as_wide_as_a_window():
    with pytest.raises(UserError, match="overlap_tokens=8 or less"):
        Fused(12, overlap_tokens=9).windows(document(30), 100)


def test_refuses_a_model_without_a_decoder():
    model = tf.T5EncoderModel(t5().config)
    with pytest.raises(UserError, match="strategy=hierarchical"):
        Fused().install(model)


def facts(kind):
    return ModelFacts(kind=kind, positions="relative", trained_length=None, num_layers=2, hidden_size=32)


@pytest.mark.parametrize(
    ("task", "kind", "parts", "said"),
    [
        (NER(), "encoder_decoder", {}, "generates no text: use strategy=hierarchical"),
        (NER(), "encoder", {}, r"only encoder_decoder\); strategy=truncate does"),
        (Summarization().for_kind("decoder"), "decoder", {}, r"only encoder_decoder\); strategy=truncate does"),
        (Summarization(), "encoder_decoder", {"memory": Recurrent()}, "strategy/memory=recurrent carries state"),
        (Summarization(), "encoder_decoder", {"attention": Structured()}, "structured needs marks"),
        (Summarization(), "encoder_decoder", {"reading": Hierarchical(12)}, "strategy/reading=hierarchical carries"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(task, kind, parts, said):
    whole = replace(strategy(Fused(12)), **parts)

    def check():
        check_task(task, whole, facts(kind))
        check_fit(whole, facts(kind), 48)

    with pytest.raises(UserError, match=said):
        check()


@pytest.mark.parametrize("attention", [Full(), Local(window=8)])
def test_attention_parts_change_the_encoder_within_windows(attention):
    whole = replace(strategy(Fused(12)), attention=attention)
    task = Summarization().for_kind("encoder_decoder")
    check_task(task, whole, facts("encoder_decoder"))
    check_fit(whole, facts("encoder_decoder"), 48)


def test_the_shape_of_a_pass_counts_cross_attention_over_all_that_is_kept():
    one, reading = document(31), Fused(12)
    items = make_items(0, one, reading.windows(one, 100))
    passes = Passes(strategy(reading), model_call(None), 0, CPU, IN_DECODER)
    shape = fused_pass(strategy(reading), passes, items)
    kept = 31 + 4 * 3
    assert (shape.tokens, shape.targets) == (4 * 12, 4)
    assert shape.pairs == 4 * 12**2 + 4 * (4 + kept)
