"""Windows linked by an encoder over their pooled states: exactly the intended windows influence each other."""

import copy

import numpy as np
import pytest
import torch
import transformers as tf
from torch.testing import assert_close

from ctxlab.core.added_modules import attached
from ctxlab.core.errors import UserError
from ctxlab.core.strategy import Strategy
from ctxlab.models.tiny_bert import TinyBert
from ctxlab.models.tiny_llama import TinyLlama
from ctxlab.runtime.cost import FlopCounter
from ctxlab.runtime.forward import Passes, make_items, model_call
from ctxlab.strategies.attention.full import Full
from ctxlab.strategies.curriculum.constant import Constant
from ctxlab.strategies.memory.none import NoMemory
from ctxlab.strategies.positions.keep import Keep
from ctxlab.strategies.reading.chunk import Chunk
from ctxlab.strategies.reading.hierarchical import Hierarchical
from ctxlab.strategies.reading.segments import Segments
from ctxlab.strategies.reading.windows.window_encoder import WindowEncoder, sinusoids
from ctxlab.tasks.ner import NER
from tests.strategies.conftest import BERT, T5, VOCABULARY
from tests.strategies.memory import test_memory_carries
from tests.strategies.memory.memory_runs import document, pad, read

ENCODERS = ["bert", "roberta", "distilbert", "electra", "albert", "modernbert", "t5", "deberta"]
DECODERS = ["gpt2", "llama"]
WINDOW = 10


def strategy(reading):
    return Strategy("test", reading, Keep(), Full(), NoMemory(), Constant())


def installed(model, *, trained=True, **options):
    """The strategy installed in ``model``; ``trained`` makes the zero-initialised last projection non-zero."""
    whole = strategy(Hierarchical(WINDOW, **options))
    whole.reading.install(model)
    if trained:
        torch.manual_seed(5)
        torch.nn.init.normal_(attached(model, "reading").out.weight)
        for name, parameter in attached(model, "reading").named_parameters():
            if name.endswith("query"):
                torch.nn.init.normal_(parameter)
    return whole


def rows(num_rows, length, seed=1):
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(5, VOCABULARY, (num_rows, length), generator=generator)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


@pytest.mark.parametrize("kind", [*ENCODERS, *DECODERS])
def test_a_new_one_is_chunk_exactly(kind, tiny):
    model, inputs = tiny(kind), rows(4, WINDOW)
    documents = [document(num, num, (1,), (2,)) for num in (75, 3, 8, 31)]
    with torch.no_grad():
        expected = model(**inputs).logits
        chunked = read(strategy(Chunk()), model, documents, length=WINDOW)
        whole = installed(model, trained=False)
        assert torch.equal(model(**inputs, groups=torch.tensor([0, 0, 1, 1])).logits, expected)
    for ours, theirs in zip(read(whole, model, documents, length=4 * WINDOW), chunked, strict=True):
        assert_close(ours, theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "levels"), [*((kind, 2) for kind in (*ENCODERS, *DECODERS)), ("bert", 3), ("llama", 3)]
)
def test_windows_influence_the_intended_ones_and_no_others(kind, levels, tiny):
    """One token of each window in turn is changed, and the outputs of all windows of two groups are compared."""
    model, inputs = tiny(kind), rows(7, WINDOW)
    groups = torch.tensor([0, 0, 0, 0, 1, 1, 1])
    reading = installed(model, levels=levels, group=2).reading  # sections of two windows, the last one of one
    declared = np.zeros((7, 7), dtype=bool)
    declared[:4, :4], declared[4:, 4:] = reading.reach(4), reading.reach(3)
    measured = np.zeros((7, 7), dtype=bool)
    with torch.no_grad():
        before = model(**inputs, groups=groups).logits
        for row in range(7):
            changed = {**inputs, "input_ids": inputs["input_ids"].clone()}
            changed["input_ids"][row, WINDOW - 1] = 4
            moved = (model(**changed, groups=groups).logits - before).abs().amax(-1)
            measured[:, row] = moved.amax(1) > 1e-6
            if kind in DECODERS:
                assert not moved[row, : WINDOW - 1].any()  # nothing from the future within the window either
            others = measured[:, row] & (np.arange(7) != row)
            assert (moved[torch.from_numpy(others)] > 0).all()  # every token of a window depends on it
    own = np.eye(7, dtype=bool)  # a window depends on itself in any case, by its attention
    np.testing.assert_array_equal(measured, declared | own)
    assert declared[1, 0]
    assert declared[0, 1] == (kind in ENCODERS)


