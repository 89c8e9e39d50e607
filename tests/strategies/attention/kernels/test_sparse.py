"""Every sparse part of ``conf/strategy/attention`` equals dense attention under its own declared pattern.

Parts are found by listing the folder; their parameters are drawn small from the defaults of the YAML files.
"""

import copy
import importlib
import inspect
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Literal, get_args, get_origin
from unittest import mock

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.testing import assert_close
from transformers import T5Config
from transformers.masking_utils import bidirectional_mask_function, causal_mask_function
from transformers.models.t5.modeling_t5 import T5Attention

from ctxlab.config import catalogue
from ctxlab.config.build import build, locate
from ctxlab.core.errors import UserError
from ctxlab.core.strategy import Attention
from ctxlab.strategies import attention
from ctxlab.strategies.attention.kernels import blocks, masks, spans
from ctxlab.strategies.attention.kernels.blocks import BlockMask
from ctxlab.strategies.attention.kernels.masks import DenseMask
from ctxlab.strategies.attention.kernels.relative import RelativeBias, compact_relative_bias
from ctxlab.strategies.attention.kernels.sparse import Sparse

GROUP = "strategy/attention"
OPEN = {"group": 128}
"""Tokens of what a file leaves to the window."""
CONFIGS = {
    name: {key: OPEN.get(key) if value is None else value for key, value in content.items()}
    for name in catalogue.options(GROUP)
    for content in [catalogue.read(catalogue.option_file(GROUP, name))]
}
PARTS = [name for name, config in CONFIGS.items() if issubclass(locate(config["_target_"]), Sparse)]
BIASED = [name for name in PARTS if "encoder_decoder" in locate(CONFIGS[name]["_target_"]).supports]
"""Those that take the bias of a T5."""
SMALL_BLOCK = 4


def choices(name):
    """Values of each text parameter that its annotation offers."""
    parameters = inspect.signature(locate(CONFIGS[name]["_target_"]), eval_str=True).parameters.values()
    return {p.name: get_args(p.annotation) for p in parameters if get_origin(p.annotation) is Literal}


def small(name, **changes):
    """The part with its defaults reduced to a sixteenth, for windows of some dozen tokens."""
    config = {
        key: value // 16 if isinstance(value, int) and value > 16 else value for key, value in CONFIGS[name].items()
    }
    return build(config | changes, Attention)


@pytest.fixture(autouse=True, scope="module")
def small_blocks():
    """Blocks as small as the windows of these tests: real ones would compute all pairs, and have masks of one piece."""
    with pytest.MonkeyPatch.context() as patch:
        for path in Path(attention.__path__[0]).glob("[!_]*.py"):
            module = importlib.import_module(f"{attention.__name__}.{path.stem}")
            for constant in [name for name in vars(module) if name.endswith("_BLOCK")]:
                patch.setattr(module, constant, SMALL_BLOCK)
        patch.setattr(masks, "PAIRS_AT_A_TIME", 5 * SMALL_BLOCK * 30)  # a few blocks at a time
        yield


def of_head(part, head, num_heads):
    """The declared pattern of a head, where it does not depend on the tokens."""
    return part.allowed if part.wants_marks else part.pattern_of_head({}, 0, head, num_heads)


def declared(part, length, num_heads, causal, padding, inputs=None):
    """(B, H, L, L): what each head of each window may see; a query that sees nothing sees itself."""
    query, key = torch.arange(length)[:, None], torch.arange(length)[None]
    seen = torch.zeros(len(padding), num_heads, length, length, dtype=torch.bool)
    for row, real in enumerate(padding):
        end = max(1, int(real.nonzero().max()) + 1 if real.any() else 0)
        for head in range(num_heads):
            if part.wants_marks and inputs is not None:
                seen[row, head] = part.pattern(inputs, row)(query, key, end)
            else:
                seen[row, head] = of_head(part, head, num_heads)(query, key, end)
    seen &= padding[:, None, None, :]
    seen &= (key <= query) if causal else torch.tensor(True)
    return seen | (~seen.any(-1, keepdim=True) & torch.eye(length, dtype=torch.bool))


