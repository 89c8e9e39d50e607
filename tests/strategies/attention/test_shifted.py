"""Shifted groups against dense attention under a mask of each head; no token of the future; full where it evaluates."""

import pytest
import torch
import transformers as tf
from torch.testing import assert_close

from ctxlab.core.errors import UserError
from ctxlab.strategies.attention.full import Full
from ctxlab.strategies.attention.kernels import blockwise
from ctxlab.strategies.attention.shifted import Shifted
from tests.strategies.attention.test_encoder_decoders import read, seq2seq
from tests.strategies.attention.test_sparse_patterns import keys_of
from tests.strategies.conftest import T5, config

LENGTHS = {"a multiple of the group": 64, "a short last group": 75, "one group": 12}
CAUSAL = ["gpt2", "llama"]


def test_by_hand():
    part = Shifted(group=8)
    plain, shifted = set(range(16, 24)), set(range(20, 28))
    assert [keys_of(part, 20, head=head) for head in range(5)] == [plain, plain, *[shifted] * 3]
    assert keys_of(part, 20) == plain | shifted
    ends = {0: set(range(4)), 3: set(range(4)), 4: set(range(4, 12)), 39: set(range(36, 40))}
    assert {query: keys_of(part, query, head=4) for query in ends} == ends
    assert keys_of(Shifted(group=7), 3, head=4) == set(range(4))  # 7 tokens are shifted by 3
    assert keys_of(Shifted(group=7), 38, length=39, head=0) == {35, 36, 37, 38}


def build(kind):
    torch.manual_seed(0)
    auto = tf.AutoModelForCausalLM if kind in CAUSAL else tf.AutoModelForTokenClassification
    return auto.from_config(config(kind, 128)).eval()


