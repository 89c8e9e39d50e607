"""Trained tokens before the text against peft, and by hand in encoders; parts without room for them refuse."""

import copy

import peft
import pytest
import torch
from torch.testing import assert_close

from ctxlab.core.errors import UserError
from ctxlab.core.prefix import without_prefix
from ctxlab.strategies.attention.adaptive_span import AdaptiveSpan
from ctxlab.strategies.attention.full import Full
from ctxlab.strategies.attention.local import Local
from ctxlab.strategies.attention.lsh import Lsh
from ctxlab.strategies.attention.strided import Strided
from ctxlab.strategies.attention.structured import Structured
from tests.optim.test_efficient_tuning import make, moved, rule_of, run
from tests.optim.test_prefix import padded

TOKENS = 3


def installed(kind, part=None):
    """A model with trained tokens, and their embeddings."""
    model, rule = make(kind), rule_of("prompt", num_tokens=TOKENS)
    (part or Full()).install(model)
    torch.manual_seed(3)
    rule.install(model)
    ((_, own),) = rule.adapters(model)
    with torch.no_grad():
        own.tokens.normal_()
    return model.eval(), own.tokens


def test_it_begins_with_rows_of_the_embeddings():
    model, rule = make("bert"), rule_of("prompt", num_tokens=TOKENS)
    rule.install(model)
    ((_, own),) = rule.adapters(model)
    table = model.get_input_embeddings().weight
    assert own.tokens.shape == (TOKENS, table.shape[1])
    assert all(bool((table == row).all(1).any()) for row in own.tokens)


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
def test_equals_peft(kind):
    """Outputs and gradients, with right padding. In peft the text begins at position 3, after the tokens."""
    model, tokens = installed(kind)
    base = make(kind)
    Full().install(base)
    config = peft.PromptTuningConfig(num_virtual_tokens=TOKENS, task_type="CAUSAL_LM")
    theirs = peft.get_peft_model(base, config).eval()
    weight = theirs.prompt_encoder["default"].embedding.weight
    with torch.no_grad():
        weight.copy_(tokens)
    ids, mask = padded()
    real = mask.bool()
    places = torch.arange(TOKENS, TOKENS + ids.shape[1])[None]
    found = model(input_ids=ids, attention_mask=mask, position_ids=places).logits[real]
    expected = theirs(input_ids=ids, attention_mask=mask).logits[:, TOKENS:][real]
    assert_close(found, expected, atol=1e-5, rtol=1e-5)
    with torch.no_grad(), without_prefix():
        assert (model(input_ids=ids, attention_mask=mask, position_ids=places).logits[real] - found).abs().max() > 1e-3
    for logits in (found, expected):
        logits.square().sum().backward()
    assert_close(tokens.grad, weight.grad, atol=1e-4 * float(weight.grad.abs().max()), rtol=1e-3)


