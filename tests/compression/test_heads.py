"""``compression=heads``: the same as with the removed heads' outputs set to 0; which ones; what is refused."""

import pytest
import torch

from ctxlab.core.errors import UserError
from ctxlab.core.projections import attention_blocks
from tests.compression.made import HEADS, LAYERS, compress, logits, other, reloaded, tiny

MODELS = ("tiny_bert", "tiny_gpt2", "tiny_llama", "distilbert", "roberta", "modernbert", "grouped")


def make(name):
    return tiny(name) if name.startswith("tiny") else other(name)


def without(model, removed):
    """The oracle: the whole model, with the outputs of some heads set to 0 before they are joined."""
    for place, block in enumerate(attention_blocks(model)):
        gone, width = removed[place], block.head_size * block.heads_per_unit

        def before(_, given, gone=gone, width=width):
            states = given[0].clone()
            for head in gone:
                states[..., head * width : (head + 1) * width] = 0
            return (states,)

        block.output.register_forward_pre_hook(before)


@pytest.mark.parametrize("share", [0.25, 0.5])
@pytest.mark.parametrize("name", MODELS)
def test_it_is_the_model_with_these_heads_silent(name, share, tmp_path):
    made, oracle = make(name), make(name)
    found = compress(made, "heads", share=share)
    rows = found.tables[0].rows
    removed = [
        [head for layer, head, outcome, _ in rows if layer == place and outcome == "removed"] for place in range(4)
    ]
    total = LAYERS * (2 if name == "grouped" else HEADS)
    assert sum(map(len, removed)) == share * total
    assert all(len(gone) < total / LAYERS for gone in removed)
    without(oracle.model, removed)
    assert torch.allclose(logits(reloaded(made, tmp_path)), logits(oracle), atol=1e-6)


def test_silent_heads_go_first():
    """The oracle: a head whose values are 0 has no part in the loss."""
    made = tiny("tiny_bert")
    silent = {(0, 2), (1, 0), (3, 3), (3, 1)}
    with torch.no_grad():
        for layer, head in silent:
            values = attention_blocks(made.model)[layer].inputs[2]
            for weight in values.parameters():
                weight[head * 8 : (head + 1) * 8] = 0
    found = compress(made, "heads", share=0.25)
    assert {(layer, head) for layer, head, outcome, _ in found.tables[0].rows if outcome == "removed"} == silent


def test_importance_is_the_derivative_by_a_factor_on_the_head():
    """The oracle: the loss of each text with the head's outputs times 1 ± e, by differences."""
    made = tiny("tiny_bert")
    found = [row[3] for row in compress(tiny("tiny_bert"), "heads").tables[0].rows][:HEADS]
    slopes = []
    for head in range(HEADS):
        values = []
        for factor in (1 + 1e-2, 1 - 1e-2):

            def before(_, given, head=head, factor=factor):
                states = given[0].clone()
                states[..., head * 8 : (head + 1) * 8] *= factor
                return (states,)

            hook = attention_blocks(made.model)[0].output.register_forward_pre_hook(before)
            values.append(float(logits(made).double().logsumexp(-1).sum()))
            hook.remove()
        slopes.append(abs(values[0] - values[1]) / 2e-2)
    expected = torch.tensor(slopes) / torch.tensor(slopes).norm()
    assert torch.allclose(torch.tensor(found), expected, atol=0.02)


@pytest.mark.parametrize(
    ("share", "sentence"),
    [
        (0.0, r"compression\.share=0\.0 is out of range"),
        (1.0, "is out of range"),
        (-0.5, "is out of range"),
        (0.01, "removes 0 of 16 heads"),
        (0.9, r"leaves 2 heads for 4 layers, each of which keeps one: give at most 0\.75"),
    ],
)
def test_fractions_that_cannot_be_are_refused(share, sentence):
    with pytest.raises(UserError, match=sentence):
        compress(tiny("tiny_bert"), "heads", share=share)
