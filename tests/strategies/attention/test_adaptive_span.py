"""Learned spans: the kernel equals dense attention under the soft mask, spans learn, and are saved with the model."""

import copy
import math
from types import SimpleNamespace
from unittest import mock

import pytest
import torch
import transformers as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch.testing import assert_close
from transformers.masking_utils import bidirectional_mask_function, causal_mask_function

from ctxlab.core import added_modules
from ctxlab.core.architecture import recompute_activations
from ctxlab.core.errors import UserError
from ctxlab.strategies.attention.adaptive_span import AdaptiveSpan, Bounded
from ctxlab.strategies.attention.kernels import ramps, soft_span
from ctxlab.strategies.attention.kernels.masks import from_tensor, library_mask
from ctxlab.strategies.attention.kernels.soft_span import Tiles, num_pairs, soft_span_attention
from tests.selection import EXAMPLES

KINDS = ["bert", "roberta", "distilbert", "electra", "albert", "modernbert", "llama", "gpt2"]
DECODERS = ["llama", "gpt2"]


@pytest.fixture(autouse=True, scope="module")
def small_blocks():
    """Tiles as small as the windows of these tests."""
    with mock.patch.object(soft_span, "TILE_BLOCK", 8), mock.patch.object(ramps, "RAMP_BLOCK", 4):
        yield


def dense(query, key, value, spans, ramp, seen, scaling):
    """In float64: weights times the soft mask, normalised; a query without any key sees itself."""
    groups = query.shape[1] // key.shape[1]
    key, value = (tokens.repeat_interleave(groups, 1) for tokens in (key, value))
    index = torch.arange(key.shape[2])
    distance = (index[-query.shape[2] :, None] - index).abs()
    fade = ((ramp + spans[:, None, None] - distance) / ramp).clamp(0, 1) * seen
    itself = torch.eye(key.shape[2], dtype=torch.bool)[-query.shape[2] :]
    fade = torch.where((fade == 0).all(-1, keepdim=True) & itself, 1.0, fade)
    scores = torch.einsum("bhqd,bhkd->bhqk", query, key) * scaling
    weights = (scores - scores.amax(-1, keepdim=True).detach()).exp() * fade
    return torch.einsum("bhqk,bhkd->bhqd", weights / weights.sum(-1, keepdim=True), value)


def visible(length, causal, padding):
    """(B, 1, L, L): the pairs that the model itself allows."""
    index = torch.arange(length)
    seen = padding[:, None, None, :] & torch.ones(length, 1, dtype=torch.bool)
    return seen & (index <= index[:, None]) if causal else seen


@st.composite
def cases(draw):
    length, batch, key_heads = draw(st.integers(1, 70)), draw(st.integers(1, 3)), draw(st.sampled_from([1, 2, 3]))
    heads = key_heads * draw(st.sampled_from([1, 2]))
    padding = torch.ones(batch, length, dtype=torch.bool)
    side = draw(st.sampled_from(["none", "right", "left"]))
    for row in range(batch if side != "none" else 0):
        lost = draw(st.integers(0, length - 1))
        padding[row, slice(length - lost, None) if side == "right" else slice(0, lost)] = False
    widths = st.floats(0, 80, width=32).map(lambda span: math.floor(span) + 0.37)
    return SimpleNamespace(
        length=length,
        heads=heads,
        key_heads=key_heads,
        padding=padding,
        padded=side != "none",
        causal=draw(st.booleans()),
        spans=draw(st.lists(widths, min_size=heads, max_size=heads)),
        ramp=draw(st.sampled_from([1, 2, 5, 16])),
        scaling=draw(st.sampled_from([None, 0.3])),
        dtype=torch.float32,
        seed=draw(st.integers(0, 10_000)),
    )


