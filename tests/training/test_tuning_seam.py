"""Adapters from a tuning rule in a plug-in are saved, checked, loaded and resumed like weights."""

import importlib
import importlib.metadata
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForTokenClassification

from ctxlab.cli import main
from ctxlab.core.errors import UserError
from ctxlab.core.model import TUNING
from ctxlab.core.optim import ParameterGroup
from ctxlab.models.loading.checkpointed import Checkpointed, save_weights
from ctxlab.models.tiny_bert import TinyBert
from ctxlab.optim.tuning.full import Full
from ctxlab.training import checkpoint
from tests.stages.conftest import refused, result, train  # noqa: F401
from tests.training.runs import make_job

PLUGIN = '''
import torch
from ctxlab.core.model import TUNING_MODULE
from ctxlab.core.optim import Tuning
from ctxlab.core.added_modules import attach


class LowRank(Tuning):
    """x W becomes x W + x A B in every Linear of the body; the body is frozen, A, B and the head learn."""

    def __init__(self, rank: int = 2, name: str = "low_rank") -> None:
        self.rank = rank

    def install(self, model):
        body = {id(p) for p in model.base_model.parameters()}
        for parameter in model.parameters():
            parameter.requires_grad_(id(parameter) not in body)
        pairs = torch.nn.ModuleDict()
        for name, module in model.base_model.named_modules():
            if isinstance(module, torch.nn.Linear):
                key = name.replace(".", "/")
                pairs[key] = torch.nn.Sequential(
                    torch.nn.Linear(module.in_features, self.rank, bias=False),
                    torch.nn.Linear(self.rank, module.out_features, bias=False),
                )
                torch.nn.init.zeros_(pairs[key][1].weight)
                module.register_forward_hook(lambda _, args, output, key=key: output + pairs[key](args[0]))
        attach(model, TUNING_MODULE, pairs)
'''
LOW_RANK = ("tuning._target_=my_rules.rules.LowRank", "+tuning.rank=2")
OPTIONS = (*LOW_RANK, "model.hidden_size=32", "model.num_layers=1", "model.dropout=0.1", "strategy=chunk", "context=64",
           "data.documents=2", "data.validation_documents=1", "data.test_documents=1", "data.words_per_document=60",
           "data.evidence_distance=[16]", "optimizer.lr=3e-2")  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def plugin(tmp_path_factory):
    """A package of another distribution, which declares the entry point."""
    folder = tmp_path_factory.mktemp("plugin")
    (folder / "my_rules").mkdir()
    (folder / "my_rules" / "__init__.py").touch()
    (folder / "my_rules" / "rules.py").write_text(PLUGIN)
    point = importlib.metadata.EntryPoint("rules", "my_rules", "ctxlab.plugins")
    honest = importlib.metadata.entry_points
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        patch.setattr(
            importlib.metadata,
            "entry_points",
            lambda **asked: [point] if asked == {"group": "ctxlab.plugins"} else honest(**asked),
        )
        yield
    for name in [name for name in sys.modules if name.split(".")[0] == "my_rules"]:
        sys.modules.pop(name)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Four steps, scored after each second; the best one is not the last."""
    folder = tmp_path_factory.mktemp("run") / "run"
    assert train(folder, *OPTIONS, "trainer.eval_every_steps=2", "trainer.save_every_steps=1",
                 "trainer.keep_checkpoints=9") == 0  # fmt: skip
    return folder


def step(folder: Path, number: int) -> Path:
    return folder / "checkpoints" / checkpoint.step_name(number)


def test_what_the_rule_added_has_a_file_of_its_own_under_the_checksums(run):
    folder = step(run, 4)
    own = load_file(folder / TUNING)
    assert len(own) == 2 * 6  # A and B for six matrices of a layer
    assert all(bool(own[name].any()) for name in own)
    assert TUNING in json.loads((folder / "manifest.json").read_text())
    plain = load_file(folder / "model.safetensors")
    assert not any("tuning" in name for name in plain)
    body = {name: tensor for name, tensor in load_file(step(run, 1) / "model.safetensors").items() if "bert" in name}
    assert all(torch.equal(tensor, plain[name]) for name, tensor in body.items())  # the base stays as it was
    AutoModelForTokenClassification.from_pretrained(folder)


def test_a_flipped_byte_is_found(run, tmp_path):
    copied = tmp_path / "copy"
    shutil.copytree(run, copied)
    file = step(copied, 4) / TUNING
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    assert checkpoint.fault(step(copied, 4)) == f"{TUNING} is damaged (its checksum does not match)"
    assert checkpoint.find(copied, "latest") == step(copied, 3)


@pytest.fixture(scope="module")
def evaluated(run, tmp_path_factory):
    """The best checkpoint as ``ctxlab eval`` reads it."""
    folder = tmp_path_factory.mktemp("eval") / "eval"
    assert main(["eval", f"run={run}", f"hydra.run.dir={folder}"]) == 0
    return folder


def test_training_scores_the_best_checkpoint_as_eval_reads_it(run, evaluated):
    """Training loads it into the current model; eval builds a new one."""
    assert json.loads((run / "best.json").read_text())["step"] == 2  # not the last one
    assert result(run)["checkpoint"].endswith(checkpoint.step_name(2))
    name = "predictions/validation.jsonl"
    assert (run / name).read_text() == (evaluated / name).read_text()
    assert result(run)["metrics"]["validation"] == result(evaluated)["metrics"]["validation"]


def test_a_resumed_run_is_bit_identical(run, tmp_path):
    again = tmp_path / "again"
    shutil.copytree(run, again)
    for number in (3, 4):
        shutil.rmtree(step(again, number))
    assert main(["train", f"resume={again}"]) == 0
    for name in ("model.safetensors", TUNING, "optimizer.safetensors"):
        assert (step(again, 4) / name).read_bytes() == (step(run, 4) / name).read_bytes(), name


VERIFY = ("checkpoint=latest", "blocks=2", "tokens=1", "documents=1")


def test_verify_reloads_what_was_trained(run, tmp_path):
    assert main(["verify", f"run={run}", *VERIFY, f"hydra.run.dir={tmp_path / 'verify'}"]) == 0
    checks = result(tmp_path / "verify")["checks"]
    assert checks["checkpoint"]["deviation"] == 0
    assert "tuning" in checks["learning"]["detail"]


def test_verify_finds_a_checkpoint_that_forgets_the_adapters(run, tmp_path, monkeypatch):
    honest, folders = Checkpointed.load_tuning, []

    def forgetful(source, model, tuning):
        folders.append(source.path)
        if len(folders) == 1:  # the run's own checkpoint, and not the one that verify writes
            honest(source, model, tuning)

    monkeypatch.setattr(Checkpointed, "load_tuning", forgetful)
    assert main(["verify", f"run={run}", *VERIFY, f"hydra.run.dir={tmp_path / 'verify'}"]) == 1
    assert result(tmp_path / "verify")["failed"] == ["checkpoint"]


@pytest.mark.parametrize("asked", ["tuning=head", "+tuning.rank=3"])
def test_another_rule_is_refused(run, asked, refused, tmp_path):  # noqa: F811
    said = refused(["eval", f"run={run}", asked, f"hydra.run.dir={tmp_path / 'eval'}"])
    assert f"{asked} cannot be changed: the run in {run} was trained with tuning" in said


def small(rule, seed):
    """A model with the rule applied and all weights drawn at random."""
    model = TinyBert(hidden_size=16, num_layers=1, num_heads=2, trained_length=32, name="tiny_bert", seed=1,
                     dropout=None, attention_dropout=0.0).build("token_classification", ["O", "B-X"])  # fmt: skip
    rule.install(model)
    torch.manual_seed(seed)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter.data)
    return model


def low_rank():
    return importlib.import_module("my_rules.rules").LowRank()


def test_saved_weights_load_into_a_model_trained_further(tmp_path):
    """As in training, to score its best checkpoint."""
    saved, other, rule = small(low_rank(), 1), small(low_rank(), 2), low_rank()
    save_weights(saved, rule, tmp_path)
    Checkpointed(str(tmp_path)).load_weights(other, rule)
    found, expected = other.state_dict(), saved.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in found)


def test_a_run_without_adapters_is_refused_too(tmp_path):
    """Otherwise randomly initialised adapters would be evaluated as if they had been trained."""
    save_weights(small(Full(), 1), Full(), tmp_path)
    assert not (tmp_path / TUNING).exists()
    with pytest.raises(UserError, match=r"another tuning rule.* needs another"):
        Checkpointed(str(tmp_path)).load_tuning(small(low_rank(), 1), low_rank())


class Observing(Full):
    """Trains everything, with a penalty on the head and a third of the learning rate for it; counts the steps."""

    def __init__(self):
        self.progress = []

    def groups(self, model):
        head = list(model.classifier.parameters())
        others = [p for p in model.parameters() if all(p is not one for one in head)]
        return [ParameterGroup(head, 1 / 3), ParameterGroup(others)]

    def penalty(self, model):
        return 100.0 * model.classifier.bias.square().sum()

    def after_step(self, model, progress):
        assert model.classifier.bias.grad is not None
        self.progress.append(progress)


def test_the_loop_scales_rates_adds_penalties_and_calls_after_each_step(tmp_path):
    """The closed form of the penalty's gradient is 200 times the bias, whatever the size of the batch."""
    rule = Observing()
    options = ("trainer.max_steps=4", "trainer.clip_norm=null", "optimizer=sgd", "optimizer.lr=1e-3",
               "optimizer.momentum=0", "optimizer.nesterov=false", "scheduler=constant", "scheduler.warmup_share=0",
               "model.dropout=0.0")  # fmt: skip
    jobs = [make_job(tmp_path / name, *options, change=lambda parts, one=one: replace(parts, tuning=one))
            for name, one in (("plain", Full()), ("observed", rule))]  # fmt: skip
    grown, states = [], []
    for job in jobs:
        with torch.no_grad():
            job.bench.model.classifier.bias.fill_(0.5)
        trainer = job.trainer
        epoch = trainer.job.stream.epoch(0, 64)
        trainer.accumulation.step(epoch, epoch.steps[0])
        weight = trainer.accumulation.step(epoch, epoch.steps[0]).weight  # twice the gradient
        grown.append(job.bench.model.classifier.bias.grad / weight / 2)
        job.bench.model.zero_grad()
        states.append(job.run())
    assert torch.allclose(grown[1] - grown[0], torch.full_like(grown[0], 100.0), rtol=1e-4)
    assert rule.progress == [0, 0.25, 0.5, 0.75]
    assert [group["lr"] for group in jobs[1].trainer.optimizer.param_groups] == pytest.approx(
        [1e-3 / 3] * 2 + [1e-3] * 2
    )
    assert states[1].learning_rate == pytest.approx(1e-3)


def test_a_step_whose_gradient_is_not_applied_changes_nothing(tmp_path):
    rule = Observing()
    job = make_job(tmp_path / "run", "trainer.max_steps=2", change=lambda parts: replace(parts, tuning=rule))
    job.trainer.apply(1.0, 0, ["a"], lambda norm: True)
    assert rule.progress == []
