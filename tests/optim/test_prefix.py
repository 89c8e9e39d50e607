"""Trained keys and values against peft, and by hand under every sparse pattern; parts without room for them refuse."""

import copy
from types import SimpleNamespace

import peft
import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from ctxlab.core.errors import UserError
from ctxlab.core.prefix import ATTRIBUTE, attend, without_prefix
from ctxlab.strategies.attention.adaptive_span import AdaptiveSpan
from ctxlab.strategies.attention.dynamic_heads import DynamicHeads
from ctxlab.strategies.attention.full import Full
from ctxlab.strategies.attention.local import Local
from ctxlab.strategies.attention.lsh import Lsh
from ctxlab.strategies.attention.scaled import Scaled
from ctxlab.strategies.attention.shifted import Shifted
from ctxlab.strategies.attention.strided import Strided
from tests.optim.test_efficient_tuning import make, moved, rule_of, run
from tests.strategies.attention.kernels.test_sparse import PARTS, declared, dense, example, mask_of, small

TOKENS = 3


def padded():
    ids = torch.arange(5, 27).reshape(2, 11)
    mask = torch.ones_like(ids)
    mask[1, 7:] = 0
    return ids, mask


def installed(kind, part=None):
    """A model with a prefix that is not small, and its rule."""
    model, rule = make(kind), rule_of("prefix", num_tokens=TOKENS)
    (part or Full()).install(model)
    rule.install(model)
    torch.manual_seed(3)
    with torch.no_grad():
        for _, own in rule.adapters(model):
            own.keys.normal_()
            own.values.normal_()
    return model.eval(), rule


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
def test_equals_peft(kind):
    """Outputs and gradients, with right padding. In peft the text begins at position 3, after the prefix."""
    model, rule = installed(kind)
    base = make(kind)
    Full().install(base)
    theirs = peft.get_peft_model(base, peft.PrefixTuningConfig(num_virtual_tokens=TOKENS, task_type="CAUSAL_LM")).eval()
    own = [one for _, one in rule.adapters(model)]
    weight = theirs.prompt_encoder["default"].embedding.weight
    layers = [side for one in own for side in (one.keys, one.values)]
    with torch.no_grad():
        weight.copy_(torch.stack(layers, 1).permute(2, 1, 0, 3).reshape(TOKENS, -1))
    ids, mask = padded()
    places = torch.arange(TOKENS, TOKENS + ids.shape[1])[None]
    real = mask.bool()
    found = model(input_ids=ids, attention_mask=mask, position_ids=places).logits[real]
    expected = theirs(input_ids=ids, attention_mask=mask).logits[real]
    assert_close(found, expected, atol=1e-5, rtol=1e-5)
    with torch.no_grad(), without_prefix():
        assert (model(input_ids=ids, attention_mask=mask, position_ids=places).logits[real] - found).abs().max() > 1e-3
    for logits in (found, expected):
        logits.square().sum().backward()
    wanted = weight.grad.view(TOKENS, len(layers), *own[0].keys.shape[::2]).permute(1, 2, 0, 3)
    for gradient, one in zip(wanted, layers, strict=True):
        assert_close(one.grad, gradient, atol=1e-4 * float(gradient.abs().max()), rtol=1e-3)


def by_hand(case, seen, bias=0.0):
    """Random inputs with a prefix, and the outputs and gradients of dense attention to both, in float64."""
    torch.manual_seed(case.seed)
    shapes = [(case.batch, case.heads), (case.batch, case.key_heads), (case.batch, case.key_heads)]
    inputs = [torch.randn(*shape, case.length, 5) for shape in shapes]
    inputs += [torch.randn(case.key_heads, TOKENS, 5) for _ in range(2)]
    upstream = torch.randn(case.batch, case.heads, case.length, 5)
    wide = [one.double().requires_grad_() for one in inputs]
    query, key, value, *own = wide
    pairs = zip(own, (key, value), strict=True)
    keys, values = (torch.cat([one.expand(case.batch, -1, -1, -1), text], 2) for one, text in pairs)
    expected = dense(query, keys, values, F.pad(seen, (TOKENS, 0), value=True), 5**-0.5, bias)
    expected.backward(upstream.double())
    return inputs, upstream, [expected, *(one.grad for one in wide)]


