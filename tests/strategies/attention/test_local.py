"""The blocked kernel equals dense attention under the declared pattern, in output and in gradient."""

import math
from types import SimpleNamespace
from unittest import mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close
from transformers.masking_utils import bidirectional_mask_function, causal_mask_function

from ctxlab.core.errors import UserError
from ctxlab.strategies.attention.kernels import masks, spans
from ctxlab.strategies.attention.kernels.blocks import BlockMask
from ctxlab.strategies.attention.kernels.masks import DenseMask
from ctxlab.strategies.attention.kernels.spans import Layout
from ctxlab.strategies.attention.local import Local
from tests.selection import EXAMPLES


def dense(query, key, value, seen, scaling):
    """Softmax attention (B, H, L, D) under ``seen`` (B, L, L), in float64; a query that sees nothing sees itself."""
    seen = seen | (~seen.any(-1, keepdim=True) & torch.eye(seen.shape[-1], dtype=torch.bool))
    groups = query.shape[1] // key.shape[1]
    key, value = (
        torch.stack([tokens[:, head // groups] for head in range(query.shape[1])], 1) for tokens in (key, value)
    )
    scores = torch.einsum("bhqd,bhkd->bhqk", query, key) * scaling
    scores = scores.masked_fill(~seen[:, None], -math.inf)
    weights = scores.exp() / scores.exp().sum(-1, keepdim=True)
    return torch.einsum("bhqk,bhkd->bhqd", weights, value)


def declared(length, window, num_global, causal, padding):
    """(B, L, L) by the definition, pair by pair."""
    seen = torch.zeros(length, length, dtype=torch.bool)
    for query in range(length):
        for key in range(length):
            near = query - window <= key <= query + window
            shared = query < num_global or key < num_global
            seen[query, key] = (near or shared) and (key <= query or not causal)
    return seen[None] & padding[:, None, :]


@st.composite
def cases(draw):
    length = draw(st.integers(1, 70))
    batch = draw(st.integers(1, 3))
    window = draw(st.integers(1, 16))
    key_heads = draw(st.sampled_from([1, 2]))
    padding = torch.ones(batch, length, dtype=torch.bool)
    side = draw(st.sampled_from(["none", "right", "left"]))
    for row in range(batch if side != "none" else 0):
        lost = draw(st.integers(0, length - 1))
        padding[row, slice(length - lost, None) if side == "right" else slice(0, lost)] = False
    return SimpleNamespace(
        length=length,
        batch=batch,
        window=window,
        num_global=draw(st.integers(0, 3)),
        block=draw(st.integers(1, 20)),
        heads=key_heads * draw(st.sampled_from([1, 3])),
        key_heads=key_heads,
        causal=draw(st.booleans()),
        padding=padding,
        padded=side != "none",
        scaling=draw(st.sampled_from([None, 0.3])),
        tokens_per_call=draw(st.sampled_from([8, 40, 2048])),
        seed=draw(st.integers(0, 10_000)),
    )


def run(case, dtype):
    """Outputs (B, H, L, D) and gradients of kernel and oracle, as lists, and the mask that was used."""
    torch.manual_seed(case.seed)
    shape = (case.batch, case.length, 5)
    inputs = [torch.randn(*shape[:2], heads, 5).transpose(1, 2).to(dtype)
              for heads in (case.heads, case.key_heads, case.key_heads)]  # fmt: skip
    upstream = torch.randn(case.batch, case.heads, case.length, 5).to(dtype)
    part = Local(case.window, case.num_global)
    part.layout = Layout(case.block, case.window, case.window, case.num_global)
    function = causal_mask_function if case.causal else bidirectional_mask_function
    with mock.patch.object(spans, "TOKENS_PER_CALL", case.tokens_per_call):
        mask = part._mask(
            batch_size=case.batch,
            q_length=case.length,
            kv_length=case.length,
            mask_function=function,
            attention_mask=case.padding if case.padded else None,
        )
        ours = [tensor.clone().requires_grad_() for tensor in inputs]
        module = SimpleNamespace(is_causal=case.causal)
        output = part._attend(module, *ours, mask, scaling=case.scaling)[0].transpose(1, 2)
        output.backward(upstream)
    theirs = [tensor.double().requires_grad_() for tensor in inputs]
    seen = declared(case.length, case.window, case.num_global, case.causal, case.padding)
    expected = dense(*theirs, seen, case.scaling or 5**-0.5)
    expected.backward(upstream.double())
    found = [output, *(tensor.grad for tensor in ours)]
    return [part.double() for part in found], [expected, *(tensor.grad for tensor in theirs)], mask.plans[0].mask


@pytest.mark.parametrize("examples", EXAMPLES)
def test_equals_dense_attention_in_fp32(examples):
    @settings(max_examples=examples, deadline=None)
    @given(cases())
    def check(case):
        found, expected, _ = run(case, torch.float32)
        for ours, theirs in zip(found, expected, strict=True):
            assert_close(ours, theirs, atol=1e-5, rtol=0)

    check()


@pytest.mark.slow
@settings(max_examples=250, deadline=None)
@given(cases())
def test_equals_dense_attention_in_bf16(case):
    """Tolerance: 8 bits of mantissa; worst of 3,000 shapes 0.018 of the largest value, where blocks of one token add up
    thirty spans in bf16 (real blocks add up three)."""
    found, expected, _ = run(case, torch.bfloat16)
    for ours, theirs in zip(found, expected, strict=True):
        assert_close(ours, theirs, atol=0.05 * max(1.0, float(theirs.detach().abs().max())), rtol=0)


def example(**changes):
    base = {
        "length": 67, "batch": 2, "window": 5, "num_global": 2, "block": 6, "heads": 4, "key_heads": 2, "causal": False,
        "padding": torch.ones(2, 67, dtype=torch.bool), "padded": False, "scaling": None, "tokens_per_call": 20,
        "seed": 1,
    }  # fmt: skip
    return SimpleNamespace(**base | changes)


def test_the_examples_above_do_run_in_blocks():
    _, _, mask = run(example(), torch.float32)
    assert isinstance(mask, BlockMask)
    assert mask.rows is not None
    assert mask.layout == Layout(6, 5, 5, 2)


def test_a_causal_model_pays_for_one_side_only():
    _, _, mask = run(example(causal=True), torch.float32)
    assert mask.layout == Layout(6, 5, 0, 2)
    assert mask.rows is None
    assert mask.local.shape == (2 * 12, 1, 6, 2 + 5 + 6)


def test_the_oracle_notices_a_window_that_is_off_by_one():
    found, _, _ = run(example(window=6, block=6), torch.float32)
    _, expected, _ = run(example(window=5, block=6), torch.float32)
    assert (found[0] - expected[0]).abs().max() > 1e-3


def test_queries_that_see_nothing_stay_finite():
    padding = torch.ones(2, 67, dtype=torch.bool)
    padding[:, 20:] = False
    found, _, mask = run(example(num_global=0, padding=padding, padded=True), torch.float32)
    assert isinstance(mask, BlockMask)
    assert all(tensor.isfinite().all() for tensor in found)


def test_a_window_that_covers_everything_is_full_attention():
    torch.manual_seed(0)
    query, key, value = (torch.randn(1, 2, 300, 8) for _ in range(3))
    part = Local(window=300, num_global=0)
    mask = part._mask(1, 300, 300)
    assert isinstance(mask.plans[0].mask, DenseMask)
    assert mask.plans[0].mask.pairs is None
    found = part._attend(SimpleNamespace(is_causal=False), query, key, value, mask)[0]
    expected = torch.nn.functional.scaled_dot_product_attention(query, key, value).transpose(1, 2)
    assert_close(found, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("causal", [False, True])
def test_builds_the_mask_itself_where_the_model_hands_over_none(causal):
    torch.manual_seed(0)
    query, key, value = (torch.randn(1, 2, 200, 8) for _ in range(3))
    part = Local(window=10, num_global=1)
    found = part._attend(SimpleNamespace(is_causal=causal), query, key, value, None)[0].transpose(1, 2)
    seen = declared(200, 10, 1, causal, torch.ones(1, 200, dtype=torch.bool))
    assert_close(found.double(), dense(query.double(), key.double(), value.double(), seen, 8**-0.5), atol=1e-5, rtol=0)


def test_takes_a_ready_mask_of_packed_documents():
    torch.manual_seed(0)
    query, key, value = (torch.randn(2, 2, 200, 8) for _ in range(3))
    document = torch.arange(200) // 70
    packed = (document[:, None] == document[None]).expand(2, 1, -1, -1)
    part = Local(window=10, num_global=1)
    found = part._attend(SimpleNamespace(is_causal=False), query, key, value, packed)[0].transpose(1, 2)
    seen = declared(200, 10, 1, False, torch.ones(2, 200, dtype=torch.bool)) & packed[:, 0]
    assert_close(found.double(), dense(query.double(), key.double(), value.double(), seen, 8**-0.5), atol=1e-5, rtol=0)


def test_queries_that_read_a_cache_see_what_they_would_have_seen():
    """One step of generation: the last of 50 queries alone, against the whole sequence."""
    torch.manual_seed(0)
    query, key, value = (torch.randn(1, 2, 50, 8) for _ in range(3))
    part, module = Local(window=6, num_global=1), SimpleNamespace(is_causal=True)
    whole = part._attend(module, query, key, value, None)[0]
    mask = part._mask(1, 1, 50, q_offset=49, mask_function=causal_mask_function)
    assert_close(part._attend(module, query[:, :, -1:], key, value, mask)[0], whole[:, -1:], atol=1e-6, rtol=0)


def test_a_ready_mask_reaches_back_into_the_cache():
    torch.manual_seed(0)
    query, key, value = (torch.randn(1, 2, 50, 8) for _ in range(3))
    part, module = Local(window=6, num_global=1), SimpleNamespace(is_causal=True)
    index = torch.arange(50)
    ready = ((key_index := index[None]) <= index[:, None]) & (key_index % 5 != 2)
    whole = part._attend(module, query, key, value, ready[None, None])[0]
    last = part._attend(module, query[:, :, -3:], key, value, ready[None, None, -3:])[0]
    assert_close(last, whole[:, -3:], atol=1e-6, rtol=0)


def test_a_mask_function_for_scalars_gives_the_same_mask():
    limits = torch.tensor([30, 55])

    def function(window, head, query, key):
        return (key <= query) & (key < limits[window])

    part = Local(window=6, num_global=1)
    part.layout = Layout(8, 6, 6, 1)
    arguments = {"batch_size": 2, "q_length": 60, "kv_length": 60, "mask_function": function}
    broadcast, mapped = (part._mask(**arguments, use_vmap=vmap).plans[0].mask for vmap in (False, True))
    assert isinstance(mapped, BlockMask)
    assert torch.equal(broadcast.local, mapped.local)


def test_dropout_keeps_the_mean():
    torch.manual_seed(0)
    query, key, value = (torch.randn(1, 2, 120, 8) for _ in range(3))
    part, module = Local(window=8, num_global=1), SimpleNamespace(is_causal=False)
    plain = part._attend(module, query, key, value, None)[0]
    dropped = [part._attend(module, query, key, value, None, dropout=0.3)[0] for _ in range(400)]
    assert not torch.equal(dropped[0], dropped[1])
    assert (torch.stack(dropped).mean(0) - plain).abs().max() < 0.25
    assert (torch.stack(dropped).mean(0) - plain).abs().mean() < 0.03


@pytest.mark.parametrize("name", ["softcap", "s_aux"])
def test_what_would_change_the_scores_is_not_dropped_in_silence(name):
    query = torch.randn(1, 1, 4, 4)
    with pytest.raises(NotImplementedError, match=name):
        Local()._attend(SimpleNamespace(is_causal=False), query, query, query, None, **{name: torch.ones(1)})


@given(st.integers(1, 400), st.integers(1, 40), st.integers(0, 3))
@settings(max_examples=10, deadline=None)
def test_pairs_counts_what_the_kernel_computes(length, window, num_global):
    part = Local(window, num_global)
    mask = part._mask(1, length, length).plans[0].mask
    if isinstance(mask, DenseMask):
        assert part.pairs(length) == length**2
    else:
        rows = 0 if mask.rows is None else mask.rows.numel()
        assert part.pairs(length) == mask.local.numel() + rows
    assert part.pairs(length) >= int(declared(length, window, num_global, False, torch.ones(1, length).bool()).sum())


def test_pattern_by_hand():
    part = Local(window=1, num_global=1)
    index = torch.arange(5)
    assert part.allowed(index[:, None], index[None], 5).int().tolist() == [
        [1, 1, 1, 1, 1],
        [1, 1, 1, 0, 0],
        [1, 1, 1, 1, 0],
        [1, 0, 1, 1, 1],
        [1, 0, 0, 1, 1],
    ]


@pytest.mark.parametrize("options", [{"window": 0}, {"window": -3}, {"num_global": -1}])
def test_sizes_that_make_no_sense_are_refused(options):
    with pytest.raises(UserError, match=next(iter(options))):
        Local(**options)


def test_the_mask_is_a_pure_function_of_the_lengths():
    first, second = (masks.build(masks.library_mask(2, 90, 90), Local(4).allowed, Layout(8, 4, 4, 1)) for _ in range(2))
    assert torch.equal(first.local, second.local)
