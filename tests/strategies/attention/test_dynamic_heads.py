"""Fewer heads for longer documents: those that attend do so in full, the others give zero and cost nothing."""

from types import SimpleNamespace
from unittest import mock

import pytest
import torch
import torch.nn.functional as F
import transformers as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close
from transformers.masking_utils import bidirectional_mask_function, causal_mask_function

from ctxlab.core.errors import UserError
from ctxlab.strategies.attention.dynamic_heads import DynamicHeads
from tests.selection import EXAMPLES

KINDS = ["bert", "roberta", "distilbert", "electra", "albert", "modernbert", "llama", "gpt2"]
DECODERS = ["llama", "gpt2"]


@pytest.mark.parametrize(
    ("length", "heads"), [(1, 12), (100, 12), (105, 11), (150, 8), (200, 6), (400, 3), (1000, 2), (10**6, 2)]
)
def test_the_number_of_heads_follows_the_rule(length, heads):
    assert DynamicHeads(reference=100, exponent=1.0, least=2).heads(length, 12) == heads


@pytest.mark.parametrize(("exponent", "heads"), [(0.5, 6), (2.0, 1), (0.25, 8)])
def test_the_exponent_sets_how_fast_heads_become_fewer(exponent, heads):
    assert DynamicHeads(reference=100, exponent=exponent, least=1).heads(400, 12) == heads


