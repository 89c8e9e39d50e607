"""Every mechanism of conf/compression on every kind of model: the same after a reload, smaller, and trained on.

The oracle of sizes is arithmetic of the architectures: d the width, four times as many hidden units, h a head's width.
"""

import pytest
import torch

from ctxlab.config import catalogue
from ctxlab.core.architecture import layers
from ctxlab.core.errors import UserError
from ctxlab.models.loading.checkpointed import Checkpointed
from ctxlab.optim.parameters import count_parameters
from ctxlab.optim.tuning.full import Full
from tests.compression.made import HEADS, LAYERS, WIDTH, compress, logits, other, reloaded, tiny

NAMES = catalogue.options("compression")
MODELS = {
    "tiny_bert": lambda: tiny("tiny_bert"),
    "tiny_bert-lm": lambda: tiny("tiny_bert", "masked_lm", ()),
    "tiny_gpt2": lambda: tiny("tiny_gpt2", vocabulary="bytes"),
    "tiny_gpt2-lm": lambda: tiny("tiny_gpt2", "causal_lm", ()),
    "tiny_llama": lambda: tiny("tiny_llama"),
    "tiny_llama-lm": lambda: tiny("tiny_llama", "causal_lm", (), vocabulary="bytes"),
    "tiny_t5": lambda: tiny("tiny_t5"),
    "tiny_t5-lm": lambda: tiny("tiny_t5", "seq2seq_lm", ()),
    **{name: (lambda name=name: other(name)) for name in ("distilbert", "roberta", "modernbert", "grouped")},
}
REFUSED = {
    ("heads", "tiny_t5-lm"): "does not work on T5ForConditionalGeneration",
    ("heads", "tiny_t5"): "T5ForTokenClassification has attention layers whose projections are not found",
}

D, H = WIDTH, WIDTH // HEADS
LAYER = {"tiny_bert": 12 * D * D + 13 * D, "tiny_gpt2": 12 * D * D + 13 * D, "tiny_llama": 16 * D * D + 2 * D,
         "tiny_t5": 12 * D * D + 2 * D}  # fmt: skip
HEAD = {"tiny_bert": H * (4 * D + 3), "tiny_gpt2": H * (4 * D + 3), "tiny_llama": H * 4 * D}
UNIT = {"tiny_bert": 2 * D + 1, "tiny_gpt2": 2 * D + 1, "tiny_llama": 3 * D, "tiny_t5": 2 * D}
FEWER = {
    "layers": lambda name, _: 2 * LAYER[name],
    "heads": lambda name, _: HEADS * LAYERS // 4 * HEAD[name],
    "ffn": lambda name, _: LAYERS * D * UNIT[name],
    "share": lambda name, _: LAYERS // 2 * LAYER[name],
    "vocabulary": lambda _, gone: gone * D,
    "int8": lambda *_: 0,
}


@pytest.fixture(params=MODELS)
def model(request):
    return request.param


@pytest.mark.covering("name", "model")
@pytest.mark.parametrize("name", NAMES)
def test_it_reloads_with_the_same_bits_and_trains_on(name, model, tmp_path):
    made = MODELS[model]()
    if (name, model) in REFUSED:
        with pytest.raises(UserError, match=REFUSED[name, model]):
            compress(made, name)
        return
    before = logits(made)
    compress(made, name)
    again = reloaded(made, tmp_path)
    ids = torch.tensor([again.tokenizer("the ship went home")["input_ids"]])
    assert again.tokenizer.get_vocab() == made.tokenizer.get_vocab()
    assert torch.equal(logits(made, ids), logits(again, ids))
    assert count_parameters(made.model) == count_parameters(again.model)
    if name not in ("vocabulary",):
        assert not torch.equal(before, logits(again))
    if name != "int8":
        again.model.requires_grad_(True).train()
        loss = again.model(input_ids=ids, **({"decoder_input_ids": ids} if made.head == "seq2seq_lm" else {})).logits
        loss.square().sum().backward()
        with torch.no_grad():
            for weight in again.model.parameters():
                weight -= 0.1 * (0 if weight.grad is None else weight.grad.sign())
        (tmp_path / "on").mkdir()
        final = reloaded(again, tmp_path / "on")
        assert torch.equal(logits(again, ids), logits(final, ids))
        assert not torch.equal(logits(final, ids), logits(made, ids))
        Checkpointed(str(tmp_path / "on")).load_weights(made.model, Full())
        assert torch.equal(logits(final, ids), logits(made, ids))


@pytest.mark.covering("name", "model")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("model", ["tiny_bert", "tiny_gpt2", "tiny_llama", "tiny_t5"])
def test_weights_get_fewer_as_arithmetic_says(name, model, tmp_path):
    if (name, model) == ("heads", "tiny_t5"):
        pytest.skip("see the reason of the refusal")
    made = tiny(model)
    before, size, pieces = count_parameters(made.model), file_bytes(made, tmp_path), len(made.tokenizer)
    compress(made, name)
    fewer = FEWER[name](model, pieces - len(made.tokenizer))
    assert before - count_parameters(made.model) == fewer
    assert fewer > 0 or name == "int8"
    inside = LAYERS * sum(one.numel() for one in first_matrices(tiny(model).model))
    saved = size - file_bytes(made, tmp_path)
    assert saved == pytest.approx(3 * inside if name == "int8" else 4 * fewer, rel=0.2)


def first_matrices(model):
    return [weight for key, weight in layers(model)[0].named_parameters() if weight.ndim == 2 and "bias" not in key]


def file_bytes(made, folder):
    reloaded(made, folder)
    return (folder / "model.safetensors").stat().st_size
