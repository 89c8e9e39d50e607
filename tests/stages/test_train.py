"""``ctxlab train``: what it leaves behind, and what each option does to a real run."""

import csv
import json
import shlex
import shutil
import signal
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForTokenClassification, AutoTokenizer

from ctxlab.cli import main
from ctxlab.command import job, run_directory
from ctxlab.config import preflight
from ctxlab.core.result import VERSION
from ctxlab.tracking.metrics_file import read_metrics
from ctxlab.training import checkpoint
from tests.stages.conftest import SMALL, result, train


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(checkpoint.find(folder, "latest") / "model.safetensors")


def test_a_run_leaves_what_the_design_says(trained):
    for name in (".hydra/config.yaml", "config.yaml", "metrics.jsonl", "best.json", "latest.json", "result.json",
                 "report.md", "predictions/validation.jsonl", "predictions/test.jsonl", "loss.png",
                 "validation.png", "scores/validation.jsonl", "scores/test.jsonl"):  # fmt: skip
        assert (trained / name).is_file(), name
    found = result(trained)
    assert {"stage", "task", "model", "strategy", "context_length", "seed", "metrics", "primary_metric", "coverage",
            "cost", "checkpoint", "git_sha", "versions", "resumed_from"} <= set(found)  # fmt: skip
    assert {"train_tokens", "train_seconds", "tokens_per_second", "peak_memory_bytes", "flops", "parameters",
            "trainable_parameters", "matrix_rate_share"} <= set(found["cost"])  # fmt: skip
    assert found["command"] == ["ctxlab", "train", *SMALL, f"hydra.run.dir={trained}"]
    assert (found["version"], found["lower_is_better"]) == (VERSION, False)
    assert set(found["metrics"]) == set(found["coverage"]) == {"validation", "test"}
    assert found["coverage"]["test"] == {"tokens": 1.0, "labels": 1.0, "characters": 1.0}
    assert found["primary_metric"] in found["metrics"]["test"]
    assert {p.name for p in (trained / found["checkpoint"]).iterdir()} >= {
        "model.safetensors", "optimizer.safetensors", "state.json", "manifest.json", "config.json"}  # fmt: skip
    assert any("does not differ from chance (0.25)" in note for note in found["notes"])  # four steps teach nothing
    report = (trained / "report.md").read_text()
    assert f"ctxlab train {shlex.join(SMALL)} hydra.run.dir={trained}" in report
    for heading in ("Strict scores by entity type", "F1 by length", "F1 by position", "distance of the evidence"):
        assert heading in report


def test_a_checkpoint_loads_without_ctxlab_and_gives_the_same_tags(trained):
    """Full attention differs from local attention only beyond its window, so that a document within one must agree."""
    folder = trained / result(trained)["checkpoint"]
    model = AutoModelForTokenClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    record = json.loads((trained / "predictions" / "validation.jsonl").read_text().splitlines()[0])
    encoded = tokenizer(record["tokens"][:60], is_split_into_words=True, return_tensors="pt")
    assert model.config.id2label[0] == "O"
    assert model(**encoded).logits.shape[1] == encoded["input_ids"].shape[1]


def test_rows_are_logged_as_asked(trained):
    rows = read_metrics(trained / "metrics.jsonl")
    assert [(row["kind"], row["step"]) for row in rows] == [("train", 2), ("train", 4), ("validation", 4)]
    assert rows[0]["loss"] > 0


def test_the_same_seed_gives_the_same_run_and_another_another(trained, tmp_path):
    assert train(tmp_path / "same") == 0
    assert train(tmp_path / "other", "seed=2") == 0
    first, same, other = (weights(folder) for folder in (trained, tmp_path / "same", tmp_path / "other"))
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


@pytest.mark.slow
def test_accumulation_changes_nothing_but_rounding(trained, tmp_path):
    """Four forward passes a step against one: the same gradient, as there is no dropout."""
    assert train(tmp_path / "one", "model.dropout=0.0", "optimizer=sgd") == 0
    assert train(tmp_path / "four", "model.dropout=0.0", "optimizer=sgd", "trainer.tokens_per_forward=256") == 0
    one, four = weights(tmp_path / "one"), weights(tmp_path / "four")
    assert all(torch.allclose(one[name], four[name], atol=1e-5) for name in one)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["tiny_bert", "tiny_t5"])
