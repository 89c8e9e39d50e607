"""Every tuning rule through the training loop: it resumes to the bit, and what it added is in the checkpoint.

A file in ``conf/tuning`` is tested by existing.
"""

import shutil

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForTokenClassification

from ctxlab.cli import main
from ctxlab.config import catalogue
from ctxlab.core.model import ADDED_MODULES, TUNING
from ctxlab.training import checkpoint
from tests.contracts.task_runs import TINY, lines
from tests.contracts.test_resume import assert_resumes
from tests.training.runs import make_job

RULES = catalogue.options("tuning")
ALL_PARTS = ("strategy=longformer", "strategy/attention=adaptive_span", "strategy.attention.max_span=32",
             "strategy.attention.ramp=8", "model.trained_length=48")  # fmt: skip
"""Learned spans, and a table of positions that the run lengthens."""
NO_SPANS = ("strategy=longformer", "strategy.attention.window=8", "model.trained_length=48")


@pytest.mark.by_default("adalora", "lora")
@pytest.mark.parametrize("rule", RULES)
def test_a_rule_resumes_to_the_same_weights(rule, tmp_path):
    few = ["tuning.k=1"] if rule == "top_k" else []
    parts = NO_SPANS if rule in ("prefix", "prompt") else ALL_PARTS  # learned spans have no room for trained keys
    assert_resumes(tmp_path / "run", "task=ner", "model=tiny_bert", f"tuning={rule}", *few, *parts)


@pytest.mark.slow
@pytest.mark.parametrize("options", [("tuning.init=pissa", "tuning.scaling=rs", "tuning.dropout=0.1"),
                                     ("tuning.lr_ratio=16.0", "tuning.train=[norms,positions]")])  # fmt: skip
def test_variants_of_lora_resume_to_the_same_weights(options, tmp_path):
    assert_resumes(tmp_path / "run", "task=ner", "model=tiny_bert", "tuning=lora", *options, "strategy=chunk")


@pytest.mark.by_default("tiny_t5")
@pytest.mark.parametrize("kind", ["tiny_gpt2", "tiny_llama", "tiny_t5"])
def test_lora_resumes_to_the_same_weights_in_other_models(kind, tmp_path):
    task = "summarization" if kind == "tiny_t5" else "lm"
    short = ["task.instruction=", "task.decoding.max_new_tokens=6"] if task == "summarization" else []
    assert_resumes(tmp_path / "run", f"task={task}", f"model={kind}", "tuning=lora", *short, "strategy=chunk")


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["lora", "adapter", "bitfit"])
def test_spans_memory_and_lengthened_positions_are_trained_and_saved(rule, tmp_path):
    """peft freezes the first and the last and loses the second: its adapter file has none of them."""
    for name, options in {"spans": ALL_PARTS, "memory": ("strategy=rmt", "strategy.memory.num_tokens=2",
                                                         "strategy.reading.window=40")}.items():  # fmt: skip
        job = make_job(tmp_path / name, "task=ner", "model=tiny_bert", f"tuning={rule}", *options, *TINY,
                       "context=96", "trainer.max_steps=3", "optimizer.lr=1e-2", "scheduler=constant")  # fmt: skip
        before = job.weights()
        job.run()
        changed = {key for key, value in job.weights().items() if not torch.equal(value, before[key])}
        family = "attention" if name == "spans" else "memory"
        own = {key for key, _ in job.bench.model.named_parameters() if key.startswith(f"{ADDED_MODULES}.{family}")}
        assert own
        assert own <= changed
        table = "bert.embeddings.position_embeddings.weight"
        assert (table in changed) == (name == "spans")
        assert "bert.embeddings.word_embeddings.weight" not in changed
        saved = load_file(tmp_path / name / "checkpoints" / checkpoint.step_name(3) / "model.safetensors")
        assert all(torch.equal(saved[key], job.weights()[key]) for key in own | {table})


OPTIONS = ("task=ner", "model=tiny_bert", "strategy=chunk", "context=64", *TINY[:-3], "trainer.max_steps=4",
           "trainer.tokens_per_step=512", "trainer.precision=fp32", "trainer.eval_every_steps=2",
           "trainer.keep_checkpoints=9", "optimizer.lr=3e-2")  # fmt: skip