def run(case, attend=soft_span_attention):
    """Outputs and the gradients of queries, keys, values and spans, of kernel and oracle."""
    torch.manual_seed(case.seed)
    batch, length = case.padding.shape
    inputs = [torch.randn(batch, length, heads, 5).transpose(1, 2).to(case.dtype)
              for heads in (case.heads, case.key_heads, case.key_heads)]  # fmt: skip
    inputs.append(torch.tensor(case.spans))
    upstream = torch.randn(batch, case.heads, length, 5).to(case.dtype)
    function = causal_mask_function if case.causal else bidirectional_mask_function
    padding = case.padding if case.padded else None
    tiles = Tiles(library_mask(batch, length, length, mask_function=function, attention_mask=padding))
    ours = [tensor.clone().requires_grad_() for tensor in inputs]
    output = attend(*ours, tiles, ramp=case.ramp, scaling=case.scaling).transpose(1, 2)
    output.backward(upstream)
    theirs = [tensor.double().requires_grad_() for tensor in inputs]
    seen = visible(length, case.causal, case.padding)
    expected = dense(*theirs, case.ramp, seen, case.scaling or 5**-0.5)
    expected.backward(upstream.double())
    return [output, *(one.grad for one in ours)], [expected, *(one.grad for one in theirs)]


def assert_equal(found, expected, tolerance=1e-5):
    for ours, theirs in zip(found, expected, strict=True):
        assert_close(ours.double(), theirs, atol=tolerance, rtol=0)


@pytest.mark.parametrize("examples", EXAMPLES)
def test_equals_dense_attention_under_the_soft_mask(examples):
    """The spans' gradient adds up hundreds of pairs: its tolerance is relative where it is large."""

    @settings(max_examples=examples, deadline=None, derandomize=True)
    @given(cases())
    def check(case):
        found, expected = run(case)
        assert_equal(found[:4], expected[:4])
        assert_close(found[4].double(), expected[4], atol=1e-5, rtol=1e-5)

    check()


def by_the_library(query, key, value, spans, tiles, *, ramp, scaling):
    """Take the code path of devices other than the CPU."""
    call = soft_span.SoftSpanCall(tiles, ramp, scaling or query.shape[-1] ** -0.5)
    return soft_span._by_the_library(query, key, value, spans, call, 0.0)


@pytest.mark.slow
@settings(max_examples=200, deadline=None, derandomize=True)
@given(cases())
def test_the_path_for_other_devices_equals_it_too(case):
    found, expected = run(case, by_the_library)
    assert_equal(found[:4], expected[:4])
    assert_close(found[4].double(), expected[4], atol=1e-5, rtol=1e-5)


def example(**changes):
    padding = torch.ones(2, 70, dtype=torch.bool)
    padding[1, 50:] = False
    base = {
        "heads": 4, "key_heads": 2, "padding": padding, "padded": True, "causal": False, "ramp": 5, "scaling": None,
        "spans": [0.4, 3.3, 9.6, 20.2], "dtype": torch.float32, "seed": 1,
    }  # fmt: skip
    return SimpleNamespace(**base | changes)


def test_the_oracle_notices_a_span_that_is_off_by_one():
    found = run(example(spans=[1.4, 4.3, 10.6, 21.2]))[0]
    expected = run(example())[1]
    assert all((ours - theirs).abs().max() > 1e-3 for ours, theirs in zip(found, expected, strict=True))


def test_in_bf16_rounding_happens_only_at_the_end():
    """The oracle starts from the same rounded inputs; 8 bits of mantissa remain."""
    found, expected = run(example(dtype=torch.bfloat16))
    for ours, theirs in zip(found, expected, strict=True):
        assert_close(ours.double(), theirs, atol=0.01 * max(1.0, float(theirs.detach().abs().max())), rtol=0)


def test_under_autocast():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert_equal(*run(example()))


def test_huge_scores_stay_finite():
    """A pair outside the spans may outweigh all others by more than fp32 holds."""
    query, key, value = (torch.full((1, 1, 40, 4), 1.0).requires_grad_() for _ in range(3))
    spans = torch.tensor([3.5], requires_grad=True)
    steep = (torch.arange(40.0) * 20)[:, None]
    soft_span_attention(query, key * steep, value, spans, Tiles(library_mask(1, 40, 40)), ramp=4).sum().backward()
    assert all(tensor.grad.isfinite().all() for tensor in (query, key, value, spans))


