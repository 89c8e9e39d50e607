"""Adapters that peft saved, merged without it; the oracle is the model that peft itself makes of them."""

import copy
import json
import shutil

import peft
import pytest
import torch

from ctxlab.cli import main
from ctxlab.core.errors import UserError
from ctxlab.core.model import WEIGHTS_NOTES
from ctxlab.models.loading.published_adapter import CONFIG, merge_adapter
from ctxlab.models.pretrained import Pretrained
from ctxlab.models.tiny_bert import TinyBert
from tests.optim.test_efficient_tuning import MODELS, make, run
from tests.stages.conftest import refused  # noqa: F401

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")  # peft's own

MATRICES = {"bert": ["value", "output.dense"], "gpt2": ["c_attn", "c_proj"], "llama": ["q_proj", "down_proj"],
            "t5": ["q", "wo"]}  # fmt: skip


def lora(kind, **options):
    given = {"r": 4, "lora_alpha": 12, "target_modules": MATRICES[kind], "fan_in_fan_out": kind == "gpt2", **options}
    return peft.LoraConfig(**given)


CONFIGS = {
    "lora": lora,
    "rslora": lambda kind: lora(kind, use_rslora=True, bias="all" if kind == "bert" else "none"),
    "dora": lambda kind: lora(kind, use_dora=True),
    "patterns": lambda kind: lora(kind, rank_pattern={MATRICES[kind][0]: 2}, alpha_pattern={MATRICES[kind][1]: 5}),
    "ia3": lambda kind: peft.IA3Config(
        target_modules=MATRICES[kind], feedforward_modules=[MATRICES[kind][1]], fan_in_fan_out=kind == "gpt2"
    ),
}


def saved(folder, kind, config):
    """An adapter in ``folder`` that is not zero, as peft saves it, and peft's model with it."""
    theirs = peft.get_peft_model(copy.deepcopy(make(kind)), config)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for name, parameter in theirs.named_parameters():
            if parameter.requires_grad:
                spread = 0.3 * torch.randn(parameter.shape, generator=generator)
                parameter.copy_(parameter + spread if "lora_A" not in name else parameter)
    theirs.save_pretrained(folder)
    return theirs.eval()


@pytest.mark.by_default(6)
@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("kind", MODELS)
def test_merged_weights_compute_what_peft_computes(kind, name, tmp_path):
    theirs = saved(tmp_path, kind, CONFIGS[name](kind))
    model = make(kind)
    before = run(model, kind)
    merge_adapter(model, tmp_path)
    with torch.no_grad():
        found, expected = run(model, kind), run(theirs, kind)
    assert not torch.allclose(found, before, atol=1e-5)
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))
    (note,) = getattr(model.config, WEIGHTS_NOTES)
    assert str(tmp_path) in note


def test_a_head_that_was_saved_whole_is_taken(tmp_path):
    config = lora("bert", modules_to_save=["classifier"], task_type="TOKEN_CLS")
    theirs = saved(tmp_path, "bert", config)
    model = make("bert")
    merge_adapter(model, tmp_path)
    assert torch.equal(model.classifier.weight, theirs.base_model.model.classifier.modules_to_save["default"].weight)
    other = TinyBert(hidden_size=32, num_layers=2).build("token_classification", ["a", "b", "c"])
    with pytest.raises(UserError, match=r"has classifier.bias of size \(2,\), and this .* another size of it"):
        merge_adapter(other, tmp_path)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (lambda: peft.PrefixTuningConfig(num_virtual_tokens=2, task_type="TOKEN_CLS"), "of type PREFIX_TUNING, which "
         "is not read: LORA and IA3 adapters are"),
        (lambda: lora("bert", init_lora_weights="pissa"), "started from pissa, which changed weights outside"),
        (lambda: lora("bert", target_modules=["word_embeddings"]), "word_embeddings.lora_embedding_A"),
    ],
)  # fmt: skip
def test_what_cannot_be_merged_is_refused_by_name(config, said, tmp_path):
    saved(tmp_path, "bert", config())
    with pytest.raises(UserError, match=said):
        merge_adapter(make("bert"), tmp_path)


def test_an_adapter_of_another_model_is_refused(tmp_path):
    saved(tmp_path, "bert", lora("bert"))
    with pytest.raises(UserError, match="which this LlamaForCausalLM does not have"):
        merge_adapter(make("llama"), tmp_path)
    wider = TinyBert(hidden_size=64, num_layers=2).build("token_classification", ["O", "B-X"])
    with pytest.raises(UserError, match=r"does not fit bert\.encoder\.layer\.0.*, a matrix of 64 × (64|256) in"):
        merge_adapter(wider, tmp_path)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / CONFIG).unlink(), f"has no readable {CONFIG}"),
        (lambda folder: (folder / CONFIG).write_text("{"), f"has no readable {CONFIG}"),
        (lambda folder: (folder / "adapter_model.safetensors").unlink(), "has no readable adapter_model.safetensors"),
        (lambda folder: (folder / "adapter_model.safetensors").write_bytes(b"x" * 64), "has no readable"),
    ],
)
def test_a_folder_that_is_no_adapter_is_refused(spoil, said, tmp_path):
    saved(tmp_path, "bert", lora("bert"))
    spoil(tmp_path)
    with pytest.raises(UserError, match=said):
        merge_adapter(make("bert"), tmp_path)


@pytest.mark.slow
def test_training_starts_from_a_published_adapter(tmp_path, refused):  # noqa: F811
    """And a folder of weights with an adapter beside them, which the library would apply again, is refused."""
    make("bert").save_pretrained(tmp_path / "base")
    TinyBert().tokenizer().save_pretrained(tmp_path / "base")
    theirs = saved(tmp_path / "adapter", "bert", lora("bert"))
    built = Pretrained(str(tmp_path / "base"), adapter=str(tmp_path / "adapter")).build(
        "token_classification", ["O", "B-X"]
    )
    expected = theirs.merge_and_unload().state_dict()
    assert all(torch.allclose(value, expected[name], atol=1e-6) for name, value in built.state_dict().items())
    small = ["task=ner", "tracking=none", "strategy=chunk", "context=64", "data.documents=2",
             "data.validation_documents=1", "data.words_per_document=60", "data.evidence_distance=[16]",
             "trainer.max_steps=1", "trainer.precision=fp32", "data.test_documents=0"]  # fmt: skip
    assert main(["train", *small, f"model.path={tmp_path / 'base'}", f"model.adapter={tmp_path / 'adapter'}",
                 f"hydra.run.dir={tmp_path / 'run'}"]) == 0  # fmt: skip
    assert "was merged into the weights" in (tmp_path / "run/report.md").read_text()
    said = refused(["train", *small, f"model.path={tmp_path / 'adapter'}", f"hydra.run.dir={tmp_path / 'b'}"])
    assert f"is an adapter without a model: give model.path=<its base model> model.adapter={tmp_path}" in said
    shutil.copy(tmp_path / "adapter" / CONFIG, tmp_path / "base" / CONFIG)
    said = refused(["train", *small, f"model.path={tmp_path / 'base'}", f"hydra.run.dir={tmp_path / 'c'}"])
    assert "would have it twice: move adapter_config.json away if they do" in said
    assert not (tmp_path / "c").exists()
    assert json.loads((tmp_path / "base" / CONFIG).read_text())["peft_type"] == "LORA"