def batch(length):
    torch.manual_seed(1)
    mask = torch.ones(3, length, dtype=torch.long)
    mask[1, length * 2 // 3 :] = 0
    mask[2, 3:] = 0
    return torch.randint(5, 60, (3, length)), mask


def of_heads(part, mask, causal):
    """(B, 4, L, L): what each head may see, pair by pair; a query that sees nothing sees itself."""
    length = mask.shape[1]
    place = torch.arange(length)
    together = [
        (place[:, None] + shift) // part.group == (place + shift) // part.group for shift in (0, part.group // 2)
    ]
    seen = torch.stack([together[0], together[0], together[1], together[1]])[None] & mask[:, None, None].bool()
    seen = seen & (place <= place[:, None]) if causal else seen
    return seen | (~seen.any(-1, keepdim=True) & torch.eye(length, dtype=torch.bool))


@pytest.mark.parametrize("length", LENGTHS.values(), ids=LENGTHS)
@pytest.mark.parametrize("kind", ["bert", "roberta", *CAUSAL])
def test_equals_the_library_under_a_dense_mask_of_each_head(kind, length):
    """Outputs, and the gradients of all weights; right-padded rows of three lengths."""
    part, ours, theirs = Shifted(group=16), build(kind), build(kind)
    part.install(ours)
    ids, mask = batch(length)
    seen = of_heads(part, mask, kind in CAUSAL)
    found = ours(input_ids=ids, attention_mask=mask).logits[mask.bool()]
    expected = theirs(input_ids=ids, attention_mask=seen).logits[mask.bool()]
    assert_close(found, expected, atol=1e-5, rtol=1e-5)
    upstream = torch.randn_like(found)
    for logits in (found, expected):
        (logits * upstream).sum().backward()
    wanted = dict(theirs.named_parameters())
    for name, weight in ours.named_parameters():
        if wanted[name].grad is not None:
            largest = max(1.0, float(wanted[name].grad.abs().max()))
            assert_close(weight.grad, wanted[name].grad, atol=1e-4 * largest, rtol=0, msg=name)


def rolled(length, group):
    """(L, L): the pairs of a shifted head of the authors' code, which rolls the tokens and masks by new places."""
    order = torch.arange(length).roll(-(group // 2))
    place = order.argsort()
    together = place[:, None] // group == place // group
    return together & (place <= place[:, None])


def test_published_shift_sees_the_future_and_ours_does_not():
    """g² / 4 pairs of a head, where the rotated text joins both ends in one group."""
    place = torch.arange(64)
    future = place > place[:, None]
    assert int((rolled(64, 16) & future).sum()) == 16**2 // 4
    _, mask = batch(64)
    assert not bool((of_heads(Shifted(group=16), mask, causal=True) & future).any())


@pytest.mark.parametrize("kind", CAUSAL)
@pytest.mark.parametrize("length", LENGTHS.values(), ids=LENGTHS)
def test_no_gradient_comes_from_a_later_token_or_from_another_row(kind, length):
    model = build(kind)
    Shifted(group=16).install(model)
    ids, _ = batch(length)
    states = model.get_input_embeddings()(ids).detach().requires_grad_()
    logits = model(inputs_embeds=states).logits
    for query in {0, length // 2, length - 1}:
        (gradient,) = torch.autograd.grad(logits[1, query].sum(), states, retain_graph=True)
        reached = gradient.abs().sum(-1) > 0  # (B, L)
        assert not bool(reached[0].any() | reached[2].any())
        assert not bool(reached[1, query + 1 :].any())
        assert bool(reached[1, query])


def test_the_kernel_computes_the_pairs_of_groups_and_no_others(monkeypatch):
    """Counted in the calls of the library's kernel: L · g for each head, the last group and the shift rounded up."""
    counted = []
    honest = blockwise.KERNEL

    def count(query, key, *rest, **options):
        counted.append(query.shape[0] * query.shape[1] * query.shape[2] * key.shape[2])
        return honest(query, key, *rest, **options)

    monkeypatch.setattr(blockwise, "KERNEL", count)
    model = tf.BertModel(config("bert", 2048)).eval()
    Shifted(group=64).install(model)
    for length in (512, 1000, 2048):
        counted.clear()
        with torch.no_grad():
            model(torch.arange(length)[None] % 60)
        heads, layers = 4, 2
        assert sum(counted) <= heads * layers * (length + 1.5 * 64) * 64
        assert sum(counted) == heads * layers * Shifted(group=64).pairs(length)


@pytest.mark.parametrize("kind", ["bert", *CAUSAL])
def test_evaluation_is_the_full_attention_of_the_library_to_the_bit(kind):
    part, ours, theirs = Shifted(group=16), build(kind), build(kind)
    part.install(ours)
    Full().install(theirs)
    ids, mask = batch(75)
    with torch.no_grad():
        for given in ({"attention_mask": mask}, {}):
            trained, expected = ours(ids, **given).logits, theirs(ids, **given).logits
            with part.reading():
                assert torch.equal(ours(ids, **given).logits, expected)
            assert (trained - expected).abs().max() > 1e-2
            assert torch.equal(ours(ids, **given).logits, trained)


def test_evaluation_of_a_t5_is_full_with_its_relative_bias():
    part, ours, theirs = Shifted(group=16), seq2seq("t5"), seq2seq("t5")
    part.install(ours)
    Full().install(theirs)
    with torch.no_grad():
        with part.reading():
            assert torch.equal(read(ours), read(theirs))
        assert (read(ours) - read(theirs)).abs().max() > 1e-2
    encoder = tf.T5EncoderModel(tf.T5Config(**T5)).eval()
    part.install(encoder)
    assert encoder.config.ctxlab["attention"] == {"name": "shifted", "group": 16}


def test_an_error_ends_the_reading():
    part, model = Shifted(group=16), build("bert")
    part.install(model)
    ids, _ = batch(40)
    before = model(ids).logits
    with pytest.raises(KeyError), part.reading():
        raise KeyError
    assert torch.equal(model(ids).logits, before)


@pytest.mark.parametrize("kind", CAUSAL)
def test_text_is_continued_with_a_cache_as_without(kind):
    part, model = Shifted(group=8), build(kind)
    part.install(model)
    ids = torch.randint(5, 60, (2, 21), generator=torch.Generator().manual_seed(4))
    options = {"max_new_tokens": 5, "do_sample": False, "pad_token_id": 0, "eos_token_id": 59}
    with part.reading():
        cached, again = (model.generate(ids, use_cache=cache, **options) for cache in (True, False))
    plain = build(kind)
    Full().install(plain)
    assert torch.equal(cached, again)
    assert torch.equal(cached, plain.generate(ids, **options))


def test_a_group_is_a_quarter_of_the_longest_window():
    part = Shifted()
    for window, group in ((4096, 1024), (66, 17), (5, 2)):
        part.fit(window)
        assert (part.group, part.parameters) == (group, {"group": group})
    given = Shifted(group=24)
    given.fit(4096)
    assert given.group == 24
    assert given.name != part.name


@pytest.mark.parametrize("group", [1, 0, -4])
def test_a_group_that_cannot_be_halved_is_refused(group):
    with pytest.raises(UserError, match=f"^strategy.attention.group={group} must be at least 2"):
        Shifted(group=group)


def test_what_has_no_effect_is_refused():
    part, model = Shifted(group=64), build("bert")
    part.fit(64)
    with pytest.raises(UserError, match=r"group=64 is not less than the 64 tokens of a window.*: use 16"):
        part.install(model)
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    with pytest.raises(UserError, match="the model has 1 head; use strategy/attention=local"):
        Shifted(group=4).install(tf.BertModel(tf.BertConfig(vocab_size=20, **sizes)))
