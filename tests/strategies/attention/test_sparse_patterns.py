"""What each sparse part declares, by its definition, pair by pair; and the parameters that it refuses."""

import pytest
import torch
from transformers import BertConfig, BertForTokenClassification

from ctxlab.core.errors import UserError
from ctxlab.strategies.attention.bigbird import BigBird, draw
from ctxlab.strategies.attention.dilated import Dilated
from ctxlab.strategies.attention.dynamic_window import DynamicWindow
from ctxlab.strategies.attention.fixed import Fixed
from ctxlab.strategies.attention.kernels.order import by_remainder
from ctxlab.strategies.attention.lsg import Lsg
from ctxlab.strategies.attention.strided import Strided
from ctxlab.strategies.attention.time_mask import TimeMask

LENGTH = 40


def keys_of(part, query, length=LENGTH, head=None):
    """Keys that ``query`` may see."""
    key = torch.arange(length)
    one = torch.tensor([query])
    seen = (part.allowed if head is None else part.pattern_of_head({}, 0, head, 5))(one, key, length)
    return set(key[seen].tolist())


def test_dilated_by_hand():
    part = Dilated(window=2, dilation=3, num_global=0)
    assert keys_of(part, 20) == {14, 17, 20, 23, 26}
    assert keys_of(part, 1) == {1, 4, 7}
    part = Dilated(window=2, dilation=3, num_global=2)
    assert keys_of(part, 20) == {0, 1, 14, 17, 20, 23, 26}
    assert keys_of(part, 1) == set(range(LENGTH))


def test_dilated_by_one_is_a_plain_window():
    assert keys_of(Dilated(window=3, dilation=1, num_global=0), 20) == set(range(17, 24))


def test_time_mask_by_hand():
    part = TimeMask(threshold=39, keep=5, window=2)
    assert keys_of(part, 20) == {0, 1, 2, 3, 4, 18, 19, 20, 21, 22}
    assert keys_of(part, 3) == {0, 1, 2, 3, 4, 5}
    assert keys_of(part, 20, length=39) == set(range(39))


@pytest.mark.parametrize(("length", "window"), [(100, 10), (400, 5), (25, 20), (10, 30), (1_000_000, 2), (1, 30)])
def test_dynamic_window_shrinks_by_its_rule(length, window):
    part = DynamicWindow(base=10, reference=100, exponent=-0.5, least=2, most=30, num_global=0)
    assert part.window(length) == window
    assert keys_of(part, 0, length=min(length, 400)) == set(range(min(length, part.window(min(length, 400)) + 1)))


@pytest.mark.parametrize(("exponent", "window"), [(0.5, 20), (0.0, 10), (1.0, 40)])
def test_dynamic_window_may_also_grow(exponent, window):
    assert DynamicWindow(base=10, reference=100, exponent=exponent, least=2, most=50).window(400) == window


@pytest.mark.parametrize("heads", ["split", "merged"])
def test_strided_by_hand(heads):
    part = Strided(window=3, stride=8, heads=heads)
    near, far = {17, 18, 19, 20, 21, 22, 23}, {4, 12, 20, 28, 36}
    assert keys_of(part, 20) == near | far
    # 2 of 5 heads are the first half.
    wanted = [near, near, far, far, far] if heads == "split" else [near | far] * 5
    assert [keys_of(part, 20, head=head) for head in range(5)] == wanted


@pytest.mark.parametrize("heads", ["split", "merged"])
def test_fixed_by_hand(heads):
    part = Fixed(stride=8, num_summary=2, heads=heads)
    near, far = set(range(16, 24)), {6, 7, 14, 15, 22, 23, 30, 31, 38, 39}
    assert keys_of(part, 20) == near | far
    wanted = [near, near, *[far | {20}] * 3] if heads == "split" else [near | far] * 5
    assert [keys_of(part, 20, head=head) for head in range(5)] == wanted


def test_lsg_by_hand():
    part = Lsg(window=2, reach=12, step=5, num_global=1)
    assert keys_of(part, 21) == {0, 10, 15, 19, 20, 21, 22, 23, 25, 30}
    assert keys_of(part, 20) == {0, 10, 15, 18, 19, 20, 21, 22, 25, 30}
    assert keys_of(part, 0) == set(range(LENGTH))