def test_layers_computed_twice_change_nothing_but_the_cost(model, tmp_path):
    options = (f"model={model}", "strategy=chunk", "model.dropout=0.1", "trainer.max_steps=2")
    assert train(tmp_path / "once", *options) == 0
    assert train(tmp_path / "twice", *options, "trainer.activation_checkpointing=true") == 0
    once, twice = weights(tmp_path / "once"), weights(tmp_path / "twice")
    assert all(torch.allclose(once[name], twice[name], atol=1e-6) for name in once)
    flops = [result(tmp_path / name)["cost"]["flops"] for name in ("once", "twice")]
    assert 1.2 * flops[0] < flops[1] < 4 / 3 * flops[0]  # all layers once more, embeddings and head not


@pytest.mark.slow
def test_layers_are_not_computed_twice_where_a_cache_would_be_lost(refused):
    words = ["task=lm", "model=tiny_llama", "strategy=transformer_xl", "context=64", "tracking=none"]
    said = refused(["train", *words, "trainer.activation_checkpointing=true"])
    assert "turns off the KV cache, in which strategy/memory=segment_cache is stored: use false" in said


@pytest.mark.by_default(2)
@pytest.mark.parametrize(
    "options",
    [
        ("optimizer=sgd", "scheduler=cosine", "tuning=freeze_embeddings"),
        ("optimizer=adafactor", "scheduler=constant", "trainer.clip_norm=null", "tuning=top_k", "tuning.k=1"),
        ("trainer.precision=bf16", "task.outside_weight=0", "trainer.num_workers=1", "strategy=dense"),
        ("strategy=chunk", "context=64", "strategy.reading.overlap_tokens=16", "strategy.reading.merge=central"),
        ("strategy=longformer", "strategy/positions=interpolate", "model.trained_length=128"),
    ],
)
def test_every_option_trains(options, tmp_path):
    assert train(tmp_path / "run", *options, "trainer.max_steps=2") == 0
    assert result(tmp_path / "run")["cost"]["train_steps"] == 2


@pytest.mark.slow
def test_tuning_only_the_head_leaves_the_body_as_it_was(tmp_path):
    assert train(tmp_path / "one", "tuning=head", "trainer.max_steps=1") == 0
    assert train(tmp_path / "three", "tuning=head", "trainer.max_steps=3") == 0
    one, three = weights(tmp_path / "one"), weights(tmp_path / "three")
    assert {name for name in one if not torch.equal(one[name], three[name])} == {"classifier.weight", "classifier.bias"}
    cost = result(tmp_path / "one")["cost"]
    assert cost["trainable_parameters"] == sum(one[name].numel() for name in ("classifier.weight", "classifier.bias"))


def test_budgets_end_the_run_where_they_say(tmp_path):
    assert train(tmp_path / "tokens", "trainer.max_tokens=1500", "trainer.max_steps=null") == 0
    cost = result(tmp_path / "tokens")["cost"]
    assert 1500 <= cost["train_tokens"] < 1500 + 1024
    assert train(tmp_path / "epochs", "trainer.max_epochs=2", "trainer.max_steps=null", "data.documents=2") == 0
    assert result(tmp_path / "epochs")["cost"]["train_epochs"] == 2.0
    assert train(tmp_path / "seconds", "trainer.max_seconds=0.3", "trainer.max_steps=null") == 0
    assert result(tmp_path / "seconds")["cost"]["train_seconds"] >= 0.3


def test_early_stopping_stops_and_the_best_checkpoint_is_scored(tmp_path):
    """Without a learning rate nothing improves: the first evaluation stays the best, and two more end the run."""
    options = (
        "optimizer.lr=0",
        "trainer.eval_every_steps=1",
        "trainer.early_stopping_patience=2",
        "trainer.max_steps=9",
    )
    assert train(tmp_path / "run", *options) == 0
    assert json.loads((tmp_path / "run" / "best.json").read_text())["step"] == 1
    assert result(tmp_path / "run")["cost"]["train_steps"] == 3
    assert result(tmp_path / "run")["checkpoint"].endswith("step-00000001")


