"""A model that grows has the outputs that it had, learns with what is new, and loads again by the library alone."""

import math
from typing import Any

import pytest
import torch
import transformers as tf
from torch.testing import assert_close

from ctxlab.core.architecture import describe, layers, note_installed, num_layers
from ctxlab.core.errors import UserError
from ctxlab.models.loading.growing import inserted
from ctxlab.models.loading.growing.growth import Growth, grow
from ctxlab.models.tiny_bert import TinyBert
from ctxlab.models.tiny_gpt2 import TinyGpt2
from ctxlab.models.tiny_llama import TinyLlama
from ctxlab.models.tiny_t5 import TinyT5
from ctxlab.strategies.attention.local import Local
from ctxlab.verification.checks import fill_zero_parameters
from tests.strategies.conftest import VOCABULARY, tiny  # noqa: F401

POST_NORM = ["bert", "roberta", "distilbert", "electra"]
PRE_NORM = ["modernbert", "llama", "gpt2", "t5"]
WAYS = [{"layers": 1}, {"layers": 2}, {"layers": 5}, {"layers": 2, "place": "end"}]


def inputs() -> dict[str, torch.Tensor]:
    ids = torch.randint(3, VOCABULARY, (2, 30), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    mask[1, 17:] = 0
    return {"input_ids": ids, "attention_mask": mask}


def trained_norms(model: Any) -> Any:
    """A model whose LayerNorms have scales and shifts as after training; those of a new one are 1 and 0."""
    draw = torch.Generator().manual_seed(2)
    for module in model.modules():
        if isinstance(module, torch.nn.LayerNorm):
            module.weight.data = 1 + 0.5 * torch.randn(module.weight.shape, generator=draw)
            if module.bias is not None:
                module.bias.data = 0.5 * torch.randn(module.bias.shape, generator=draw)
    return model


@torch.no_grad()
def outputs(model: Any) -> torch.Tensor:
    given = inputs()
    return model(**given).logits[given["attention_mask"].bool()]


@pytest.mark.covering
@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("kind", [*POST_NORM, *PRE_NORM])
def test_inserted_layers_change_no_output(tiny, kind, way):  # noqa: F811
    model = trained_norms(tiny(kind))
    before = outputs(model)
    grow(model, Growth.of(way))
    assert num_layers(model) == len(layers(model)) == 2 + way["layers"]
    exact = kind in PRE_NORM
    assert_close(outputs(model), before, atol=0 if exact else 5e-6, rtol=0 if exact else 2e-5)


@pytest.mark.parametrize("kind", [*POST_NORM, *PRE_NORM])
def test_a_grown_model_is_loaded_by_the_library_with_its_outputs(tiny, kind, tmp_path):  # noqa: F811
    model = grow(trained_norms(tiny(kind)), Growth.of({"layers": 2, "ffn": 1.5}))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1))
    model.save_pretrained(tmp_path)
    again, report = tf.AutoModelForTokenClassification.from_pretrained(tmp_path, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert_close(outputs(again.eval()), outputs(model), atol=0, rtol=0)
    assert again.config.ctxlab["growth"] == {"layers": 2, "ffn": 1.5}


@pytest.mark.parametrize("kind", [*POST_NORM, *PRE_NORM])
def test_wider_blocks_change_no_output_and_have_units_of_their_own(tiny, kind):  # noqa: F811
    model = trained_norms(tiny(kind))
    before, count = outputs(model), sum(one.numel() for one in model.parameters())
    grow(model, Growth.of({"ffn": 2}))
    assert_close(outputs(model), before, atol=2e-5, rtol=2e-5)
    gates = 2 if kind in ("llama", "modernbert") else 1
    biased = {"llama": 0, "modernbert": 0, "t5": 0}.get(kind, 1)
    units = 128 if kind == "gpt2" else 48
    assert sum(one.numel() for one in model.parameters()) - count == 2 * units * (32 * (1 + gates) + biased)


@pytest.mark.parametrize("kind", ["bert", "llama", "t5"])
def test_what_is_new_learns_from_the_first_step_on(tiny, kind):  # noqa: F811
    model = grow(tiny(kind), Growth.of({"layers": 1, "ffn": 1.5}))
    model(**inputs()).logits.square().sum().backward()
    zero = [name for name, one in model.named_parameters() if one.ndim > 1 and not one.detach().any()]
    assert len(zero) == 2  # of the new layer
    assert all(bool(dict(model.named_parameters())[name].grad.any()) for name in zero)
    outgoing = {"bert": "output.dense", "llama": "mlp.down_proj", "t5": "wo"}[kind]
    last = [one for name, one in layers(model)[-1].named_parameters() if f"{outgoing}.weight" in name][-1]
    assert not last.detach()[:, 48:].any()
    assert last.grad[:, 48:].any()


def test_places():
    assert Growth(layers=2).places(6) == [3, 6]
    assert Growth(layers=3).places(2) == [1, 1, 2]
    assert Growth(layers=4, place="end").places(6) == [6] * 4


def test_layers_are_copies_of_the_neighbour_behind_the_outputs_that_are_zero(tiny):  # noqa: F811
    model = tiny("llama")
    old = layers(model)
    grow(model, Growth.of({"layers": 1}))
    new = next(one for one in layers(model) if one not in old)
    assert layers(model).index(new) == 2
    assert torch.equal(new.self_attn.q_proj.weight, old[1].self_attn.q_proj.weight)
    assert new.self_attn.q_proj.weight is not old[1].self_attn.q_proj.weight
    assert [one.self_attn.layer_idx for one in layers(model)] == [0, 1, 2]


def test_a_decoder_still_generates_with_its_cache():
    sizes = {"vocab_size": 60, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0, "initializer_range": 0.3}
    torch.manual_seed(0)
    model = tf.LlamaForCausalLM(tf.LlamaConfig(hidden_size=32, intermediate_size=48, num_hidden_layers=2,
                                               num_attention_heads=4, **sizes)).eval()  # fmt: skip
    options = {"max_new_tokens": 8, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}
    ids = torch.arange(3, 15)[None]
    before = model.generate(ids, **options)
    grow(model, Growth.of({"layers": 2}))
    with torch.no_grad():
        assert torch.equal(model.generate(ids, **options), before)
        fill_zero_parameters(model)
        cached, plain = (model.generate(ids, use_cache=use, **options) for use in (True, False))
    assert torch.equal(cached, plain)


@pytest.mark.parametrize("added", [0, 2])
@pytest.mark.parametrize("kind", ["bert", "llama", "gpt2"])
def test_reach_grows_by_one_window_a_layer(tiny, kind, added):  # noqa: F811
    model, window = grow(tiny(kind), Growth.of({"layers": added})), 3
    Local(window, 0).install(model)
    fill_zero_parameters(model.double())
    ids = torch.randint(3, VOCABULARY, (1, 60), generator=torch.Generator().manual_seed(1))
    other = ids.clone()
    other[0, 30] = 3 + (ids[0, 30] - 2) % (VOCABULARY - 3)
    with torch.no_grad():
        moved = (model(ids).logits - model(other).logits).abs().amax(-1)[0].nonzero().flatten()
    assert int(moved.max()) == 30 + window * (2 + added)
    assert int(moved.min()) == (30 if kind != "bert" else 30 - window * (2 + added))


@pytest.mark.parametrize("source", [TinyBert, TinyGpt2, TinyLlama, TinyT5])
def test_sources_grow_what_they_build_and_leave_positions_as_they_are(source):
    sizes = {"hidden_size": 32, "num_layers": 3}
    plain = source(**sizes).build("token_classification", ["O", "B"])
    model = source(**sizes, growth={"layers": 1, "ffn": 2}).build("token_classification", ["O", "B"])
    facts = describe(model)
    assert facts.num_layers == 4
    assert facts.grown
    assert facts.trained_length == describe(plain).trained_length
    ids = torch.arange(5, 40)[None]
    with torch.no_grad():
        assert_close(model(ids).logits, plain(ids).logits, atol=1e-6, rtol=1e-5)
    assert model.config.weights_notes == [
        "model.growth added 1 layers after layer 3 of 3 and 128 hidden units beside the 128 of each feed-forward "
        "block, without effect at the start."
    ]


def test_a_model_that_grows_twice_says_so(tiny):  # noqa: F811
    model = grow(grow(tiny("bert"), Growth(layers=1, ffn=2.0)), Growth(layers=2))
    assert model.config.ctxlab["growth"] == {"layers": 3, "ffn": 2.0}
    assert num_layers(model) == 5


def test_a_layer_of_which_none_is_neutral_is_refused(tiny, monkeypatch):  # noqa: F811
    monkeypatch.setattr(inserted, "NORMS", ())
    with pytest.raises(UserError, match=r"no layer of BertForTokenClassification \(model type `bert`\) is known"):
        grow(trained_norms(tiny("bert")), Growth(layers=1))


def test_a_compressed_model_is_refused(tiny):  # noqa: F811
    model = tiny("bert")
    note_installed(model.config, "compression", {"heads": [3, 4]})
    with pytest.raises(UserError, match=r"does not work on a compressed model \(heads removed\)"):
        grow(model, Growth(layers=1))


def test_layers_with_shared_weights_are_refused(tiny):  # noqa: F811
    with pytest.raises(UserError, match="AlbertForTokenClassification has no list of layers of its own"):
        grow(tiny("albert"), Growth(layers=1))


def test_layers_that_depend_on_their_number_are_refused():
    """GPT-2 may divide scores by the number of the layer, which the following layers have another one of."""
    config = tf.GPT2Config(vocab_size=60, n_embd=32, n_layer=3, n_head=4, scale_attn_by_inverse_layer_idx=True,
                           initializer_range=0.5,
                           bos_token_id=1, eos_token_id=2)  # fmt: skip
    torch.manual_seed(0)
    with pytest.raises(UserError, match=r"would not load again, as its layers differ \(one depends on its number\)"):
        grow(tf.GPT2LMHeadModel(config).eval(), Growth(layers=3))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"layers": -1}, "layers=-1 must be 0 or more"),
        ({"layers": 1.5}, "layers=1.5 is not a value such as 0"),
        ({"ffn": 0.5}, "ffn=0.5 must be from 1 to 64"),
        ({"ffn": math.inf}, "ffn=inf must be"),
        ({"place": "middle"}, "place=middle is not known: use spread or end"),
        ({"depth": 2}, "depth is not known: use layers, ffn, place"),
    ],
)
def test_options_that_make_no_sense_are_refused(given, said):
    with pytest.raises(UserError, match=f"^model.growth.{said}[^\n]*\\.$"):
        Growth.of(given)
    with pytest.raises(UserError):
        TinyBert(growth=given)


def test_a_number_alone_is_led_to_what_grows():
    with pytest.raises(UserError, match=r"model\.growth=2 does not say what grows: write model\.growth\.layers=2"):
        Growth.of(2)