def with_prefix(function, inputs, upstream, mask, causal, **options):
    ours = [one.clone().requires_grad_() for one in inputs]
    module = SimpleNamespace(is_causal=causal)
    setattr(module, ATTRIBUTE, (SimpleNamespace(keys=ours[3], values=ours[4]),))
    output = function(module, *ours[:3], mask, **options)[0].transpose(1, 2)
    output.backward(upstream)
    return [output, *(one.grad for one in ours)]


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("name", PARTS)
def test_every_token_sees_the_prefix_whatever_the_pattern(name, causal):
    """In blocks and, in a short window, with one mask; heads that share keys, split halves, padding."""
    part = small(name)
    for length in (90, 9):
        padding = torch.ones(2, length, dtype=torch.bool)
        padding[1, length - 4 :] = False
        for shared in (2, 1):
            case = example(causal=causal, length=length, padding=padding, key_heads=shared)
            inputs, upstream, expected = by_hand(case, declared(part, length, 4, causal, padding))
            found = with_prefix(part._attend, inputs, upstream, mask_of(part, case), causal)
            for ours, theirs in zip(found, expected, strict=True):
                assert_close(ours.double(), theirs, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("given", ["a mask", "no mask", "a bias"])
@pytest.mark.parametrize("causal", [False, True])
def test_full_attention_by_hand(given, causal):
    case = example(causal=causal, length=20, key_heads=4)
    place = torch.arange(20)
    seen = ((place <= place[:, None]) | torch.tensor(not causal)).expand(2, 4, -1, -1).clone()
    if given == "a mask":
        seen[1, ..., 15:] = False
    bias = torch.randn(1, 4, 20, 20) if given == "a bias" else None
    wide = 0.0 if bias is None else F.pad(bias, (TOKENS, 0)).double()
    inputs, upstream, expected = by_hand(case, seen, wide)
    options = {} if bias is None else {"position_bias": bias}
    found = with_prefix(attend, inputs, upstream, seen[:, :1] if given == "a mask" else None, causal, **options)
    for ours, theirs in zip(found, expected, strict=True):
        assert_close(ours.double(), theirs, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("part", [None, Local(4, 1)], ids=["full", "local"])
@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_text_is_continued_with_a_cache_as_without(kind, part):
    """The oracle is the whole text, read again in each step; rows are left-padded where the pattern allows it."""
    model, _ = installed(kind, part)
    ids = torch.arange(5, 27).reshape(2, 11)
    mask = torch.ones_like(ids)
    if part is None:
        mask[1, :4] = 0
    options = {"max_new_tokens": 6, "do_sample": False, "pad_token_id": 0, "eos_token_id": None,
               "attention_mask": mask, "return_dict_in_generate": True, "output_logits": True}  # fmt: skip

    def written(**changes):
        return torch.stack(model.generate(ids, **options, **changes).logits)

    cached = written(use_cache=True)
    assert_close(cached, written(use_cache=False), atol=1e-5, rtol=1e-5)
    with without_prefix():
        assert (cached - written(use_cache=True)).abs().max() > 1e-3


def test_a_t5_has_it_in_its_encoder():
    model, rule = installed("t5")
    names = [one.name for one, _ in rule.adapters(model)]
    assert names == [f"encoder.block.{i}.layer.0.SelfAttention" for i in range(2)]
    with torch.no_grad():
        after, plain = run(model, "t5"), run(make("t5"), "t5")
        with without_prefix():
            assert_close(run(model, "t5"), plain, atol=1e-5, rtol=1e-5)
        assert (after - plain).abs().max() > 1e-3


def test_evaluation_of_shifted_groups_is_full_attention_with_the_prefix():
    part = Shifted(4)
    (one, _), (other, _) = installed("llama", part), installed("llama")
    ids, mask = padded()
    with torch.no_grad():
        with part.reading():
            found = one(input_ids=ids, attention_mask=mask).logits
        assert torch.equal(found, other(input_ids=ids, attention_mask=mask).logits)
        assert not torch.equal(found, one(input_ids=ids, attention_mask=mask).logits)


def test_padding_and_the_rest_of_a_batch_have_no_effect():
    for part in (Full(), Local(2, 1), Scaled(4)):
        model, _ = installed("bert", part)
        ids, mask = padded()
        with torch.no_grad():
            together = model(input_ids=ids, attention_mask=mask).logits[1, :7]
            alone = model(input_ids=ids[1:, :7]).logits[0]
        assert_close(together, alone, atol=1e-5, rtol=1e-5)


def test_a_copy_has_a_prefix_of_its_own():
    model, _ = installed("bert")
    copied = copy.deepcopy(model)
    before = run(model, "bert")
    moved(copied)
    assert torch.equal(run(model, "bert"), before)
    assert not torch.equal(run(copied, "bert"), before)


@pytest.mark.parametrize(
    ("part", "kind", "said"),
    [
        (AdaptiveSpan(max_span=8, ramp=2), "bert", "adaptive_span has not"),
        (Lsh(chunk=4), "bert", "lsh has not"),
        (DynamicHeads(reference=8), "bert", "dynamic_heads has not"),
        (Strided(4, 4, "merged"), "bert", "strided has not .*heads=merged"),
        (Local(4, 1), "t5", "local has not .*relative positions"),
    ],
    ids=["adaptive_span", "lsh", "dynamic_heads", "merged", "t5"],
)
def test_what_has_no_room_for_it_is_refused(part, kind, said):
    model = make(kind)
    part.install(model)
    with pytest.raises(UserError, match=f"^tuning=prefix needs .*attention={said}.*: use [^\n]*, or tuning=lora.$"):
        rule_of("prefix").install(model)


def test_no_token_is_refused():
    with pytest.raises(UserError, match="num_tokens=0 must be above 0"):
        rule_of("prefix", num_tokens=0)
