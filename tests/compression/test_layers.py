"""``compression=layers``: as if the dropped layers passed on what they get; which ones; what is refused."""

import pytest
import torch

from ctxlab.core.architecture import layers
from ctxlab.core.errors import UserError
from tests.compression.made import compress, logits, other, reloaded, tiny


def passing_on(model, dropped):
    """The oracle: the whole model, in which some layers return what they are given."""

    def same(_, given, named, result):
        states = given[0] if given else named["hidden_states"]
        return (states, *result[1:]) if isinstance(result, tuple) else states

    for place in dropped:
        layers(model)[place].register_forward_hook(same, with_kwargs=True)


@pytest.mark.parametrize("name", ["tiny_bert", "tiny_gpt2", "tiny_llama", "tiny_t5", "modernbert"])
@pytest.mark.parametrize(("options", "dropped"), [({"layers": 3}, [3]), ({}, [2, 3]), ({"layers": 1}, [1, 2, 3])])
def test_the_upper_layers_pass_on_what_they_get(name, options, dropped, tmp_path):
    make = (lambda: tiny(name)) if name.startswith("tiny") else (lambda: other(name))
    made, oracle = make(), make()
    compress(made, "layers", **options)
    passing_on(oracle.model, dropped)
    assert torch.allclose(logits(reloaded(made, tmp_path)), logits(oracle), atol=1e-6)


@pytest.mark.parametrize("name", ["tiny_bert", "tiny_llama", "modernbert"])
def test_layers_without_influence_are_dropped_and_nothing_changes(name, tmp_path):
    """The oracle: a layer whose outputs are 0 beside what passes it changes nothing, wherever it is."""
    made = tiny(name, num_layers=5) if name.startswith("tiny") else other(name)
    with torch.no_grad():
        for weight in layers(made.model)[1].parameters():
            weight.zero_()
        if name == "tiny_bert":  # a norm after the sum: 1 and 0 leave normalised states as they are
            for key, weight in layers(made.model)[1].named_parameters():
                if "LayerNorm.weight" in key:
                    weight.fill_(1)
    before, total = logits(made), len(layers(made.model))
    found = compress(made, "layers", layers=total - 1, remove="influence")
    assert [row[0] for row in found.tables[0].rows if row[2] == "dropped"] == [1]
    assert torch.allclose(logits(reloaded(made, tmp_path)), before, atol=1e-5)


def test_kinds_of_layers_follow_the_layers(tmp_path):
    made = other("modernbert")
    kinds = made.model.config.layer_types
    assert len(set(kinds)) == 2
    with torch.no_grad():
        for weight in layers(made.model)[1].parameters():
            weight.zero_()
    compress(made, "layers", layers=3, remove="influence")
    assert reloaded(made, tmp_path).model.config.layer_types == [kinds[0], *kinds[2:]]


def test_heads_that_were_removed_stay_with_their_layers(tmp_path):
    made = tiny("tiny_bert")
    compress(made, "heads", share=0.5)
    with torch.no_grad():
        for key, weight in layers(made.model)[1].named_parameters():
            weight.fill_(1 if "LayerNorm.weight" in key else 0)
    before = logits(made)
    compress(made, "layers", layers=3, remove="influence")
    assert torch.allclose(logits(reloaded(made, tmp_path)), before, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"layers": 0}, r"compression\.layers=0 leaves no layer"),
        ({"layers": 4}, r"compression\.layers=4 keeps all: the model of this run has 4; give at most 3\."),
        ({"layers": 9}, r"compression\.layers=9 keeps all"),
        ({"remove": "bottom"}, r"compression\.remove=bottom is not known: use top or influence"),
    ],
)
def test_what_cannot_be_is_refused(options, sentence):
    with pytest.raises(UserError, match=sentence):
        compress(tiny("tiny_bert"), "layers", **options)


def test_a_single_layer_is_refused():
    with pytest.raises(UserError, match="has a single layer"):
        compress(tiny("tiny_bert", num_layers=1), "layers")