def dense(query, key, value, seen, scaling, bias=0.0):
    """Softmax attention (B, H, L, D) under ``seen`` (B, H, L, L) with ``bias`` on the scores, in float64."""
    groups = query.shape[1] // key.shape[1]
    key, value = (tokens.repeat_interleave(groups, 1) for tokens in (key, value))
    scores = (torch.einsum("bhqd,bhkd->bhqk", query, key) * scaling + bias).masked_fill(~seen, -math.inf)
    return torch.einsum("bhqk,bhkd->bhqd", scores.softmax(-1), value)


@st.composite
def parts(draw, name):
    config, texts = dict(CONFIGS[name]), choices(name)
    for key, value in config.items():
        if key in texts:
            config[key] = draw(st.sampled_from(texts[key]))
        elif isinstance(value, int):
            config[key] = draw(st.integers(0, max(4, min(value // 8, 40))))
        elif isinstance(value, float):
            config[key] = draw(st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0]))
    try:
        return build(config, Attention)
    except UserError:
        assume(False)


@st.composite
def shapes(draw):
    length = draw(st.integers(1, 90) | st.integers(50, 90))  # long ones more often: short ones fit in one block
    batch = draw(st.integers(1, 3))
    key_heads = draw(st.sampled_from([1, 2, 3]))
    padding = torch.ones(batch, length, dtype=torch.bool)
    side = draw(st.sampled_from(["none", "right", "right", "left"]))
    for row in range(batch if side != "none" else 0):
        lost = draw(st.integers(0, length - 1))
        padding[row, slice(length - lost, None) if side == "right" else slice(0, lost)] = False
    return SimpleNamespace(
        length=length,
        batch=batch,
        heads=key_heads * draw(st.sampled_from([2, 4] if key_heads == 1 else [1, 2])),
        key_heads=key_heads,
        causal=draw(st.booleans()),
        padding=padding,
        padded=side != "none",
        scaling=draw(st.sampled_from([None, 0.3])),
        tokens_per_call=draw(st.sampled_from([8, 40, 2048])),
        seed=draw(st.integers(0, 10_000)),
    )


def mask_of(part, case, **changes):
    return part._mask(
        batch_size=case.batch,
        q_length=case.length,
        kv_length=case.length,
        mask_function=causal_mask_function if case.causal else bidirectional_mask_function,
        attention_mask=case.padding if case.padded else None,
        **changes,
    )


def run(part, case, dtype=torch.float32):
    """Outputs (B, H, L, D) and gradients of kernel and oracle, as lists, and the masks that were used."""
    torch.manual_seed(case.seed)
    inputs = [torch.randn(case.batch, case.length, heads, 5).transpose(1, 2).to(dtype)
              for heads in (case.heads, case.key_heads, case.key_heads)]  # fmt: skip
    upstream = torch.randn(case.batch, case.heads, case.length, 5).to(dtype)
    with mock.patch.object(spans, "TOKENS_PER_CALL", case.tokens_per_call):
        mask = mask_of(part, case)
        ours = [tensor.clone().requires_grad_() for tensor in inputs]
        output = part._attend(SimpleNamespace(is_causal=case.causal), *ours, mask, scaling=case.scaling)[0]
        output = output.transpose(1, 2)
        output.backward(upstream)
    theirs = [tensor.double().requires_grad_() for tensor in inputs]
    seen = declared(part, case.length, case.heads, case.causal, case.padding)
    expected = dense(*theirs, seen, case.scaling or 5**-0.5)
    expected.backward(upstream.double())
    found = [output, *(tensor.grad for tensor in ours)]
    return [one.double() for one in found], [expected, *(tensor.grad for tensor in theirs)], mask


@pytest.mark.parametrize("examples", [20, pytest.param(120, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", PARTS)
def test_equals_dense_attention_in_fp32(name, examples):
    @settings(max_examples=examples, deadline=None, derandomize=True)
    @given(parts(name), shapes())
    def check(part, case):
        found, expected, _ = run(part, case)
        for ours, theirs in zip(found, expected, strict=True):
            assert_close(ours, theirs, atol=1e-5, rtol=1e-6)

    check()


def relative_attention(num_heads):
    """An attention of a T5 encoder that owns a bias with a different value in each bucket."""
    sizes = {"relative_attention_num_buckets": 12, "relative_attention_max_distance": 40}
    config = T5Config(d_model=8, d_kv=4, num_heads=num_heads, **sizes)
    config._attn_implementation = "ctxlab_test"
    attention = T5Attention(config, has_relative_attention_bias=True)
    torch.nn.init.normal_(attention.relative_attention_bias.weight)
    compact_relative_bias(attention)
    return attention


def run_biased(part, case, kind, dtype=torch.float32, dropout=0.0):
    """As ``run``, with the source of the bias among the inputs: weights by bucket, or (1 or B, 1 or H, L, L)."""
    torch.manual_seed(case.seed)
    inputs = [torch.randn(case.batch, case.length, heads, 5).transpose(1, 2).to(dtype)
              for heads in (case.heads, case.key_heads, case.key_heads)]  # fmt: skip
    upstream = torch.randn(case.batch, case.heads, case.length, 5).to(dtype)
    attention, length = relative_attention(case.heads), case.length
    pairs = torch.randn(case.batch if "batch" in kind else 1, 1 if "shared" in kind else case.heads, length, length)
    own, other = (copy.deepcopy(attention).to(wide) for wide in (torch.float32, torch.float64))
    tables = [pairs.clone(), pairs.double()]
    if kind == "relative":
        tables = [own.relative_attention_bias.weight, other.relative_attention_bias.weight]
        assert isinstance(own.compute_bias(length, length), RelativeBias)
    with mock.patch.object(spans, "TOKENS_PER_CALL", case.tokens_per_call):
        ours = [*(tensor.clone().requires_grad_() for tensor in inputs), tables[0].requires_grad_()]
        bias = own.compute_bias(length, length) if kind == "relative" else ours[-1]
        module, options = SimpleNamespace(is_causal=case.causal), {"scaling": case.scaling, "dropout": dropout}
        output = part._attend(module, *ours[:3], mask_of(part, case), position_bias=bias, **options)[0].transpose(1, 2)
        output.backward(upstream)
    theirs = [*(tensor.double().requires_grad_() for tensor in inputs), tables[1].requires_grad_()]
    bias = T5Attention.compute_bias(other, length, length) if kind == "relative" else theirs[-1]
    seen = declared(part, length, case.heads, case.causal, case.padding)
    expected = dense(*theirs[:3], seen, case.scaling or 5**-0.5, bias)
    expected.backward(upstream.double())
    found = [output, *(tensor.grad for tensor in ours)]
    return [one.double() for one in found], [expected, *(tensor.grad for tensor in theirs)]


BIASES = ["relative", "pairs", "pairs by batch", "pairs shared by heads"]


@pytest.mark.parametrize("examples", [8, pytest.param(30, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", BIASED)
def test_equals_dense_attention_with_a_bias(name, examples):
    """Outputs, and the gradients of queries, keys, values and the source of the bias."""

    @settings(max_examples=examples, deadline=None, derandomize=True)
    @given(parts(name), shapes(), st.sampled_from([*BIASES, "relative"]))
    def check(part, case, kind):
        for ours, theirs in zip(*run_biased(part, case, kind), strict=True):
            scale = max(1.0, float(theirs.detach().abs().max()) / 10)  # an entry adds up hundreds of pairs
            assert_close(ours, theirs, atol=1e-5 * scale, rtol=0)

    check()


@pytest.mark.covering
@pytest.mark.parametrize("kind", BIASES)
@pytest.mark.parametrize("name", BIASED)
def test_a_bias_in_blocks_and_in_bf16(name, kind):
    for part in variants(name):
        for causal in (False, True):
            assert all(isinstance(plan.mask, BlockMask) for plan in mask_of(part, example(causal=causal)).plans)
            for dtype, tolerance in ((torch.float32, 1e-5), (torch.bfloat16, 0.05)):
                for ours, theirs in zip(*run_biased(part, example(causal=causal), kind, dtype), strict=True):
                    scale = max(1.0, float(theirs.detach().abs().max()) / (10 if dtype == torch.float32 else 1))
                    assert_close(ours, theirs, atol=tolerance * scale, rtol=0)


@pytest.mark.parametrize("name", BIASED)
def test_a_bias_in_true_bf16(name):
    """As where the processor is fast at it: the kernel runs in bf16, its backward pass in fp32."""
    with mock.patch.object(blocks, "is_slow_in_bf16", return_value=False):
        for part in variants(name):
            for ours, theirs in zip(*run_biased(part, example(), "relative", torch.bfloat16), strict=True):
                assert_close(ours, theirs, atol=0.05 * max(1.0, float(theirs.detach().abs().max())), rtol=0)


@pytest.mark.by_default(2)
@pytest.mark.parametrize("name", BIASED)
def test_dropout_keeps_the_mean_with_a_bias(name):
    for part in variants(name):
        torch.manual_seed(0)
        query, key, value, pairs = (*(torch.randn(1, 2, 90, 4) for _ in range(3)), torch.randn(1, 2, 90, 90))
        pairs.requires_grad_()
        module = SimpleNamespace(is_causal=False)
        plain = part._attend(module, query, key, value, None, position_bias=pairs)[0]
        dropped = torch.stack(
            [part._attend(module, query, key, value, None, dropout=0.3, position_bias=pairs)[0] for _ in range(60)]
        )
        dropped.sum().backward()
        assert pairs.grad.isfinite().all()
        assert not torch.equal(dropped[0], dropped[1])
        assert (dropped.mean(0) - plain).abs().mean() < 0.08


def example(**changes):
    padding = torch.ones(2, 90, dtype=torch.bool)
    padding[1, 70:] = False
    base = {
        "length": 90, "batch": 2, "heads": 4, "key_heads": 2, "causal": False, "padding": padding, "padded": True,
        "scaling": None, "tokens_per_call": 24, "seed": 1,
    }  # fmt: skip
    return SimpleNamespace(**base | changes)


def variants(name):
    """One part for each combination of its text parameters."""
    texts = choices(name)
    return [small(name, **{key: value}) for key in texts for value in texts[key]] or [small(name)]


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("name", PARTS)
def test_real_shapes_run_in_blocks(name, causal):
    """Otherwise the examples above would not exercise the blocks."""
    for part in variants(name):
        found, expected, mask = run(part, example(causal=causal))
        assert all(isinstance(plan.mask, BlockMask) for plan in mask.plans)
        for ours, theirs in zip(found, expected, strict=True):
            assert_close(ours, theirs, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", PARTS)
def test_the_oracle_notices_a_pattern_that_is_off_by_one(name):
    """Planted fault: the kernel of a part whose window, stride or step is one more than declared."""
    for part in variants(name):
        for key in ("window", "stride", "step", "base", "keep", "block", "num_summary", "dilation", "num_global",
                    "group"):  # fmt: skip
            if key in part.parameters:
                wrong = build(CONFIGS[name] | part.parameters | {key: part.parameters[key] + 1}, Attention)
                found, expected = run(wrong, example())[0], run(part, example())[1]
                assert (found[0] - expected[0]).abs().max() > 1e-3, key


@pytest.mark.parametrize("name", PARTS)
def test_equals_dense_attention_in_bf16(name):
    """Tolerance: 8 bits of mantissa, and sums of several spans."""
    for part in variants(name):
        found, expected, _ = run(part, example(), torch.bfloat16)
        for ours, theirs in zip(found, expected, strict=True):
            assert_close(ours, theirs, atol=0.05 * max(1.0, float(theirs.detach().abs().max())), rtol=0)


@pytest.mark.parametrize("name", PARTS)
def test_hides_something_and_shows_something(name):
    """The oracle is not full attention, nor each token alone."""
    for part in variants(name):
        share = declared(part, 90, 4, False, torch.ones(1, 90, dtype=torch.bool)).float().mean()
        assert 0.02 < share < 0.8


@pytest.mark.parametrize("name", PARTS)
def test_allowed_is_what_any_head_may(name):
    query, key = torch.arange(90)[:, None], torch.arange(90)[None]
    for part in variants(name):
        heads = torch.stack([of_head(part, head, 5)(query, key, 90) for head in range(5)])
        assert torch.equal(part.allowed(query, key, 90), heads.any(0))


def rows_of(plan):
    """Masks of the queries that are computed apart from the blocks."""
    return [rows for rows in (plan.mask.rows, getattr(plan, "rows", None)) if rows is not None]


@pytest.mark.parametrize("name", PARTS)
def test_pairs_counts_what_the_kernel_computes(name):
    for part in variants(name):
        for length in (1, 20, 90, 201):
            if part.wants_marks:  # as many global tokens as there may be
                part.choose_global(
                    {"input_ids": torch.arange(length)[None], "marks": torch.ones(1, length, dtype=torch.long)}
                )
            plans = part._mask(1, length, length).plans
            computed = [
                length**2
                if isinstance(plan.mask, DenseMask)
                else plan.mask.local.numel() + sum(rows.numel() for rows in rows_of(plan))
                for plan in plans
            ]
            merged = part.parameters.get("heads") == "merged"
            assert part.pairs(length) == sum(computed) // (1 if merged else len(plans))
            query, key = torch.arange(length)[:, None], torch.arange(length)[None]
            allowed = [of_head(part, head, 2)(query, key, length).sum() for head in range(2)]
            assert part.pairs(length) >= int(sum(allowed)) // 2


@pytest.mark.parametrize("name", PARTS)
def test_the_mask_grows_with_the_length_not_with_its_square(name):
    """Eight times the tokens, at most fourteen times the pairs, with the defaults of the YAML file."""
    part = build(CONFIGS[name], Attention)
    with mock.patch.multiple("ctxlab.strategies.attention.kernels.plan", SMALLEST_BLOCK=32, LARGEST_BLOCK=256):
        assert part.pairs(16384) <= 14 * part.pairs(2048)
        assert part.pairs(16384) <= 16384**2 / 16


@pytest.mark.parametrize("name", PARTS)
def test_without_a_mask_and_with_a_ready_one(name):
    torch.manual_seed(0)
    query, key, value = (torch.randn(2, 4, 90, 5) for _ in range(3))
    document = torch.arange(90) // 35
    packed = (document[:, None] == document[None]).expand(2, 1, -1, -1)
    for part in variants(name):
        for causal in (False, True):
            seen = declared(part, 90, 4, causal, torch.ones(2, 90, dtype=torch.bool))
            found = part._attend(SimpleNamespace(is_causal=causal), query, key, value, None)[0].transpose(1, 2)
            assert_close(found, dense(query, key, value, seen, 5**-0.5), atol=1e-5, rtol=0)
        seen = declared(part, 90, 4, False, torch.ones(2, 90, dtype=torch.bool)) & packed
        found = part._attend(SimpleNamespace(is_causal=False), query, key, value, packed)[0].transpose(1, 2)
        assert_close(found, dense(query, key, value, seen, 5**-0.5), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", PARTS)
def test_a_mask_function_for_scalars_gives_the_same_mask(name):
    for part in variants(name):
        broadcast, mapped = mask_of(part, example()), mask_of(part, example(), use_vmap=True)
        for one, other in zip(broadcast.plans, mapped.plans, strict=True):
            assert torch.equal(one.mask.local, other.mask.local)


@pytest.mark.parametrize("name", PARTS)
def test_queries_that_read_a_cache_see_what_they_would_have_seen(name):
    torch.manual_seed(0)
    query, key, value = (torch.randn(1, 4, 90, 5) for _ in range(3))
    for part in variants(name):
        whole = part._attend(SimpleNamespace(is_causal=True), query, key, value, None)[0]
        mask = part._mask(1, 1, 90, q_offset=89, mask_function=causal_mask_function)
        last = part._attend(SimpleNamespace(is_causal=True), query[:, :, -1:], key, value, mask)[0]
        assert_close(last, whole[:, -1:], atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", PARTS)
def test_dropout_keeps_the_mean(name):
    torch.manual_seed(0)
    query, key, value = (torch.randn(1, 2, 90, 4) for _ in range(3))
    for part in variants(name):
        module = SimpleNamespace(is_causal=False)
        plain = part._attend(module, query, key, value, None)[0]
        dropped = torch.stack([part._attend(module, query, key, value, None, dropout=0.3)[0] for _ in range(60)])
        assert not torch.equal(dropped[0], dropped[1])
        assert (dropped.mean(0) - plain).abs().mean() < 0.08


@pytest.mark.parametrize("argument", ["softcap", "s_aux"])
@pytest.mark.parametrize("name", PARTS)
def test_what_would_change_the_scores_is_not_dropped_in_silence(name, argument):
    query = torch.randn(1, 2, 4, 4)
    with pytest.raises(NotImplementedError, match=argument):
        small(name)._attend(SimpleNamespace(is_causal=False), query, query, query, None, **{argument: torch.ones(1)})


def batch(length=90, lost=20):
    torch.manual_seed(1)
    ids, mask = torch.randint(5, 60, (2, length)), torch.ones(2, length, dtype=torch.long)
    mask[1, length - lost :] = 0
    return ids, mask


@pytest.mark.covering
@pytest.mark.parametrize("kind", ["bert", "llama", "t5"])
@pytest.mark.parametrize("name", PARTS)
def test_a_whole_model_equals_one_with_a_dense_mask(tiny, name, kind):
    if kind == "t5" and name not in BIASED:
        pytest.skip("takes no bias")
    ids, mask = batch()
    weights = mask[..., None] * torch.randn(2, 90, 3)
    for part in variants(name):
        model, reference = tiny(kind), tiny(kind)
        part.install(model)
        reference.set_attn_implementation("sdpa")
        seen = declared(part, 90, 4, kind == "llama", mask.bool(), {"input_ids": ids, "attention_mask": mask})
        found = model(input_ids=ids, attention_mask=mask).logits
        expected = reference(input_ids=ids, attention_mask=seen).logits
        full = reference(input_ids=ids, attention_mask=mask).logits
        assert_close(found[mask.bool()], expected[mask.bool()], atol=2e-5, rtol=0)
        assert (found - full)[mask.bool()].abs().max() > 1e-2
        for logits in (found, expected):
            (logits * weights).sum().backward()
        for ours, theirs in zip(model.parameters(), reference.parameters(), strict=True):
            if theirs.grad is not None:
                assert_close(ours.grad, theirs.grad, atol=1e-4 * max(1.0, float(theirs.grad.abs().max())), rtol=0)


@pytest.mark.covering
@pytest.mark.parametrize("kind", ["bert", "llama"])
@pytest.mark.parametrize("name", PARTS)
def test_batched_equals_alone_and_padding_changes_nothing(tiny, name, kind):
    ids, mask = batch()
    other = ids.clone()
    other[1, 70:] = 7
    for part in variants(name):
        model = tiny(kind)
        part.install(model)
        with torch.no_grad():
            together = model(input_ids=ids, attention_mask=mask).logits[1, :70]
            alone = model(input_ids=ids[1:, :70]).logits[0]
            changed = model(input_ids=other, attention_mask=mask).logits[1, :70]
        assert_close(together, alone, atol=2e-5, rtol=0)
        assert torch.equal(together, changed)


@pytest.mark.parametrize("name", PARTS)
def test_the_saved_config_and_the_name_say_what_was_installed(tiny, name):
    for part in variants(name):
        model = tiny("bert")
        part.install(model)
        values = {key: value for key, value in vars(part).items() if key in CONFIGS[name]}
        assert model.config.ctxlab["attention"] == {"name": name, **values}
        assert set(values) | {"_target_"} == set(CONFIGS[name])
        assert all(str(value) in model.config._attn_implementation for value in values.values())


@pytest.mark.parametrize("name", PARTS)
def test_a_part_that_covers_everything_is_full_attention(tiny, name):
    """Every size as large as the window of tokens, every step 1."""
    steps = {"dilation", "step", "num_summary", "num_global", "num_random", "seed"}
    sizes = {key: 1 if key in steps else 90 for key, value in CONFIGS[name].items() if type(value) is int}
    sizes |= {"group": 2 * 90}  # half of the heads shift it by half of it
    ids, mask = batch()
    for heads in choices(name).get("heads", [None]):
        if name in ("fixed", "strided") and heads == "split":
            sizes["stride"] = 1 if name == "strided" else 90
            sizes["num_summary"] = 90
        wanted = {key: value for key, value in sizes.items() if key in CONFIGS[name]}
        part = build(CONFIGS[name] | wanted | ({"heads": heads} if heads else {}), Attention)
        model = tiny("bert")
        plain = copy.deepcopy(model)
        part.install(model)
        with torch.no_grad():
            found, expected = (m(input_ids=ids, attention_mask=mask).logits for m in (model, plain))
        assert_close(found[mask.bool()], expected[mask.bool()], atol=2e-5, rtol=0)