@pytest.mark.parametrize("causal", [False, True])
def test_at_full_span_it_is_full_attention(causal):
    torch.manual_seed(0)
    query, key, value = (torch.randn(2, 4, 70, 5) for _ in range(3))
    tiles = Tiles(from_tensor(query, key, None, causal))
    found = soft_span_attention(query, key, value, torch.full((4,), 69.0), tiles, ramp=3)
    expected = torch.nn.functional.scaled_dot_product_attention(query, key, value, is_causal=causal)
    assert_close(found.transpose(1, 2), expected, atol=1e-6, rtol=0)


def test_packed_documents_do_not_see_each_other():
    torch.manual_seed(0)
    query, key, value = (torch.randn(2, 4, 70, 5) for _ in range(3))
    document = torch.arange(70) // 30
    packed = (document[:, None] == document).expand(2, 1, -1, -1)
    spans = torch.tensor([2.2, 11.0, 40.5, 0.0])
    found = soft_span_attention(query, key, value, spans, Tiles(from_tensor(query, key, packed, False)), ramp=6)
    expected = dense(query.double(), key.double(), value.double(), spans.double(), 6, packed, 5**-0.5)
    assert_close(found.transpose(1, 2).double(), expected, atol=1e-5, rtol=0)


def test_queries_that_read_a_cache():
    torch.manual_seed(0)
    query, key, value = (torch.randn(2, 4, 70, 5) for _ in range(3))
    spans, function = torch.tensor([2.2, 11.0, 40.5, 0.0]), causal_mask_function
    whole = soft_span_attention(query, key, value, spans, Tiles(from_tensor(query, key, None, True)), ramp=6)
    for new in (1, 9, 20):
        tiles = Tiles(library_mask(2, new, 70, q_offset=70 - new, mask_function=function))
        found = soft_span_attention(query[:, :, -new:], key, value, spans, tiles, ramp=6)
        assert_close(found, whole[:, -new:], atol=1e-6, rtol=0)


def test_dropout_keeps_the_mean_and_has_gradients():
    torch.manual_seed(0)
    query, key, value = (torch.randn(1, 2, 70, 4) for _ in range(3))
    spans = torch.tensor([4.4, 20.0], requires_grad=True)
    tiles = Tiles(from_tensor(query, key, None, False))
    plain = soft_span_attention(query, key, value, spans, tiles, ramp=6)
    dropped = torch.stack(
        [soft_span_attention(query, key, value, spans, tiles, ramp=6, dropout=0.3) for _ in range(60)]
    )
    assert not torch.equal(dropped[0], dropped[1])
    assert (dropped.mean(0) - plain).abs().mean() < 0.08
    dropped.sum().backward()
    assert spans.grad.isfinite().all()


def keys_given(spans, causal, monkeypatch):
    """Pairs that the kernel is given for one head of 64 tokens."""
    pairs, kernel = [], soft_span.KERNEL

    def count(query, key, *args, **kwargs):
        pairs.append(query.shape[2] * key.shape[2])
        return kernel(query, key, *args, **kwargs)

    monkeypatch.setattr(soft_span, "KERNEL", count)
    tensors = torch.randn(3, 1, 2, 64, 4).unbind()
    soft_span_attention(*tensors, torch.tensor(spans), Tiles(from_tensor(*tensors[:2], None, causal)), ramp=4)
    return sum(pairs)


def test_only_pairs_within_the_widest_span_are_computed(monkeypatch):
    """Six inner tiles of 8 queries see 8 + 2 · 12 keys, less at the ends; a causal model one side."""
    assert keys_given([1.0, 9.0], False, monkeypatch) == num_pairs(64, 12)
    assert num_pairs(64, 12) == 8 * (4 * 32 + 2 * (20 + 28))
    assert keys_given([1.0, 9.0], True, monkeypatch) == 8 * (8 + 16 + 6 * 20)
    assert keys_given([0.0, 0.0], False, monkeypatch) == num_pairs(64, 3)
    assert keys_given([1.0, 500.0], False, monkeypatch) == 64 * 64