POOLED = [
    ("bert", "attention"),
    ("llama", "attention"),
    ("bert", "mean"),
    ("bert", "first"),
    ("modernbert", "first"),
    ("gpt2", "mean"),
    ("llama", "mean"),
]


@pytest.mark.parametrize("levels", [2, 3])
@pytest.mark.parametrize(("kind", "pool"), POOLED)
def test_batched_is_unbatched_and_padding_changes_nothing(kind, pool, levels, tiny):
    model = tiny(kind)
    whole = installed(model, pool=pool, levels=levels, group=2)
    documents = [document(num, num, (1,), (2,)) for num in (5, 64, 17, 40)]
    together = read(whole, model, documents, length=5 * WINDOW)
    for one, expected in zip(documents, together, strict=True):
        assert_close(read(whole, model, [one], length=5 * WINDOW)[0], expected, rtol=1e-4, atol=1e-5)


def test_rows_of_groups_may_be_mixed_and_without_groups_each_is_alone(tiny):
    model, inputs = tiny("gpt2"), rows(4, WINDOW)
    installed(model)
    with torch.no_grad():
        mixed = model(**inputs, groups=torch.tensor([7, 3, 7, 3])).logits
        for own in ([0, 2], [1, 3]):
            alone = model(**{name: rows[own] for name, rows in inputs.items()}, groups=torch.tensor([0, 0])).logits
            assert_close(mixed[own], alone, rtol=1e-4, atol=1e-5)
        assert_close(model(**inputs).logits, model(**inputs, groups=torch.arange(4)).logits)


def test_a_document_longer_than_the_context_restarts(tiny):
    model = tiny("bert")
    whole = installed(model)
    one = document(40)
    before = read(whole, model, [one], length=2 * WINDOW)[0]
    one.input_ids[0] = 4
    moved = (read(whole, model, [one], length=2 * WINDOW)[0] - before).abs().amax(-1)
    assert (moved[:20] > 0).all()
    assert not moved[20:].any()


def reference(layer, width, heads):
    """The library's own layer with the same weights."""
    theirs = torch.nn.TransformerEncoderLayer(
        width, heads, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )
    names = {
        "self_attn.in_proj_": layer.qkv, "self_attn.out_proj.": layer.mix, "linear1.": layer.mlp[0],
        "linear2.": layer.mlp[2], "norm1.": layer.norm, "norm2.": layer.mlp_norm,
    }  # fmt: skip
    state = {f"{name}{what}": getattr(own, what) for name, own in names.items() for what in ("weight", "bias")}
    theirs.load_state_dict(state)
    return theirs


