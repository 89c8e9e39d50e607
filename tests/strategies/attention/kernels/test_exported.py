"""The exportable form of every attention part equals dense attention under its declared mask."""

import pytest
import torch
from transformers import BertConfig, BertModel

from ctxlab.config import catalogue
from ctxlab.config.build import build
from ctxlab.core.strategy import Attention

SMALL = {
    "local": {"window": 24, "num_global": 2},
    "dilated": {"window": 12, "dilation": 3, "num_global": 2},
    "lsg": {"window": 16, "reach": 60, "step": 4, "num_global": 1},
    "bigbird": {"window": 16, "num_global": 2, "num_random": 2, "block": 16},
    "strided": {"window": 10, "stride": 12},
    "fixed": {"stride": 24, "num_summary": 3},
    "time_mask": {"threshold": 70, "keep": 20, "window": 8},
    "dynamic_window": {"base": 16, "reference": 100, "least": 4, "most": 40, "num_global": 1},
    "dynamic_heads": {"reference": 60, "least": 1},
    "full": {},
    "shifted": {"group": 16},
    "adaptive_span": {"max_span": 60, "ramp": 8},
}
"""Sizes that short windows exceed."""

LONGEST = 200
HEADS = 4


def part(name: str, **options) -> Attention:
    content = catalogue.read(catalogue.option_file("strategy/attention", name))
    return build({**content, **SMALL.get(name, {}), **options}, Attention)


def model() -> BertModel:
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": HEADS, "intermediate_size": 32}
    return BertModel(BertConfig(vocab_size=50, max_position_embeddings=LONGEST, **sizes)).eval()


def exportable() -> list[str]:
    return [name for name in catalogue.options("strategy/attention") if part(name).unexportable is None]


def inputs(length: int) -> dict[str, torch.Tensor]:
    ids = torch.randint(5, 50, (2, length), generator=torch.Generator().manual_seed(length))
    shown = torch.ones_like(ids)
    shown[1, max(1, length * 2 // 3) :] = 0
    return {"input_ids": ids, "attention_mask": shown}


def dense(attention: Attention, own: BertModel, given: dict[str, torch.Tensor]) -> torch.Tensor:
    """The model's eager attention under the declared mask of each window and head: (B, L, D)."""
    plain = model()
    plain.load_state_dict({name: value for name, value in own.state_dict().items() if "ctxlab" not in name})
    plain.set_attn_implementation("eager")
    length = given["input_ids"].shape[1]
    index = torch.arange(length)
    seen = torch.zeros(2, HEADS, length, length, dtype=torch.bool)
    for row in range(2):
        real = int(given["attention_mask"][row].sum())
        for head in range(HEADS):
            pattern = attention.pattern_of_head(given, row, head, HEADS)
            seen[row, head] = pattern(index[:, None], index[None], real) & (index < real)[None]
    hidden = torch.where(seen, 0.0, -1e9)
    with torch.inference_mode():
        return plain(input_ids=given["input_ids"], attention_mask=hidden).last_hidden_state


@pytest.mark.covering
@pytest.mark.parametrize("name", sorted(set(exportable()) - {"dynamic_heads", "adaptive_span", "shifted"}))
@pytest.mark.parametrize("length", [1, 2, 33, 97, LONGEST])
def test_it_equals_dense_attention_under_the_declared_mask(name, length):
    attention, own, given = part(name), model(), inputs(length)
    attention.install(own)
    real = given["attention_mask"].bool()
    with torch.inference_mode(), attention.exporting(LONGEST):
        found = own(**given).last_hidden_state
    assert torch.allclose(found[real], dense(attention, own, given)[real], atol=2e-5)


@pytest.mark.parametrize("name", exportable())
def test_it_equals_the_kernel_and_is_left_afterwards(name):
    attention, own = part(name), model()
    attention.fit(LONGEST)
    attention.install(own)
    for length in (1, 65, LONGEST):
        given = inputs(length)
        real = given["attention_mask"].bool()
        with torch.inference_mode(), attention.reading():
            before = own(**given).last_hidden_state
            with attention.exporting(LONGEST):
                found = own(**given).last_hidden_state
            after = own(**given).last_hidden_state
        assert torch.allclose(found[real], before[real], atol=2e-5)
        assert torch.equal(before, after)


def test_learned_spans_are_frozen_at_their_lengths():
    attention, own = part("adaptive_span"), model()
    attention.install(own)
    shares = torch.linspace(0, 1, 2 * HEADS)
    with torch.no_grad():
        attention.spans.shares.copy_(shares)
    given = inputs(LONGEST)
    real = given["attention_mask"].bool()
    with torch.inference_mode():
        before = own(**given).last_hidden_state
        with attention.exporting(LONGEST):
            found = own(**given).last_hidden_state
    assert torch.allclose(found[real], before[real], atol=2e-5)


def test_merged_strided_heads_say_what_can():
    assert "heads=split can" in part("strided", heads="merged").unexportable
    assert part("fixed", heads="merged").unexportable is None


def test_trained_keys_are_refused():
    attention, own = part("local"), model()
    attention.install(own)
    for module in own.modules():
        if type(module).__name__.endswith("SelfAttention"):
            keys = torch.nn.Module()
            keys.keys = keys.values = torch.zeros(HEADS, 1, 8)
            module.ctxlab_prefix = (keys,)
    with pytest.raises(NotImplementedError, match="trained keys"), attention.exporting(LONGEST):
        own(**inputs(8))