def test_a_stopped_run_resumes_and_a_finished_one_ends_at_once(trained, tmp_path):
    run = tmp_path / "elsewhere" / "moved run"
    shutil.copytree(trained, run)
    assert main(["train", f"resume={run}"]) == 0
    assert result(run)["cost"]["train_steps"] == 4
    assert result(run)["resumed_from"] == "step-00000004"
    assert main(["train", f"resume={run}", "trainer.max_steps=6"]) == 0
    assert [row["step"] for row in read_metrics(run / "metrics.jsonl") if row["kind"] == "train"] == [2, 4, 6]


@pytest.mark.by_default(1)
@pytest.mark.parametrize(("module", "name"), [(run_directory, "claim"), (preflight, "check"), (job, "redact_file")])
def test_a_signal_before_the_run_begins_leaves_no_directory(tmp_path, capsys, monkeypatch, module, name):
    before = getattr(module, name)

    def signalled(*words):
        before(*words)
        signal.raise_signal(signal.SIGUSR1)

    monkeypatch.setattr(module, name, signalled)
    assert train(tmp_path / "a" / "run") == 75
    assert capsys.readouterr().err.endswith(": give the command again.\n")
    assert not (tmp_path / "a").exists()


def test_a_signal_saves_and_says_how_to_resume(tmp_path, capsys, monkeypatch):
    from ctxlab.training.loop import Trainer

    step = Trainer._step

    def signalled(self, state, *rest):
        step(self, state, *rest)
        if state.step == 2:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(Trainer, "_step", signalled)
    assert train(tmp_path / "run", "trainer.save_every_steps=100") == 128 + signal.SIGTERM
    assert "resume=" in capsys.readouterr().err
    assert checkpoint.names(tmp_path / "run") == ["step-00000002"]
    monkeypatch.undo()
    assert main(["train", f"resume={tmp_path / 'run'}"]) == 0
    assert result(tmp_path / "run")["cost"]["train_steps"] == 4


def test_a_loss_that_is_not_finite_stops_before_the_weights_change(tmp_path, refused):
    run = tmp_path / "run"
    words = [*SMALL, "optimizer=sgd", "optimizer.lr=1e30", "scheduler.warmup_share=0", "trainer.clip_norm=null",
             "trainer.save_every_steps=1", "trainer.max_steps=9", f"hydra.run.dir={run}"]  # fmt: skip
    words = [word for index, word in enumerate(words) if word.split("=")[0] not in
             {later.split("=")[0] for later in words[index + 1 :]}]  # fmt: skip
    error = refused(["train", *words], status=3)
    assert "at step" in error
    assert "generated-train" in error
    assert json.loads((run / "failure.json").read_text())["error"] == error
    assert all(tensor.isfinite().all() for tensor in weights(run).values())


def test_truncation_is_scored_on_whole_documents(tmp_path):
    assert train(tmp_path / "run", "strategy=truncate", "context=64") == 0
    found = result(tmp_path / "run")
    assert found["coverage"]["validation"]["tokens"] < 0.6
    assert found["metrics"]["validation"]["recall"] <= found["coverage"]["validation"]["labels"]


def test_a_strategy_that_does_not_fit_is_refused_with_one_that_does(refused, tmp_path):
    words = [word for word in SMALL if not word.startswith("context")]
    words += ["strategy=hierarchical", "strategy.reading.window=2048", "context=2048"]
    error = refused(["train", *words, f"hydra.run.dir={tmp_path / 'a'}"])
    assert "2,048" in error
    assert "strategy=longformer" in error


def test_an_existing_run_directory_is_left_alone(trained, refused):
    before = {path: path.stat().st_mtime_ns for path in sorted(trained.rglob("*"))}
    assert "exists" in refused(["train", *SMALL, f"hydra.run.dir={trained}"])
    assert {path: path.stat().st_mtime_ns for path in sorted(trained.rglob("*"))} == before