@pytest.mark.parametrize("part", [None, Local(3, 1)], ids=["full", "local"])
def test_an_encoder_by_hand(part):
    """The library's own model on tokens and text together, with a mask of all pairs and positions of both."""
    model, tokens = installed("bert", part)
    ids, padding = padded()
    length = ids.shape[1]
    place = torch.arange(length)
    seen = torch.zeros(2, 1, TOKENS + length, TOKENS + length, dtype=torch.bool)
    seen[..., :TOKENS] = True
    pattern = (
        torch.ones(length, length, dtype=torch.bool) if part is None else part.allowed(place[:, None], place, length)
    )
    seen[..., TOKENS:, TOKENS:] = pattern & padding.bool()[:, None, None]
    plain = make("bert").eval()
    plain.set_attn_implementation("eager")
    both = torch.cat([tokens.expand(2, -1, -1), plain.get_input_embeddings()(ids)], 1)
    expected = plain(
        inputs_embeds=both,
        attention_mask=torch.where(seen, 0.0, torch.finfo(torch.float32).min),
        position_ids=torch.cat([torch.arange(TOKENS), place])[None],
    ).logits[:, TOKENS:]
    found = model(input_ids=ids, attention_mask=padding).logits
    real = padding.bool()
    assert_close(found[real], expected[real], atol=1e-5, rtol=1e-5)
    gradients = [torch.autograd.grad(logits[real].square().sum(), tokens)[0] for logits in (found, expected)]
    assert_close(*gradients, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("part", [None, Local(4, 1)], ids=["full", "local"])
@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_text_is_continued_with_a_cache_as_without(kind, part):
    """The oracle is the whole text, read again in each step."""
    model, _ = installed(kind, part)
    ids = torch.arange(5, 27).reshape(2, 11)
    options = {"max_new_tokens": 6, "do_sample": False, "pad_token_id": 0, "eos_token_id": None, "output_logits": True,
               "attention_mask": torch.ones_like(ids), "return_dict_in_generate": True}  # fmt: skip

    def written(**changes):
        return torch.stack(model.generate(ids, **options, **changes).logits)

    cached = written(use_cache=True)
    assert_close(cached, written(use_cache=False), atol=1e-5, rtol=1e-5)
    with without_prefix():
        assert (cached - written(use_cache=True)).abs().max() > 1e-3


@pytest.mark.parametrize("kind", ["bert", "gpt2", "t5"])
def test_texts_do_not_depend_on_the_text_before(kind):
    """What the layers computed of the tokens for one pass serves no other one once the tokens have moved."""
    model, tokens = installed(kind)
    first, before = run(model, kind), tokens.detach().clone()
    with torch.no_grad():
        tokens.copy_(-before)
        assert (run(model, kind) - first).abs().max() > 1e-4
        tokens.copy_(before)
        assert_close(run(model, kind), first, atol=1e-5, rtol=1e-5)


def test_dropout_does_not_act_on_the_tokens_and_stays_on_for_the_text():
    model, _ = installed("bert")
    model.train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.5
    own = [module.ctxlab_prefix[0] for module in model.modules() if hasattr(module, "ctxlab_prefix")]
    first = run(model, "bert")
    keys = [one.keys for one in own]
    assert not torch.equal(run(model, "bert"), first)
    assert all(torch.equal(one.keys, before) for one, before in zip(own, keys, strict=True))
    assert all(module.training for module in model.modules())


def test_a_t5_has_it_in_its_encoder():
    model, _ = installed("t5")
    with torch.no_grad():
        after, plain = run(model, "t5"), run(make("t5"), "t5")
        with without_prefix():
            assert_close(run(model, "t5"), plain, atol=1e-5, rtol=1e-5)
        assert (after - plain).abs().max() > 1e-3


def test_a_copy_has_tokens_of_its_own():
    model, _ = installed("bert")
    before = run(model, "bert")
    copied = copy.deepcopy(model)
    moved(copied)
    assert not torch.equal(run(copied, "bert"), before)
    assert torch.equal(run(model, "bert"), before)


@pytest.mark.parametrize(
    ("part", "kind", "said"),
    [
        (AdaptiveSpan(max_span=8, ramp=2), "bert", "adaptive_span has not"),
        (Lsh(chunk=4), "bert", "lsh has not"),
        (Strided(4, 4, "merged"), "bert", "strided has not .*heads=merged"),
        (Local(4, 1), "t5", "local has not .*relative positions"),
    ],
    ids=["adaptive_span", "lsh", "merged", "t5"],
)
def test_what_has_no_room_for_it_is_refused(part, kind, said):
    model = make(kind)
    part.install(model)
    with pytest.raises(UserError, match=f"^tuning=prompt needs .*attention={said}.*: use [^\n]*, or tuning=lora.$"):
        rule_of("prompt").install(model)


def test_structured_attention_keeps_its_marks():
    part = Structured()
    model, _ = installed("bert", part)
    ids, mask = padded()
    marks = torch.zeros_like(ids)
    marks[:, ::4] = 1
    found = model(input_ids=ids, attention_mask=mask, marks=marks).logits
    with without_prefix():
        plain = make("bert")
        part.install(plain)
        assert_close(
            model(input_ids=ids, attention_mask=mask, marks=marks).logits,
            plain.eval()(input_ids=ids, attention_mask=mask, marks=marks).logits,
            atol=1e-5, rtol=1e-5,
        )  # fmt: skip
    assert found.isfinite().all()


@pytest.mark.parametrize(
    ("number", "said"), [(0, "num_tokens=0 must be above 0"), (9999, "num_tokens=9999 is above the")]
)
def test_numbers_that_do_not_fit_are_refused(number, said):
    with pytest.raises(UserError, match=said):
        rule_of("prompt", num_tokens=number).install(make("bert"))