@pytest.mark.parametrize("causal", [False, True])
def test_the_encoder_over_windows_against_the_librarys_layers(causal):
    """Each group by itself: states pooled by hand, then torch's own Transformer layers in training mode."""
    torch.manual_seed(0)
    width, heads, sizes = 12, 3, [4, 1, 3]
    ours = WindowEncoder(width, 2, heads, "mean", causal=causal)
    torch.nn.init.normal_(ours.out.weight)
    torch.nn.init.normal_(ours.out.bias)
    hidden, lengths = torch.randn(8, 6, width), torch.tensor([6, 6, 6, 2, 5, 6, 6, 1])
    real = (torch.arange(6) < lengths[:, None]).long()
    given = ours(hidden, torch.repeat_interleave(torch.tensor([5, 2, 9]), torch.tensor(sizes)), real)
    start = 0
    for size in sizes:
        states = torch.stack([hidden[r, : lengths[r]].mean(0) for r in range(start, start + size)])
        angles = [[place / 10_000 ** (2 * i / width) for i in range(width // 2)] for place in range(size)]
        waves = torch.tensor(angles)
        states = states + torch.stack([waves.sin(), waves.cos()], -1).flatten(1)
        mask = torch.ones(size, size).triu(1).bool() if causal else None
        for layer in ours.layers:
            states = reference(layer, width, heads)(states[None], src_mask=mask)[0]
        expected = ours.out(ours.norm(states))
        if causal:
            expected = torch.cat([torch.zeros(1, width), expected[:-1]])
        assert_close(given[start : start + size], expected, rtol=1e-4, atol=1e-5)
        start += size


def layers_by_hand(layers, states, heads, causal):
    """States of one document or section, with waves, after torch's own layers."""
    size, width = states.shape
    angles = [[place / 10_000 ** (2 * i / width) for i in range(width // 2)] for place in range(size)]
    waves = torch.tensor(angles)
    states = states + torch.stack([waves.sin(), waves.cos()], -1).flatten(1)
    for layer in layers:
        mask = torch.ones(size, size).triu(1).bool() if causal else None
        states = reference(layer, width, heads)(states[None], src_mask=mask)[0]
    return states


@pytest.mark.parametrize("pool", ["mean", "attention"])
@pytest.mark.parametrize("causal", [False, True])
def test_three_levels_by_hand(causal, pool):
    """Documents of 7, 1 and 3 windows in sections of 3, one after the other, pooled row by row."""
    torch.manual_seed(0)
    width, heads, section, sizes = 12, 3, 3, [7, 1, 3]
    ours = WindowEncoder(width, 2, heads, pool, causal=causal, section=section)
    for name, parameter in ours.named_parameters():
        if name.startswith("out") or name.endswith("query"):
            torch.nn.init.normal_(parameter)
    hidden, lengths = torch.randn(11, 6, width), torch.tensor([6, 6, 6, 2, 5, 6, 1, 4, 6, 6, 3])
    given = ours(
        hidden,
        torch.repeat_interleave(torch.tensor([5, 2, 9]), torch.tensor(sizes)),
        (torch.arange(6) < lengths[:, None]).long(),
    )

    def pooled(states, weigh):
        if pool == "mean":
            return states.mean(0)
        weights = torch.exp(states @ weigh.query / width**0.5)
        return sum(w * state for w, state in zip(weights / weights.sum(), states, strict=True))

    start = 0
    for size in sizes:
        states = torch.stack([
            pooled(hidden[row, : lengths[row]], getattr(ours, "weigh", None)) for row in range(start, start + size)
        ])  # fmt: skip
        parts = [layers_by_hand(ours.layers, part, heads, causal) for part in states.split(section)]
        tops = torch.stack([pooled(part, getattr(ours, "weigh_windows", None)) for part in parts])
        tops = layers_by_hand(ours.sections, tops, heads, causal)
        if causal:
            tops = torch.cat([torch.zeros(1, width), tops[:-1]])
        expected = ours.out(ours.norm(torch.cat([part + top for part, top in zip(parts, tops, strict=True)])))
        if causal:
            expected = torch.cat([torch.zeros(1, width), expected[:-1]])
        assert_close(given[start : start + size], expected, rtol=1e-4, atol=1e-5)
        start += size


def test_a_new_query_is_the_mean_and_learns():
    torch.manual_seed(0)
    hidden, real = torch.randn(3, 6, 12), torch.arange(6) < torch.tensor([6, 2, 4])[:, None]
    mean, weighted = (WindowEncoder(12, 1, 3, pool, causal=False) for pool in ("mean", "attention"))
    found = weighted._pooled(hidden, real)
    assert_close(found, mean._pooled(hidden, real))
    assert_close(weighted._pooled(hidden, None), mean._pooled(hidden, None))
    found.square().sum().backward()
    assert weighted.weigh.query.grad.abs().min() > 0


def test_pooling_is_counted():
    """Scores and weighted sums of 3 windows of 6 tokens, 12 wide: two operations each."""
    with FlopCounter() as counter:
        WindowEncoder(12, 1, 3, "attention", causal=False).requires_grad_(False)._pooled(torch.randn(3, 6, 12), None)
    assert counter.total == 2 * (2 * 3 * 6 * 12)


def test_positions_tell_the_windows_apart():
    assert sinusoids(torch.arange(50), 16).unique(dim=0).shape == (50, 16)
    assert sinusoids(torch.arange(2), 5).shape == (2, 5)


def test_pooled_outputs_receive_information_from_other_windows():
    torch.manual_seed(0)
    model = tf.BertForSequenceClassification(tf.BertConfig(**BERT)).eval()
    check_pooled(model, rows(3, WINDOW))


def test_the_encoder_of_an_encoder_decoder_receives_information_from_other_windows():
    torch.manual_seed(0)
    model = tf.T5ForConditionalGeneration(tf.T5Config(**T5, num_decoder_layers=1)).eval()
    check_pooled(model, {**rows(3, WINDOW), "decoder_input_ids": torch.zeros(3, 2, dtype=torch.long)})


def check_pooled(model, inputs):
    installed(model)
    with torch.no_grad():
        linked = model(**inputs, groups=torch.tensor([0, 0, 1])).logits
        alone = model(**inputs, groups=torch.tensor([0, 1, 2])).logits
    assert (linked[:2] - alone[:2]).abs().amax() > 1e-3
    assert_close(linked[2], alone[2])


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_it_learns_under_bf16_autocast(kind, tiny):
    model = tiny(kind)
    whole = installed(model)
    documents = [document(45, 1), document(12, 2)]
    items = [
        item for i, one in enumerate(documents) for item in make_items(i, one, whole.reading.windows(one, 3 * WINDOW))
    ]
    passes = Passes(whole, model_call(model), pad(model), torch.device("cpu"))
    with torch.autocast("cpu", torch.bfloat16):
        (passed,) = passes.run(items)
    passed.outputs.float().square().sum().backward()
    grads = {name: parameter.grad for name, parameter in attached(model, "reading").named_parameters()}
    assert all(grad is not None and grad.isfinite().all() for grad in grads.values())
    assert all(grad.any() for name, grad in grads.items() if name != "layers.0.qkv.bias")


def test_installing_again_keeps_weights_and_hooks_once(tiny):
    model, inputs = tiny("bert"), {**rows(2, WINDOW), "groups": torch.tensor([0, 0])}
    installed(model)
    with torch.no_grad():
        expected = model(**inputs).logits
        Hierarchical(WINDOW).install(model)
        assert_close(model(**inputs).logits, expected)
    Hierarchical(WINDOW, num_layers=1).install(model)
    assert len(attached(model, "reading").layers) == 1
    assert model.config.ctxlab["reading"] == {
        "name": "hierarchical", "num_layers": 1, "num_heads": 4, "pool": "mean",
    }  # fmt: skip


def test_a_copied_model_uses_its_own_encoder(tiny):
    model, inputs = tiny("bert"), {**rows(2, WINDOW), "groups": torch.tensor([0, 0])}
    installed(model)
    other = copy.deepcopy(model)
    torch.nn.init.zeros_(attached(other, "reading").out.weight)
    with torch.no_grad():
        assert (model(**inputs).logits - other(**inputs).logits).abs().amax() > 1e-3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"window": 0}, "window=0 must be at least 1 token"),
        ({"num_layers": 0}, "num_layers=0 must be at least 1: use strategy=chunk"),
        ({"levels": 4}, "levels=4 is not 2 "),
        ({"group": 1}, "group=1 must be at least 2 windows"),
        ({"num_heads": 0}, "num_heads=0 must be at least 1"),
        ({"pool": "max"}, "pool=max is not one of mean, first, attention"),
    ],
)
def test_options_that_make_no_sense(options, words):
    with pytest.raises(UserError, match=words):
        Hierarchical(**options)


def test_the_saved_config_names_sections(tiny):
    model = tiny("bert")
    Hierarchical(WINDOW, pool="attention", levels=3, group=4).install(model)
    assert model.config.ctxlab["reading"] == {
        "name": "hierarchical", "num_layers": 2, "num_heads": 4, "pool": "attention", "levels": 3, "group": 4,
    }  # fmt: skip


def test_what_the_model_cannot_do_is_refused(tiny):
    with pytest.raises(UserError, match="window=600 is wider than context"):
        Hierarchical(600).fit(512, 0, 512, extended=False)
    with pytest.raises(UserError, match="num_heads=5 does not divide the model's width of 32: use 4"):
        Hierarchical(num_heads=5).install(tiny("bert"))
    with pytest.raises(UserError, match="pool=first does not work with a decoder"):
        Hierarchical(pool="first").install(tiny("llama"))
    model = tiny("bert")
    model.config.hidden_size = 64
    Hierarchical(WINDOW).install(model)
    with pytest.raises(UserError, match="hidden states have width 32 while its config says 64"):
        model(**rows(1, WINDOW))


def test_windows_are_those_of_segments():
    ours, theirs = Hierarchical(WINDOW), Segments(WINDOW)
    for num in (0, 1, 9, 64):
        one = document(num, 0, (1,), (2,))
        pairs = zip(ours.windows(one, 35), theirs.windows(one, 35), strict=True)
        assert all((a.token_index == b.token_index).all() and a.begins == b.begins for a, b in pairs)
    assert ours.joins
    assert ours.links
    np.testing.assert_array_equal(Segments(WINDOW).reach(3), np.eye(3, dtype=bool))


@pytest.mark.slow
@pytest.mark.parametrize("source", [TinyBert(dropout=0.0), TinyLlama(dropout=0.0)], ids=["encoder", "decoder"])
def test_a_bit_is_carried_over_eight_windows(source):
    """As with a memory; independent windows stay at a half (``test_memory_carries``)."""
    torch.manual_seed(0)
    task = NER(["ONE", "TWO"])
    task.labels = ["O", "ONE", "TWO"]
    model = source.build(task.head, task.labels)
    whole, draw = strategy(Hierarchical(test_memory_carries.WINDOW)), np.random.default_rng(0)
    whole.reading.install(model)
    test_memory_carries.train(model.train(), whole, task, draw)
    assert test_memory_carries.accuracy(model.eval(), whole, draw) >= 0.95
