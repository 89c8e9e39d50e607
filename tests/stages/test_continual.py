"""``ctxlab train continual=…``: real runs on corpora in sequence."""

import json
import shutil
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file

from ctxlab.cli import main
from ctxlab.core.result import read
from ctxlab.training import checkpoint
from ctxlab.workbench.continuing import judging, page
from tests.stages.conftest import result, train

STAGES = "data.stages=[{seed: 5},{seed: 6}]"
QUICK = ("trainer.max_steps=3", "data.documents=3", "data.words_per_document=80", "data.evidence_distance=[20]")


@pytest.fixture(scope="module", autouse=True)
def no_picture():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "draw_matrix", lambda path, _: path)
        yield


def sequence(folder, continual, *options, stages=STAGES):
    return train(folder, f"continual={continual}", stages, *QUICK, *options)


def weights(run, pointer="best"):
    return load_file(checkpoint.find(run, pointer) / "model.safetensors")


@pytest.fixture(scope="module")
def naive(tmp_path_factory):
    folder = tmp_path_factory.mktemp("naive") / "run"
    assert sequence(folder, "naive") == 0
    return folder


def test_the_matrix_is_what_eval_says_of_every_stage_on_the_documents_of_every_stage(naive, tmp_path):
    found = result(naive)
    (before, *rows) = found["breakdowns"]["test"]["stages"]
    assert [row["trained"] for row in (before, *rows)] == ["untrained", "after 1", "after 2"]
    for number, row in enumerate(rows, start=1):
        own = read(naive / "stages" / str(number)).metrics["test"]["f1"]
        assert row[f"on {number}"] == pytest.approx(own, abs=1e-9)
    words = ("split=test", "tracking=none", "data_seed=5", f"hydra.run.dir={tmp_path / 'e'}")
    assert main(["eval", f"run={naive / 'stages' / '2'}", *words]) == 0
    assert rows[1]["on 1"] == pytest.approx(result(tmp_path / "e")["metrics"]["test"]["f1"], abs=1e-9)
    (a, b), (c, d) = ([row["on 1"], row["on 2"]] for row in rows)
    assert found["metrics"]["test"] == pytest.approx(
        {"f1": (c + d) / 2, "backward_transfer": c - a, "forward_transfer": b - before["on 2"]}
    )
    report = (naive / "report.md").read_text()
    assert "ACC (mean of the last row)" in report
    assert "stages.png" in report
    assert found["cost"]["train_steps"] == 6


def test_a_stage_begins_with_the_best_weights_of_the_one_before(naive, tmp_path):
    again = ("trainer.max_steps=1", "optimizer.lr=1e-9", "scheduler.warmup_share=0", "optimizer.weight_decay=0")
    assert train(tmp_path / "r", f"start={naive / 'stages' / '1'}", *again) == 0
    first = weights(naive / "stages" / "1")
    assert all(torch.allclose(value, first[name], atol=1e-7) for name, value in weights(tmp_path / "r").items())
    recorded = (naive / "stages" / "2" / ".hydra" / "overrides.yaml").read_text()
    assert f"start='{naive / 'stages' / '1'}'" in recorded.replace('"', "'").replace("''", "'")


@pytest.mark.slow
def test_resuming_does_only_what_is_missing(naive, tmp_path, monkeypatch):
    """The last stage is as if killed before it was scored; the first one is not even opened."""
    folder = tmp_path / "moved"
    shutil.copytree(naive, folder)
    hydra = folder / ".hydra" / "hydra.yaml"
    hydra.write_text(hydra.read_text().replace(str(naive), str(folder)))
    second = folder / "stages" / "2"
    for path in (folder / "result.json", second / "result.json", second / judging.ROW):
        path.unlink()
    judged, real = [], judging.judge
    monkeypatch.setattr(judging, "judge", lambda stages, number: judged.append(number) or real(stages, number))
    assert main(["train", f"resume={folder}"]) == 0
    assert judged == [1]
    for one in ("metrics", "breakdowns"):
        assert result(folder)[one] == result(naive)[one]
    last = weights(second)
    assert all(value.equal(last[name]) for name, value in weights(naive / "stages" / "2").items())


@pytest.mark.faults
@pytest.mark.parametrize("name", ["replay", "ewc"])
def test_a_run_killed_within_a_stage_goes_on_to_the_same_result(tmp_path, name):
    """SIGKILL once the second stage has a checkpoint; the oracle is the run that nobody stopped."""
    words = [f"continual={name}", STAGES, *QUICK[1:], "trainer.max_steps=8", "trainer.save_every_steps=1",
             "trainer.keep_checkpoints=99", "strategy=chunk", "context=64", "model=tiny_bert", "tracking=none",
             "trainer.tokens_per_step=128", "trainer.precision=fp32", "trainer.device=cpu"]  # fmt: skip
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert main(["train", *words, f"hydra.run.dir={whole}"]) == 0
    command = [sys.executable, "-m", "ctxlab", "train", *words, f"hydra.run.dir={cut}"]
    begun = cut / "stages" / "2" / "checkpoints" / checkpoint.step_name(2) / "manifest.json"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        end = time.monotonic() + 300
        while not begun.is_file() and process.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
        process.kill()
    assert begun.is_file()
    assert not (cut / "stages" / "2" / "result.json").exists()
    assert main(["train", f"resume={cut}"]) == 0
    for one in ("metrics", "breakdowns"):
        assert result(cut)[one] == result(whole)[one]
    for stage in ("1", "2"):
        expected, found = (weights(folder / "stages" / stage, "latest") for folder in (whole, cut))
        assert all(value.equal(found[key]) for key, value in expected.items())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["replay", "ewc", "lwf"])