def part(**changes):
    return AdaptiveSpan(**{"max_span": 60, "ramp": 6, "initial": 0.2} | changes)


def batch(length=90, lost=20, side="right"):
    torch.manual_seed(1)
    ids, mask = torch.randint(5, 60, (2, length)), torch.ones(2, length, dtype=torch.long)
    mask[1, slice(length - lost, None) if side == "right" else slice(0, lost)] = 0
    return ids, mask


def scatter(model):
    """Give each head a different span."""
    spans = added_modules.attached(model, "attention")
    torch.manual_seed(3)
    with torch.no_grad():
        spans.shares.uniform_(0.01, 0.4)
    return spans


@pytest.mark.covering
@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_model_equals_the_oracle_in_every_layer(tiny, kind, side):
    """Another copy of the model attends by the oracle's formula, layer by layer with its own spans."""
    model, reference = tiny(kind), tiny(kind)
    part().install(model)
    spans = scatter(model).by_layer()
    ids, mask = batch(side=side)
    position_ids = None if kind == "distilbert" else torch.arange(90).expand(2, -1)
    options = {"input_ids": ids, "attention_mask": mask} | (
        {"position_ids": position_ids} if position_ids is not None else {}
    )
    layers = iter(list(spans) * (2 if len(spans) == 1 else 1))

    def attend(module, query, key, value, attention_mask, scaling=None, **kwargs):
        seen = attention_mask if attention_mask is not None else visible(90, kind in DECODERS, torch.ones(2, 90).bool())
        scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
        tensors = [one.double() for one in (query, key, value, next(layers))]
        return dense(*tensors, 6, seen, scaling).to(query.dtype).transpose(1, 2), None

    tf.AttentionInterface.register("sdpa_oracle", attend)
    tf.AttentionMaskInterface.register("sdpa_oracle", tf.masking_utils.sdpa_mask)
    reference.set_attn_implementation("sdpa_oracle")
    upstream = torch.randn(2, 90, 3) * mask[..., None]
    found, expected = model(**options).logits, reference(**options).logits
    full = copy.deepcopy(reference)
    full.set_attn_implementation("sdpa")
    assert_close(found[mask.bool()], expected[mask.bool()], atol=5e-5, rtol=0)
    assert (found - full(**options).logits)[mask.bool()].abs().max() > 1e-2
    (found * upstream).sum().backward()
    (expected * upstream).sum().backward()
    ours = {name: weight.grad for name, weight in model.named_parameters() if not name.startswith("ctxlab_parts")}
    for name, weight in reference.named_parameters():
        if weight.grad is not None:
            scale = max(1.0, float(weight.grad.abs().max()))
            assert_close(ours[name], weight.grad, atol=2e-4 * scale, rtol=0, msg=name)


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("kind", ["bert", "llama", "gpt2"])
def test_batched_equals_alone(tiny, kind, side):
    model = tiny(kind)
    part().install(model)
    scatter(model)
    ids, mask = batch(side=side)
    real = mask[1].bool()
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    with torch.no_grad():
        together = model(input_ids=ids, attention_mask=mask, position_ids=positions).logits[1, real]
        alone = model(input_ids=ids[1:, real]).logits[0]
    assert_close(together, alone, atol=2e-5, rtol=0)


def test_spans_of_one_share_belong_to_one_layer_and_head(tiny):
    model = tiny("llama")
    part(initial=1.0).install(model)
    spans = added_modules.attached(model, "attention")
    assert [len(layer) for layer in spans.by_layer()] == [4, 4]
    assert spans.tokens().tolist() == [60.0] * 8
    ids, _ = batch()
    model(input_ids=ids).logits.sum().backward()
    assert spans.shares.grad.shape == (8,)


