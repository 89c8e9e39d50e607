"""``compression=share``: the mean by hand, weights once in the file, and still one set after training."""

import pytest
import torch
from safetensors.torch import load_file

from ctxlab.core.architecture import decoder_layers, layers
from ctxlab.core.errors import UserError
from tests.compression.made import compress, logits, reloaded, tiny

GROUPS = {2: [[0, 1], [2, 3]], 3: [[0, 1, 2], [3]], 4: [[0, 1, 2, 3]]}


@pytest.mark.parametrize("size", GROUPS)
@pytest.mark.parametrize("name", ["tiny_bert", "tiny_gpt2", "tiny_llama", "tiny_t5"])
def test_it_is_the_mean_by_hand(name, size, tmp_path):
    head, labels = ("seq2seq_lm", ()) if name == "tiny_t5" else ("token_classification", ("O", "B", "I"))
    made, oracle = (tiny(name, head, labels) for _ in range(2))
    compress(made, "share", size=size)
    for stack in (layers(oracle.model), decoder_layers(oracle.model)):
        states = [layer.state_dict() for layer in stack]
        for group in GROUPS[size] if stack else ():
            for key in states[group[-1]]:
                mean = sum(states[place][key].double() for place in group) / len(group)
                for place in group:
                    states[place][key].copy_(mean)
    assert torch.allclose(logits(reloaded(made, tmp_path)), logits(oracle), atol=1e-6)


def test_each_set_is_in_the_file_once_and_layers_stay_modules_of_their_own(tmp_path):
    made = tiny("tiny_llama")
    compress(made, "share")
    again = reloaded(made, tmp_path)
    names = load_file(tmp_path / "model.safetensors").keys()
    assert {name.split(".")[2] for name in names if ".layers." in name} == {"0", "2"}
    stack = layers(again.model)
    assert len({id(layer) for layer in stack}) == 4
    assert [layer.self_attn.layer_idx for layer in stack] == [0, 1, 2, 3]
    assert stack[0].mlp.up_proj.weight is stack[1].mlp.up_proj.weight is not stack[2].mlp.up_proj.weight


def test_a_cache_of_keys_still_tells_layers_apart(tmp_path):
    made = tiny("tiny_llama", "causal_lm", (), vocabulary="bytes")
    compress(made, "share", size=4)
    model = reloaded(made, tmp_path).model
    ids = torch.arange(5, 25)[None]
    with torch.no_grad():
        first = model(input_ids=ids[:, :12], use_cache=True)
        rest = model(input_ids=ids[:, 12:], past_key_values=first.past_key_values, use_cache=True).logits
        assert torch.allclose(rest, model(input_ids=ids).logits[:, 12:], atol=1e-5)


@pytest.mark.parametrize(
    ("before", "options", "sentence"),
    [
        ((), {"size": 1}, r"compression\.size=1 shares nothing"),
        ((), {"size": 5}, r"compression\.size=5 layers are to share weights, and the model of this run has 4"),
        (("share",), {}, "those of this run share their weights: compress the run that it was made from, a"),
    ],
)
def test_what_cannot_be_is_refused(before, options, sentence):
    made = tiny("tiny_bert")
    for name in before:
        compress(made, name)
    with pytest.raises(UserError, match=sentence):
        compress(made, "share", **options)


@pytest.mark.parametrize("name", ["layers", "heads", "ffn"])
def test_shared_layers_are_not_changed_one_by_one(name):
    made = tiny("tiny_bert")
    compress(made, "share")
    with pytest.raises(UserError, match=f"compression={name} changes layers one by one"):
        compress(made, name)


def test_layers_with_different_heads_have_no_mean():
    made = tiny("tiny_bert")
    with torch.no_grad():
        layers(made.model)[0].attention.output.dense.weight.zero_()  # its heads go first
    compress(made, "heads")
    with pytest.raises(UserError, match="needs layers of one size"):
        compress(made, "share")
