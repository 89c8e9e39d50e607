"""Learned spans through the real command: logged, reported, drawn, saved and resumed."""

import json

import pytest
import torch
from safetensors.torch import load_file

from ctxlab.cli import main
from ctxlab.tracking.metrics_file import read_metrics
from ctxlab.training import checkpoint
from tests.pictures import drawn
from tests.stages.conftest import result, train

OPTIONS = ("strategy=adaptive_span", "strategy.attention.ramp=8", "strategy.attention.penalty=0.1")
SHARES, LONGEST = "ctxlab_parts.attention.shares", "ctxlab_parts.attention.longest"


def spans(folder):
    return load_file(checkpoint.find(folder, "latest") / "model.safetensors")[SHARES]


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    folder = tmp_path_factory.mktemp("spans") / "run"
    with drawn():
        assert train(folder, *OPTIONS) == 0
    return folder


@pytest.mark.slow
def test_they_shrink_under_a_penalty_and_are_logged(learned):
    rows = [row for row in read_metrics(learned / "metrics.jsonl") if row["kind"] == "train"]
    assert rows[-1]["mean_span_tokens_layer_0"] < rows[0]["mean_span_tokens_layer_0"]
    assert {"mean_span_tokens_layer_1", "widest_span_tokens"} <= set(rows[0])


def test_they_are_reported_and_drawn(learned):
    rows = result(learned)["learned"]["spans"]
    saved = load_file(checkpoint.find(learned, "latest") / "model.safetensors")
    assert [row["span"] for row in rows] == pytest.approx((saved[SHARES] * saved[LONGEST]).tolist())
    assert "Learned spans" in (learned / "report.md").read_text()
    assert (learned / "spans.png").is_file()


@pytest.mark.slow
def test_a_run_that_was_stopped_ends_with_the_same_spans(learned, tmp_path):
    assert train(tmp_path / "half", *OPTIONS, "trainer.max_steps=4", "trainer.save_every_steps=2") == 0
    folder = tmp_path / "half"
    for name in ("result.json", "best.json"):
        (folder / name).unlink()
    last = checkpoint.names(folder)[-1]
    for path in sorted((folder / "checkpoints" / last).iterdir()):
        path.unlink()
    (folder / "checkpoints" / last).rmdir()
    (folder / "latest.json").write_text(json.dumps({"checkpoint": checkpoint.step_name(2)}))
    assert main(["train", f"resume={folder}"]) == 0
    assert torch.equal(spans(folder), spans(learned))


def test_an_evaluation_has_the_spans_of_the_checkpoint(learned, tmp_path):
    assert main(["eval", f"run={learned}", "split=test", f"hydra.run.dir={tmp_path / 'eval'}"]) == 0
    assert result(tmp_path / "eval")["learned"] == result(learned)["learned"]
    assert result(tmp_path / "eval")["metrics"]["test"] == pytest.approx(result(learned)["metrics"]["test"])