def test_null_takes_as_many_tokens_as_there_are_positions(tiny):
    model = tiny("bert", positions=200)
    AdaptiveSpan(initial=0.5).install(model)
    assert added_modules.attached(model, "attention").tokens().tolist() == [100.0] * 8
    assert model.config.ctxlab["attention"]["max_span"] == 200


def test_the_declared_reach_follows_the_widest_head(tiny):
    query, key = torch.arange(90)[:, None], torch.arange(90)[None]
    one = part()
    assert one.allowed(query, key, 90)[0].sum() == 66
    assert one.pairs(90) == num_pairs(90, 65)
    assert AdaptiveSpan().allowed(query, key, 90).all()
    assert AdaptiveSpan().pairs(90) == 8100
    model = tiny("bert")
    one.install(model)
    with torch.no_grad():
        added_modules.attached(model, "attention").shares[5] = 0.25
    assert one.allowed(query, key, 90)[0].sum() == 21  # |distance| < 15 + 6
    assert one.pairs(90) == (num_pairs(90, 17) + num_pairs(90, 20)) // 2


def test_at_a_bound_only_the_gradient_beyond_it_is_lost():
    shares = torch.tensor([-0.1, 0.0, 0.0, 0.5, 1.0, 1.0, 1.2], requires_grad=True)
    bounded = Bounded.apply(shares)
    assert bounded.tolist() == [0.0, 0.0, 0.0, 0.5, 1.0, 1.0, 1.0]
    bounded.backward(torch.tensor([1.0, 1.0, -1.0, 1.0, 1.0, -1.0, 1.0]))
    assert shares.grad.tolist() == [0, 0, -1, 1, 1, 0, 1]


def test_the_penalty_is_the_mean_span_of_each_layer(tiny):
    model, one = tiny("bert"), part(penalty=0.01)
    one.install(model)
    with torch.no_grad():
        added_modules.attached(model, "attention").shares.copy_(torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5, 0.5, 0.5, 0.5]))
    penalty = one.penalty(model)
    assert penalty.item() == pytest.approx(0.01 * (15 + 30))
    penalty.backward()
    assert added_modules.attached(model, "attention").shares.grad.tolist() == pytest.approx([0.01 * 60 / 4] * 8)


def test_figures_and_tables_say_what_was_learned(tiny):
    model, one = tiny("bert"), part()
    one.install(model)
    with torch.no_grad():
        added_modules.attached(model, "attention").shares[4:] = torch.tensor([0.1, 0.2, 0.3, 0.4])
    assert one.figures(model) == pytest.approx(
        {"mean_span_tokens_layer_0": 12, "mean_span_tokens_layer_1": 15, "widest_span_tokens": 24}
    )
    (table,) = one.tables(model)
    assert (table.name, table.columns) == ("spans", ("layer", "head", "span"))
    assert [row[:2] for row in table.rows] == [(layer, head) for layer in (0, 1) for head in range(4)]
    assert table.rows[-1][2] == pytest.approx(24)


def train(model, one, steps, labels, ids):
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02, weight_decay=0.0)
    for _ in range(steps):
        loss = torch.nn.functional.cross_entropy(model(input_ids=ids).logits.flatten(0, 1), labels.flatten())
        (loss + one.penalty(model)).backward()
        optimizer.step()
        optimizer.zero_grad()


def test_spans_shrink_where_the_task_needs_none(tiny):
    """The label of a token is its own: nothing further away helps."""
    ids, _ = batch()
    model, one = tiny("bert"), part(penalty=0.05, initial=0.5)
    one.install(model.train())
    train(model, one, 12, ids % 3, ids)
    assert added_modules.attached(model, "attention").tokens().max() < 24
    assert added_modules.attached(model, "attention").tokens().min() >= 0


def test_spans_grow_where_more_of_the_text_helps():
    """One head averages what it sees; the target is the average of everything."""
    torch.manual_seed(0)
    value = torch.randn(8, 1, 60, 4)
    wanted = value.mean(2, keepdim=True).expand_as(value)
    share = torch.tensor([0.1], requires_grad=True)
    tiles, zeros = Tiles(library_mask(8, 60, 60)), torch.zeros(8, 1, 60, 4)
    for _ in range(20):
        found = soft_span_attention(zeros, zeros, value, Bounded.apply(share) * 60, tiles, ramp=6).transpose(1, 2)
        ((found - wanted) ** 2).mean().backward()
        with torch.no_grad():
            share -= 0.03 * share.grad.sign()
            share.grad = None
    assert share.item() > 0.5