def test_bigbird_by_hand():
    part = BigBird(window=2, num_global=1, num_random=2, block=4, seed=3)
    for query in (1, 9, 22, 39):
        random = {4 * int(block) + i for block in part.blocks(LENGTH)[query // 4] for i in range(4)}
        near = set(range(max(0, query - 2), min(LENGTH, query + 3)))
        assert keys_of(part, query) == near | random | {0}
        assert len(random) == 8


def test_random_blocks_are_distinct_distant_and_a_function_of_seed_and_length():
    table = draw(50, 3, 2, 7, 200)
    assert torch.equal(table, draw.__wrapped__(50, 3, 2, 7, 200))
    assert not torch.equal(table, draw(50, 3, 2, 8, 200))
    assert not torch.equal(table, draw(50, 3, 2, 7, 199))
    for block, row in enumerate(table.tolist()):
        assert len(set(row)) == 3
        assert all(0 <= other < 50 and abs(other - block) > 2 for other in row)


def test_random_blocks_are_drawn_evenly():
    counts = torch.zeros(20)
    for seed in range(400):
        counts += torch.bincount(draw(20, 3, 1, seed, 80)[0], minlength=20)
    assert counts[:2].sum() == 0
    expected = 400 * 3 / 18
    assert (counts[2:] - expected).abs().max() < 5 * expected**0.5


def test_where_too_few_blocks_are_distant_the_others_stay_empty():
    table = draw(4, 3, 1, 0, 16)
    assert [sorted(row) for row in table.tolist()] == [[-1, 2, 3], [-1, -1, 3], [-1, -1, 0], [-1, 0, 1]]


@pytest.mark.parametrize("even", [False, True])
@pytest.mark.parametrize("length", [1, 7, 12, 13])
def test_sorting_by_remainder_and_back(length, even):
    order = by_remainder(length, 4, even=even)
    tokens = torch.arange(length, dtype=torch.float32)[None, :, None].requires_grad_()
    placed = order.sort(tokens)
    groups = [int(token) % 4 for token, real in zip(placed.flatten(), order.real, strict=True) if real]
    assert groups == sorted(groups)
    assert len(order) == (-(-length // 4) * 4 if even else length)
    restored = order.restore(placed)
    assert torch.equal(restored, tokens)
    restored.backward(torch.arange(length, dtype=torch.float32)[None, :, None])
    assert torch.equal(tokens.grad.flatten(), torch.arange(length, dtype=torch.float32))


def test_first_tokens_come_first():
    assert by_remainder(9, 3, num_first=2).tokens.tolist() == [0, 1, 3, 6, 4, 7, 2, 5, 8]


@pytest.mark.parametrize(
    ("part", "options", "named"),
    [
        (Dilated, {"window": 0}, "window=0"),
        (Dilated, {"dilation": 0}, "dilation=0"),
        (Dilated, {"num_global": -1}, "num_global=-1"),
        (TimeMask, {"window": 0}, "window=0"),
        (TimeMask, {"keep": -1}, "keep=-1"),
        (TimeMask, {"threshold": -1}, "threshold=-1"),
        (DynamicWindow, {"base": 0}, "base=0"),
        (DynamicWindow, {"reference": 0}, "reference=0"),
        (DynamicWindow, {"least": 0}, "least=0"),
        (DynamicWindow, {"least": 9, "most": 8}, "most=8"),
        (DynamicWindow, {"num_global": -1}, "num_global=-1"),
        (BigBird, {"window": 0}, "window=0"),
        (BigBird, {"num_global": -2}, "num_global=-2"),
        (BigBird, {"num_random": -1}, "num_random=-1"),
        (BigBird, {"block": 0}, "block=0"),
        (BigBird, {"seed": -1}, "seed=-1"),
        (Strided, {"window": 0}, "window=0"),
        (Strided, {"stride": 0}, "stride=0"),
        (Strided, {"heads": "both"}, "heads=both"),
        (Fixed, {"stride": 0}, "stride=0"),
        (Fixed, {"num_summary": 0}, "num_summary=0"),
        (Fixed, {"stride": 4, "num_summary": 5}, "num_summary=5"),
        (Lsg, {"window": 0}, "window=0"),
        (Lsg, {"step": 0}, "step=0"),
        (Lsg, {"window": 9, "reach": 8}, "reach=8"),
        (Lsg, {"num_global": -1}, "num_global=-1"),
    ],
)
def test_sizes_that_make_no_sense_are_refused(part, options, named):
    with pytest.raises(UserError, match=f"^strategy.attention.{named} [^\n]*\\.$"):
        part(**options)


@pytest.mark.parametrize("part", [Strided, Fixed])
def test_one_head_cannot_be_split(part):
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    model = BertForTokenClassification(BertConfig(vocab_size=20, **sizes))
    before = model.config._attn_implementation
    with pytest.raises(UserError, match=r"1 head.*heads=merged"):
        part().install(model)
    assert model.config._attn_implementation == before
    part(heads="merged").install(model)
