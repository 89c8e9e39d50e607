"""``compression=ffn``: the same as with the removed hidden units set to 0; which ones; the library loads it alone."""

import pytest
import torch
from transformers import AutoModelForTokenClassification

from ctxlab.core.errors import UserError
from ctxlab.core.projections import feed_forwards
from ctxlab.models.loading.checkpointed import save_weights
from ctxlab.optim.tuning.full import Full
from tests.compression.made import compress, logits, other, reloaded, tiny

MODELS = ("tiny_bert", "tiny_gpt2", "tiny_llama", "tiny_t5", "distilbert", "modernbert")


def make(name):
    return tiny(name) if name.startswith("tiny") else other(name)


@pytest.mark.parametrize("name", MODELS)
def test_it_is_the_model_with_these_units_silent(name, tmp_path):
    made, oracle = make(name), make(name)
    whole = [block.output.weight.detach().clone() for block in feed_forwards(made.model)]
    compress(made, "ffn", share=0.25)
    again = reloaded(made, tmp_path)
    axis = 0 if name == "tiny_gpt2" else 1  # its projections have their weights transposed
    for block, kept, before in zip(feed_forwards(oracle.model), feed_forwards(again.model), whole, strict=True):
        columns = {tuple(one.tolist()) for one in kept.output.weight.detach().unbind(axis)}
        gone = [place for place, one in enumerate(before.unbind(axis)) if tuple(one.tolist()) not in columns]
        assert len(gone) == before.shape[axis] // 4

        def silence(_, given, gone=gone):
            states = given[0].clone()
            states[..., gone] = 0
            return (states,)

        block.output.register_forward_pre_hook(silence)
    assert torch.allclose(logits(again), logits(oracle), atol=1e-6)


@pytest.mark.parametrize("name", ["tiny_bert", "tiny_gpt2", "tiny_t5"])
def test_silent_units_go_and_nothing_changes(name, tmp_path):
    made = make(name)
    with torch.no_grad():
        for block in feed_forwards(made.model):
            weight = block.output.weight if name == "tiny_gpt2" else block.output.weight.T
            weight[1::4] = 0
    before = logits(made)
    compress(made, "ffn", share=0.25)
    assert torch.allclose(logits(reloaded(made, tmp_path)), before, atol=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_the_library_loads_it_alone(name, tmp_path):
    made = make(name)
    compress(made, "ffn")
    save_weights(made.model, Full(), tmp_path)
    alone = AutoModelForTokenClassification.from_pretrained(tmp_path)
    made_again = type(made)(alone, made.tokenizer, made.head, made.labels)
    assert torch.allclose(logits(made), logits(made_again), atol=1e-6)


@pytest.mark.parametrize("share", [0, 1, 1.5])
def test_fractions_that_cannot_be_are_refused(share):
    with pytest.raises(UserError, match=rf"compression\.share={share}.* is out of range"):
        compress(tiny("tiny_bert"), "ffn", share=float(share))