@pytest.mark.slow
def test_a_failing_job_does_not_stop_the_others(tmp_path, capsys):
    words = [word for word in SMALL if not word.startswith("context")]
    command = [
        "train",
        "-m",
        *words,
        "context=96,128",
        "strategy=chunk,longformer",  # whose window is wider than 96 tokens
        f"hydra.sweep.dir={tmp_path / 's'}",
    ]
    assert main(command) == 1
    captured = capsys.readouterr()
    assert "Job 1" in captured.err
    with (tmp_path / "s" / "sweep.csv").open() as file:
        rows = list(csv.DictReader(file))
    alone = ["ctxlab", "train", *words, "context.length=96", "strategy=chunk"]
    assert sorted(result(tmp_path / "s" / "0")["command"]) == sorted(alone)
    assert [row["status"] for row in rows] == ["done", "failed", "done", "done"]
    assert [bool(row["score"]) for row in rows] == [True, False, True, True]


@pytest.mark.slow
def test_weights_and_biases_gets_one_offline_run_with_the_scores(tmp_path, monkeypatch):
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    assert train(tmp_path / "run", "tracking=wandb", "trainer.max_steps=2") == 0
    assert len(list((tmp_path / "run" / "wandb").glob("offline-run-*/run-*.wandb"))) == 1


@pytest.mark.slow
def test_the_best_weights_are_scored_and_not_the_last(tmp_path, capsys):
    """A rate that ruins the model step by step: the last scores are far below the best ones."""
    options = ("task=lm", "model=tiny_llama", "strategy=chunk", "context=64", "optimizer.lr=0.3",
               "scheduler=constant", "scheduler.warmup_share=0", "trainer.eval_every_steps=1",
               "trainer.max_steps=2")  # fmt: skip
    run = tmp_path / "run"
    assert train(run, *options) == 0
    figure = result(run)["primary_metric"]
    rows = [row for row in read_metrics(run / "metrics.jsonl") if row["kind"] == "validation"]
    best = min(rows, key=lambda row: row[figure])
    assert best["step"] == 1
    assert rows[-1][figure] > 1.05 * best[figure]
    assert result(run)["metrics"]["validation"][figure] == best[figure]
    assert result(run)["checkpoint"].endswith(f"step-{best['step']:08d}")
    for which, expected in (("best", True), ("latest", False)):
        words = ["eval", f"run={run}", "split=test", f"checkpoint={which}", "tracking=none"]
        assert main([*words, f"hydra.run.dir={tmp_path / which}"]) == 0
        found = result(tmp_path / which)["metrics"]["test"][figure]
        assert (found == pytest.approx(result(run)["metrics"]["test"][figure], rel=1e-6)) == expected


def test_sanity_notes_appear_beside_the_scores(tmp_path, capsys):
    """One document, seen in training, in one step that a millisecond allows."""
    file = tmp_path / "data.jsonl"
    file.write_text(json.dumps({"id": "a", "tokens": ["Mara", "slept"], "tags": ["B-PER", "O"]}) + "\n")
    options = (f"data.train_file={file}", f"data.validation_file={file}", "trainer.max_seconds=0.001",
               "trainer.max_steps=null", "context=64", "strategy=chunk")  # fmt: skip
    assert train(tmp_path / "run", *options) == 0
    found = " ".join(result(tmp_path / "run")["notes"])
    shown = " ".join(capsys.readouterr().out.split())
    for words in (
        "1 of 1 validation documents are training documents too",
        "The validation split has a single document",
        "context.length=64 is longer than every document (the longest has",
        "because trainer.max_seconds=0.001 allows no more",
        "The learning rate of the first step was 0",
    ):
        assert words in found
        assert words in shown
    assert "1 of 1 validation documents are training documents too" in (tmp_path / "run" / "report.md").read_text()


def test_a_resumed_run_says_what_it_has_and_refuses_the_rest(trained, tmp_path, refused):
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    said = refused(["train", f"resume={run}", "model=tiny_llama", "trainer.max_steps=6"])
    assert "model=tiny_llama cannot be changed" in said
    assert "model=tiny_bert" in said
    assert main(["train", f"resume={run}", "trainer.max_steps=5", "optimizer.lr=1e-5"]) == 0
    assert result(run)["model"] == "tiny_bert"
    assert any("From step 4 on the run was trained with optimizer.lr=1e-05" in note for note in result(run)["notes"])