def test_a_mechanism_changes_the_second_stage_alone(naive, tmp_path, name):
    assert sequence(tmp_path / "run", name) == 0
    for stage, same in (("1", True), ("2", False)):
        plain, other = (weights(folder / "stages" / stage, "latest") for folder in (naive, tmp_path / "run"))
        assert all(value.equal(other[key]) for key, value in plain.items()) == same
    assert (tmp_path / "run" / "stages" / "1" / judging.REMEMBERED).is_file() == (name == "ewc")


@pytest.mark.slow
def test_adapters_of_each_stage_forget_nothing(tmp_path):
    assert sequence(tmp_path / "run", "lora_per_task") == 0
    found = result(tmp_path / "run")
    assert found["metrics"]["test"]["backward_transfer"] == 0
    (_, first, second) = found["breakdowns"]["test"]["stages"]
    assert first["on 1"] == second["on 1"]
    own = [read(tmp_path / "run" / "stages" / str(number)) for number in (1, 2)]
    assert own[0].cost.trainable_parameters < own[0].cost.parameters
    assert second["on 2"] == pytest.approx(own[1].metrics["test"]["f1"], abs=1e-9)


@pytest.mark.slow
def test_labels_of_all_stages_have_outputs_from_the_first_on(tmp_path):
    """Files, a path and a mapping; tags of the second are ``O`` in the first."""
    for name, tag in (("a", "PER"), ("b", "ORG")):
        line = json.dumps({"tokens": ["one", "two", "three"], "tags": ["O", f"B-{tag}", f"I-{tag}"]})
        (tmp_path / f"{name}.jsonl").write_text(f"{line}\n" * 6)
    stages = f"data.stages=[{tmp_path / 'a.jsonl'},{{train_file: {tmp_path / 'b.jsonl'}, max_documents: 5}}]"
    words = ("task=ner", "model=tiny_bert", "tracking=none", "context=256", "trainer.max_steps=1")
    assert main(["train", *words, "continual=naive", stages, f"hydra.run.dir={tmp_path / 'r'}"]) == 0
    for number in ("1", "2"):
        folder = checkpoint.find(tmp_path / "r" / "stages" / number, "best")
        labels = json.loads((folder / "config.json").read_text())["label2id"]
        assert set(labels) == {"O", "B-PER", "I-PER", "B-ORG", "I-ORG"}
    assert [*result(tmp_path / "r")["metrics"]] == ["validation"]
    assert [row["trained"] for row in result(tmp_path / "r")["breakdowns"]["validation"]["stages"]][1] == "after 1 a"


@pytest.mark.by_default(3)
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["continual=naive"], "give at least two as data.stages"),
        (["continual=naive", "data.stages=[{seed: 1}]"], "give at least two"),
        ([STAGES], "say how with continual=naive"),
        (["continual=naive", "data.stages=[nowhere.jsonl,{seed: 1}]"], "data.stages=nowhere.jsonl does not exist"),
        (["continual=naive", "data.stages=[{seed: 1},7]"], "stage 2 is 7: give a path"),
        (["continual=naive", "data.stages=[{seed: 1},{words: 7}]"], "has no key words; keys: documents"),
        (["continual=naive", "data.stages=['data_seed=1','task=qa']"], "task=qa of stage 2 is no override of the data"),
        (
            ["continual=naive", "data.stages=[{seed: 1},{validation_documents: 0, test_documents: 0}]"],
            "to be judged on",
        ),
        (["continual=lora_per_task", STAGES, "tuning=full"], "leave tuning= out for lora"),
        (["continual=lwf", STAGES, "objective=fgm"], "leave objective= out"),
        (["continual=ewc", STAGES, "continual.strength=0"], "continual.strength=0 holds nothing"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_no_directory(tmp_path, refused, words, says):
    given = ("task=ner", "model=tiny_bert", "tracking=none", "context=256", f"hydra.run.dir={tmp_path / 'r'}")
    assert says in refused(["train", *given, *words])
    assert not (tmp_path / "r").exists()


def test_a_stage_is_not_resumed_alone_and_the_run_is_not_one_model(naive, refused, tmp_path):
    assert f"continue that with resume={naive}" in refused(["train", f"resume={naive / 'stages' / '2'}"])
    for words in (["eval", f"run={naive}"], ["train", f"start={naive}"]):
        assert f"such as {naive / 'stages' / '1'}" in refused([*words, f"hydra.run.dir={tmp_path / 'r'}"])
    assert "continual=naive trains several runs" in refused(
        ["compare", "continual=naive", STAGES, "strategy=chunk,truncate", "model=tiny_bert", "budget.steps=1"]
    )


def test_the_figures_are_those_of_the_weights_that_the_mechanism_reads_with():
    """Every stage judged on the documents of every stage; adapters answer the documents of their own stage."""
    from types import SimpleNamespace

    from ctxlab.continual.lora_per_task import LoraPerTask
    from ctxlab.continual.naive import Naive

    judged = [[f"{after}{on}" for on in range(3)] for after in range(3)]
    stages = [[SimpleNamespace(parts=SimpleNamespace(continual=one))] * 3 for one in (Naive(), LoraPerTask())]
    assert page.scored(stages[0], judged) == judged
    assert page.scored(stages[1], judged) == [["00", "01", "02"], ["00", "11", "12"], ["00", "11", "22"]]