@pytest.mark.parametrize("kind", ["bert", "llama"])
def test_a_checkpoint_keeps_the_spans(tiny, kind, tmp_path):
    """In tokens, even when it is installed with another longest span."""
    model = tiny(kind)
    part().install(model)
    spans = scatter(model)
    model.save_pretrained(tmp_path)
    saved = load_file(tmp_path / "model.safetensors")
    again = tf.AutoModelForTokenClassification.from_pretrained(tmp_path).eval()
    one = part(max_span=30)
    one.install(again)
    state = again.state_dict()
    assert {name for name in state if name.startswith("ctxlab_parts.")} == {
        "ctxlab_parts.attention.shares",
        "ctxlab_parts.attention.longest",
    }
    with torch.no_grad():
        for name, tensor in state.items():
            tensor.copy_(saved[name])
    assert torch.equal(added_modules.attached(again, "attention").tokens(), spans.tokens())
    ids, mask = batch()
    with torch.no_grad():
        assert torch.equal(
            again(input_ids=ids, attention_mask=mask).logits, model(input_ids=ids, attention_mask=mask).logits
        )


def test_a_copy_of_a_model_has_spans_of_its_own(tiny):
    model = tiny("bert")
    part().install(model)
    other = copy.deepcopy(model)
    ids, _ = batch()
    with torch.no_grad():
        before = model(input_ids=ids).logits
        added_modules.attached(other, "attention").shares.fill_(0.0)
        assert torch.equal(model(input_ids=ids).logits, before)
        assert not torch.allclose(other(input_ids=ids).logits, before, atol=1e-3)


def test_gradient_checkpointing_gives_the_same_gradients(tiny):
    gradients = []
    for checkpointing in (False, True):
        model = tiny("llama").train()
        part().install(model)
        if checkpointing:
            recompute_activations(model)
        ids, mask = batch()
        model(input_ids=ids, attention_mask=mask, use_cache=False).logits.sum().backward()
        gradients.append(added_modules.attached(model, "attention").shares.grad)
    assert gradients[0].abs().max() > 0
    assert_close(gradients[0], gradients[1], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("argument", ["position_bias", "softcap", "s_aux"])
def test_what_would_change_the_scores_is_not_dropped_in_silence(argument):
    query = torch.randn(1, 2, 4, 4)
    with pytest.raises(NotImplementedError, match=argument):
        part()._attend(SimpleNamespace(is_causal=False), query, query, query, None, **{argument: torch.ones(1)})


@pytest.mark.parametrize("kind", ["t5", "deberta"])
def test_a_model_that_cannot_have_it_is_refused_and_left_alone(tiny, kind):
    model = tiny(kind)
    with pytest.raises(UserError, match=r"would not take effect|has no such limit"):
        AdaptiveSpan().install(model)
    assert not hasattr(model, "ctxlab_parts")


def test_a_model_without_a_number_of_positions_needs_a_longest_span(tiny):
    with pytest.raises(
        UserError, match=r"^strategy.attention.max_span=null .*give strategy.attention.max_span=<tokens>\.$"
    ):
        AdaptiveSpan().install(tiny("t5"))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"max_span": 0}, "max_span=0"),
        ({"ramp": 0}, "ramp=0"),
        ({"initial": 0.0}, "initial=0.0"),
        ({"initial": 1.5}, "initial=1.5"),
        ({"penalty": -1.0}, "penalty=-1.0"),
    ],
)
def test_sizes_that_make_no_sense_are_refused(options, named):
    with pytest.raises(UserError, match=f"^strategy.attention.{named} [^\n]*\\.$"):
        AdaptiveSpan(**options)