@pytest.mark.by_default("adapter")
@pytest.mark.parametrize(
    "rule",
    [
        "lora",
        pytest.param("adalora", marks=pytest.mark.slow),
        "adapter",
        pytest.param("prefix", marks=pytest.mark.slow),
        pytest.param("prompt", marks=pytest.mark.slow),
    ],
)
def test_a_run_is_scored_reloaded_verified_and_started_from(rule, tmp_path, refused):
    run = tmp_path / "run"
    assert main(["train", *OPTIONS, f"tuning={rule}", f"hydra.run.dir={run}"]) == 0
    assert main(["eval", f"run={run}", f"hydra.run.dir={tmp_path / 'eval'}"]) == 0
    assert lines(run / "predictions/validation.jsonl") == lines(tmp_path / "eval/predictions/validation.jsonl")
    assert main(["verify", f"run={run}", "checkpoint=latest", "blocks=2", "tokens=1", "documents=1",
                 f"hydra.run.dir={tmp_path / 'verify'}"]) == 0  # fmt: skip
    folder = run / "checkpoints" / checkpoint.step_name(4)
    assert (folder / TUNING).is_file()
    assert not (folder / "adapter_config.json").exists()  # the library would apply it to merged weights
    plain = AutoModelForTokenClassification.from_pretrained(folder).state_dict()
    assert all(torch.equal(plain[key], value) for key, value in load_file(folder / "model.safetensors").items())
    card, merged = (folder / "README.md").read_text(), rule not in ("adapter", "prefix", "prompt")
    assert ("which cannot be merged" in card) == (not merged)
    started = tmp_path / "started"
    assert main(["train", *(o for o in OPTIONS if not o.startswith("model")), f"model.path={folder}",
                 "trainer.max_steps=1", f"hydra.run.dir={started}"]) == 0  # fmt: skip
    assert ("without its adapters" in (started / "report.md").read_text()) == (not merged)
    said = refused(["eval", f"run={run}", "tuning=full", f"hydra.run.dir={tmp_path / 'other'}"])
    assert "tuning=full cannot be changed" in said


@pytest.mark.slow
def test_a_table_says_which_ranks_are_kept(tmp_path):
    run = tmp_path / "run"
    assert main(["train", *OPTIONS, "tuning=adalora", "trainer.max_steps=6", f"hydra.run.dir={run}"]) == 0
    assert "Kept ranks" in (run / "report.md").read_text()
    file = load_file(run / "checkpoints" / checkpoint.step_name(6) / TUNING)
    kept = [int(value.sum()) for key, value in file.items() if key.endswith(".kept")]
    assert sum(kept) == 8 * len(kept)
    means = [value for key, value in file.items() if "sensitivity_" in key or "uncertainty_" in key]
    assert len(means) == 6 * len(kept)  # ranks are chosen from them, so that a resumed run needs them
    assert all(bool(value.any()) for value in means)


@pytest.mark.slow
def test_the_best_checkpoint_is_scored_with_its_own_adapters(tmp_path):
    """Training ends elsewhere, and loads the best one into the current model; eval builds a new one."""
    run = tmp_path / "run"
    assert main(["train", *OPTIONS, "tuning=lora", "trainer.max_steps=6", "optimizer.lr=0.3",
                 f"hydra.run.dir={run}"]) == 0  # fmt: skip
    best = run / "best.json"
    assert checkpoint.read_pointer(run, "best") != checkpoint.step_name(6), best.read_text()
    assert main(["eval", f"run={run}", f"hydra.run.dir={tmp_path / 'eval'}"]) == 0
    assert lines(run / "predictions/validation.jsonl") == lines(tmp_path / "eval/predictions/validation.jsonl")


@pytest.mark.slow
def test_a_run_stopped_without_its_own_file_is_refused(tmp_path, refused):
    run = tmp_path / "run"
    assert main(["train", *OPTIONS, "tuning=lora", f"hydra.run.dir={run}"]) == 0
    copied = tmp_path / "copied"
    shutil.copytree(run, copied)
    for folder in (copied / "checkpoints").iterdir():
        (folder / TUNING).unlink()
    assert "no valid checkpoint" in refused(["eval", f"run={copied}", f"hydra.run.dir={tmp_path / 'eval'}"])