def oracle(part, query, key, value, padding, causal, scaling):
    """In float64, one window and one head after the other; padding queries that see nothing are left at zero."""
    groups = query.shape[1] // key.shape[1]
    rows = []
    for row, real in enumerate(padding):
        count = part.heads(int(real.sum()), query.shape[1])
        heads = []
        for head in range(query.shape[1]):
            if head >= count:
                heads.append(value[row, 0] * 0)
                continue
            scores = query[row, head] @ key[row, head // groups].T * scaling
            index = torch.arange(len(real))
            seen = real[None] & ((index <= index[:, None]) if causal else torch.tensor(True))
            weights = scores.masked_fill(~seen, -1e30).softmax(-1) * seen.any(-1, keepdim=True)
            heads.append(weights @ value[row, head // groups])
        rows.append(torch.stack(heads))
    return torch.stack(rows)


@st.composite
def cases(draw):
    length, batch, key_heads = draw(st.integers(1, 60)), draw(st.integers(1, 4)), draw(st.sampled_from([1, 2, 3, 4]))
    padding = torch.ones(batch, length, dtype=torch.bool)
    side = draw(st.sampled_from(["none", "right", "left"]))
    for row in range(batch if side != "none" else 0):
        lost = draw(st.integers(0, length - 1))
        padding[row, slice(length - lost, None) if side == "right" else slice(0, lost)] = False
    return SimpleNamespace(
        length=length,
        heads=key_heads * draw(st.sampled_from([1, 2, 3])),
        key_heads=key_heads,
        padding=padding,
        padded=side != "none",
        causal=draw(st.booleans()),
        scaling=draw(st.sampled_from([None, 0.3])),
        part=DynamicHeads(
            reference=draw(st.integers(1, 60)),
            exponent=draw(st.sampled_from([0.5, 1.0, 2.0])),
            least=draw(st.integers(1, 3)),
        ),
        seed=draw(st.integers(0, 10_000)),
    )


def mask_of(case):
    return case.part._mask(
        len(case.padding),
        case.length,
        case.length,
        mask_function=causal_mask_function if case.causal else bidirectional_mask_function,
        attention_mask=case.padding if case.padded else None,
        allow_is_causal_skip=case.causal,
        allow_is_bidirectional_skip=not case.causal,
    )


def run(case, dtype=torch.float32):
    """Outputs and gradients of the part and the oracle, padding queries aside."""
    torch.manual_seed(case.seed)
    batch = len(case.padding)
    inputs = [torch.randn(batch, case.length, heads, 5).transpose(1, 2).to(dtype)
              for heads in (case.heads, case.key_heads, case.key_heads)]  # fmt: skip
    real = case.padding[:, None, :, None]
    upstream = torch.randn(batch, case.heads, case.length, 5).to(dtype) * real
    ours = [tensor.clone().requires_grad_() for tensor in inputs]
    module = SimpleNamespace(is_causal=case.causal)
    output = case.part._attend(module, *ours, mask_of(case), scaling=case.scaling)[0].transpose(1, 2)
    output.backward(upstream)
    theirs = [tensor.double().requires_grad_() for tensor in inputs]
    expected = oracle(case.part, *theirs, case.padding, case.causal, case.scaling or 5**-0.5)
    expected.backward(upstream.double())
    assert output.isfinite().all()
    return [output * real, *(one.grad for one in ours)], [expected * real, *(one.grad for one in theirs)]


@pytest.mark.parametrize("examples", EXAMPLES)
def test_equals_dense_attention_of_these_heads(examples):
    @settings(max_examples=examples, deadline=None, derandomize=True)
    @given(cases())
    def check(case):
        for ours, theirs in zip(*run(case), strict=True):
            assert_close(ours.double(), theirs, atol=1e-5, rtol=0)

    check()


def example(**changes):
    padding = torch.ones(3, 40, dtype=torch.bool)
    padding[1, 20:] = False
    padding[2, :33] = False
    base = {
        "length": 40, "heads": 6, "key_heads": 2, "padding": padding, "padded": True, "causal": False, "scaling": None,
        "part": DynamicHeads(reference=10, exponent=0.5, least=1), "seed": 1,
    }  # fmt: skip
    return SimpleNamespace(**base | changes)


def test_in_bf16():
    for ours, theirs in zip(*run(example(), torch.bfloat16), strict=True):
        assert_close(ours.double(), theirs, atol=0.05 * max(1.0, float(theirs.detach().abs().max())), rtol=0)


@pytest.mark.parametrize("causal", [False, True])
def test_heads_left_out_are_never_handed_to_the_kernel(causal):
    """40 tokens: 3 of 6 heads; 20 tokens: 4; 7 tokens: all. A key head goes with its query heads."""
    calls, kernel = [], F.scaled_dot_product_attention

    def count(query, key, *args, **kwargs):
        calls.append((tuple(query.shape[:2]), tuple(key.shape[:2])))
        return kernel(query, key, *args, **kwargs)

    with mock.patch.object(F, "scaled_dot_product_attention", count):
        case = example(causal=causal)
        output = case.part._attend(SimpleNamespace(is_causal=causal), *tensors(), mask_of(case))[0]
    assert calls == [((1, 3), (1, 3)), ((1, 4), (1, 4)), ((1, 6), (1, 6))]
    used = output.abs().amax((1, 3)) > 0
    assert used.tolist() == [[True] * 3 + [False] * 3, [True] * 4 + [False] * 2, [True] * 6]


def tensors():
    torch.manual_seed(0)
    return torch.randn(3, 6, 40, 5), torch.randn(3, 2, 40, 5), torch.randn(3, 2, 40, 5)


def test_where_nothing_is_padded_causality_costs_no_mask():
    part = DynamicHeads()
    assert part._mask(2, 40, 40, mask_function=causal_mask_function).mask is None
    assert part._mask(2, 40, 40, mask_function=causal_mask_function).lengths == [40]


def test_pairs_are_those_of_the_heads_that_attend(tiny):
    part = DynamicHeads(reference=100, least=1)
    assert part.pairs(100) == 100**2
    assert part.pairs(200) == 200**2 // 2
    part.install(tiny("bert"))
    assert part.pairs(200) == 200**2 * 2 // 4
    assert part.pairs(1000) == 1000**2 // 4


def test_what_is_declared():
    part = DynamicHeads(reference=10, least=1)
    query, key = torch.arange(20)[:, None], torch.arange(20)[None]
    assert part.allowed(query, key, 20).all()
    shown = [part.pattern_of_head({}, 0, head, 4)(query, key, 20) for head in range(4)]
    assert [bool(one.all()) for one in shown] == [True, True, False, False]
    assert not shown[2].any()


def batch(length=90, lost=60, side="right"):
    torch.manual_seed(1)
    ids, mask = torch.randint(5, 60, (2, length)), torch.ones(2, length, dtype=torch.long)
    mask[1, slice(length - lost, None) if side == "right" else slice(0, lost)] = 0
    return ids, mask


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_model_equals_one_whose_other_heads_are_cut_out(tiny, kind):
    """Heads are cut out of the reference by the library's kernel and a product with 0 and 1."""
    model, reference = tiny(kind), tiny(kind)
    DynamicHeads(reference=45, least=1).install(model)
    sdpa = tf.AttentionInterface()["sdpa"]

    def cut(module, query, *args, **kwargs):
        output = sdpa(module, query, *args, **kwargs)[0]
        shown = torch.ones(2, 1, query.shape[1], 1)
        shown[0, :, 2:] = 0  # 90 tokens: half of four heads; the other document has 30
        return output * shown, None

    tf.AttentionInterface.register("sdpa_cut", cut)
    tf.AttentionMaskInterface.register("sdpa_cut", tf.masking_utils.sdpa_mask)
    reference.set_attn_implementation("sdpa_cut")
    ids, mask = batch()
    upstream = torch.randn(2, 90, 3) * mask[..., None]
    found, expected = (one(input_ids=ids, attention_mask=mask).logits for one in (model, reference))
    assert_close(found[mask.bool()], expected[mask.bool()], atol=2e-5, rtol=0)
    full = tiny(kind)(input_ids=ids, attention_mask=mask).logits
    assert (found - full)[0].abs().max() > 1e-2
    assert_close(found[1, :30], full[1, :30], atol=2e-5, rtol=0)
    for side in (found, expected):
        (side * upstream).sum().backward()
    for (name, ours), theirs in zip(model.named_parameters(), reference.parameters(), strict=True):
        if theirs.grad is not None:
            assert_close(ours.grad, theirs.grad, atol=1e-4 * max(1.0, float(theirs.grad.abs().max())), rtol=0, msg=name)


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("kind", ["bert", "llama", "gpt2"])
def test_batched_equals_alone(tiny, kind, side):
    model = tiny(kind)
    DynamicHeads(reference=20, least=1).install(model)
    ids, mask = batch(side=side)
    real = mask[1].bool()
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    with torch.no_grad():
        together = model(input_ids=ids, attention_mask=mask, position_ids=positions).logits[1, real]
        alone = model(input_ids=ids[1:, real]).logits[0]
    assert_close(together, alone, atol=2e-5, rtol=0)


def test_a_short_document_has_full_attention(tiny):
    model, plain = tiny("llama"), tiny("llama")
    DynamicHeads(reference=90).install(model)
    ids, mask = batch()
    with torch.no_grad():
        found, expected = (one(input_ids=ids, attention_mask=mask).logits for one in (model, plain))
    assert_close(found[mask.bool()], expected[mask.bool()], atol=2e-5, rtol=0)


def test_queries_that_read_a_cache_follow_its_length():
    part = DynamicHeads(reference=10, exponent=0.5, least=1)
    query, key, value = tensors()
    whole = part._attend(SimpleNamespace(is_causal=True), query, key, value, None)[0]
    mask = part._mask(3, 1, 40, q_offset=39, mask_function=causal_mask_function)
    last = part._attend(SimpleNamespace(is_causal=True), query[:, :, -1:], key, value, mask)[0]
    assert_close(last, whole[:, -1:], atol=1e-6, rtol=0)


def test_a_ready_mask_is_kept():
    part = DynamicHeads(reference=20, least=1)
    query, key, value = tensors()
    document = torch.arange(40) // 15
    packed = (document[:, None] == document).expand(3, 1, -1, -1)
    found = part._attend(SimpleNamespace(is_causal=False), query, key, value, packed)[0].transpose(1, 2)
    key, value = (tokens.repeat_interleave(3, 1)[:, :3] for tokens in (key, value))
    assert_close(found[:, :3], F.scaled_dot_product_attention(query[:, :3], key, value, packed), atol=1e-6, rtol=0)
    assert not found[:, 3:].any()


@pytest.mark.parametrize("argument", ["position_bias", "softcap", "s_aux"])
def test_what_would_change_the_scores_is_not_dropped_in_silence(argument):
    query = torch.randn(1, 2, 4, 4)
    with pytest.raises(NotImplementedError, match=argument):
        DynamicHeads()._attend(SimpleNamespace(is_causal=False), query, query, query, None, **{argument: torch.ones(1)})


def test_the_saved_config_says_what_was_installed(tiny):
    model = tiny("bert")
    DynamicHeads(reference=45, exponent=0.5, least=3).install(model)
    declared = {"name": "dynamic_heads", "reference": 45, "exponent": 0.5, "least": 3}
    assert model.config.ctxlab["attention"] == declared


def test_more_heads_than_the_model_has_are_refused(tiny):
    with pytest.raises(UserError, match=r"^strategy.attention.least=5 is more than the 4 heads .* give at most 4\.$"):
        DynamicHeads(least=5).install(tiny("bert"))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"reference": 0}, "reference=0"),
        ({"exponent": 0.0}, "exponent=0.0"),
        ({"exponent": -1.0}, "exponent=-1.0"),
        ({"least": 0}, "least=0"),
    ],
)
def test_sizes_that_make_no_sense_are_refused(options, named):
    with pytest.raises(UserError, match=f"^strategy.attention.{named} [^\n]*\\.$"):
        DynamicHeads(**options)
