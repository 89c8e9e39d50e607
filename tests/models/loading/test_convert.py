"""A GGUF file that is written here becomes a folder that the library reads: the model whose weights went into it."""

import gguf
import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from ctxlab.core.errors import UserError
from ctxlab.models.loading.convert import read_gguf, write_safetensors
from tests.models.loading.gguf_file import small_llama, write


@pytest.fixture(scope="module")
def original():
    return small_llama()


def converted(folder, file):
    made = read_gguf(file)
    write_safetensors(made, folder)
    return AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)


def test_the_folder_is_the_model_that_was_written(original, tmp_path):
    """With queries and keys in another order, or another base of the rotary positions, no logit would be right."""
    model, _ = converted(tmp_path / "folder", write(tmp_path / "a.gguf", original))
    ids = torch.arange(3, 60)[None]
    with torch.no_grad():
        assert torch.allclose(model(ids).logits, original(ids).logits, atol=1e-5)
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert not hasattr(model.config, "quantization_config")
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_four_bits_are_what_the_reader_of_the_format_makes_of_them(original, tmp_path):
    name = "blk.0.ffn_up"
    model, _ = converted(tmp_path / "folder", write(tmp_path / "a.gguf", original, quantised=[name]))
    kind = gguf.GGMLQuantizationType.Q4_1
    weight = original.model.layers[0].mlp.up_proj.weight.detach().numpy()
    expected = gguf.dequantize(gguf.quantize(weight, kind), kind)
    found = model.model.layers[0].mlp.up_proj.weight.detach().numpy()
    assert np.abs(found - expected).max() <= 1e-6
    assert np.abs(found - weight).max() > 1e-3


def test_the_tokenizer_comes_along(original, tmp_path):
    _, tokenizer = converted(tmp_path / "folder", write(tmp_path / "a.gguf", original))
    assert tokenizer.is_fast
    encoded = tokenizer("x the", return_offsets_mapping=True)
    assert encoded.tokens() == ["x", "Ġth", "e"]
    assert [end for _, end in encoded.offset_mapping] == [1, 4, 5]


def test_a_file_without_a_weight_is_refused(original, tmp_path):
    file = write(tmp_path / "a.gguf", original, without=["blk.1.ffn_up"])
    with pytest.raises(UserError, match=r"a\.gguf lacks 1 weights, model\.layers\.1\.mlp\.up_proj\.weight first"):
        read_gguf(file)
