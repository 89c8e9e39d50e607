"""``ctxlab sweep``: real trials on a tiny model, their page, and what may and may not be changed afterwards."""

import shutil
from pathlib import Path

import pytest

from ctxlab.cli import main
from ctxlab.core.result import read
from ctxlab.sweeping import study_file
from ctxlab.training import checkpoint
from ctxlab.workbench.cells import process
from tests.stages.forked import Forked

SMALL = [
    "model=tiny_bert", "strategy=chunk", "data.documents=4", "data.validation_documents=2", "data.test_documents=2",
    "data.words_per_document=60", "trainer.max_steps=2",
]  # fmt: skip

SPACE = "context.length: {choice: [32, 64]}\nseed: {choice: [1]}\n"


@pytest.fixture(scope="module")
def swept(tmp_path_factory) -> Path:
    """The directory of a sweep over a grid of two trials."""
    folder = tmp_path_factory.mktemp("swept")
    (folder / "space.yaml").write_text(SPACE)
    words = ["sweep", *SMALL, f"sweep.space={folder / 'space.yaml'}", "sweep.sampler=grid", "sweep.workers=2"]
    with pytest.MonkeyPatch.context() as patch, pytest.MonkeyPatch.context() as other:
        patch.setattr(process, "start", Forked)
        other.setattr("ctxlab.workbench.finish.draw", lambda *_: [])
        status = main([*words, "sweep.smallest=context.length", f"hydra.run.dir={folder / 'run'}"])
    assert status == 0
    (folder / "space.yaml").unlink()
    return folder / "run"


def test_every_point_is_a_run_of_its_own_and_its_figures_are_those_of_the_study(swept):
    record = study_file.read(swept)
    points = [(one.parameters["context.length"], one.parameters["seed"]) for one in record.trials]
    assert points == [(32, 1), (64, 1)]
    for one in record.trials:
        found = read(swept / one.run)
        assert (found.context_length, found.seed) == (one.parameters["context.length"], one.parameters["seed"])
        assert one.values == [found.metrics["validation"]["f1"]]
        assert one.metrics == found.metrics
        assert "\ndata_seed: 1\n" in (swept / one.run / "config.yaml").read_text()
        (only,) = checkpoint.names(swept / one.run)
        assert not (swept / one.run / "checkpoints" / only / checkpoint.OPTIMIZER).exists()
    best = record.trial(record.best[0])
    assert best.values[0] == max(one.values[0] for one in record.trials)
    assert (record.selection_split, record.reported_split) == ("validation", "test")


def test_the_page_ends_in_the_smallest_value_that_is_enough(swept):
    record = study_file.read(swept)
    page = (swept / "study.md").read_text()
    assert page.rstrip().endswith(record.conclusion)
    assert record.conclusion == record.smallest.sentence
    assert "context.length" in record.conclusion
    for part in ("## Trials", "](history.png)", "](slices.png)", "ctxlab sweep model=tiny_bert", "+experiment=best"):
        assert part in page
    for name in ("history.png", "slices.png"):
        assert (swept / name).read_bytes().startswith(b"\x89PNG")


def test_the_best_trial_as_an_experiment_has_the_same_scores(swept, tmp_path):
    """Run again from the experiment file alone, under a budget of steps."""
    record = study_file.read(swept)
    words = ["train", "--config-dir", str(swept / "conf"), "+experiment=best", "tracking=none"]
    assert main([*words, f"hydra.run.dir={tmp_path / 'again'}"]) == 0
    assert read(tmp_path / "again").metrics == record.trial(record.best[0]).metrics


def test_a_finished_sweep_is_resumed_without_a_new_trial_and_without_its_file(swept, tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(swept, folder)
    before = {path: path.stat().st_mtime_ns for path in folder.glob("trials/*/result.json")}
    assert main(["sweep", f"resume={folder}", "margin=10"]) == 0
    assert {path: path.stat().st_mtime_ns for path in folder.glob("trials/*/result.json")} == before
    found = study_file.read(folder)
    assert len(found.trials) == 2
    assert found.smallest.smallest == 32  # any difference is less than 10
    assert " ".join(capsys.readouterr().out.split()).endswith(found.conclusion)


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("sweep.sampler=tpe", "which has sweep.sampler=grid"),
        ("sweep=optimizer", "cannot be changed: resume= continues the sweep"),
        ("trainer.max_steps=3", "which has trainer.max_steps=2"),
        ("model=minilm", "which has model=tiny_bert"),
    ],
)
def test_what_is_searched_cannot_be_changed(word, says, swept, capsys):
    assert main(["sweep", f"resume={swept}", word]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.by_default(2)
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["sweep.n_trials=0"], "sweep.n_trials=0 is too small"),
        (["sweep.workers=0"], "sweep.workers=0 is too small"),
        (["sweep.sampler=bayes"], "sweep.sampler=bayes is not known: use grid"),
        (["sweep.sampler=grid"], "optimizer.lr has no end of them"),
        (["sweep=nonsense"], "there is no sweep 'nonsense'"),
        (["sweep.space=nowhere.yaml"], "sweep.space=nowhere.yaml does not exist"),
        (["sweep.space=bad.yaml"], "bad.yaml, line 2: optimizer.lrr: There is no key optimizer.lrr; did you mean"),
        (["sweep.prune=true"], "give trainer.max_steps and trainer.eval_every_steps"),
        (["sweep.prune=true", "sweep.objectives=[primary,train_seconds]"], "there are several objectives"),
        (["sweep.smallest=context.length"], "needs context.length in the space"),
        (["optimizer.lr=1e-4"], "optimizer.lr is searched, and optimizer.lr=1e-4 is given too"),
        (["context=512,1024"], "search them by a space"),
        (["-m", "context=512"], "leave out -m"),
        (["resume=conf"], "resume=conf is not the directory of a run"),
        (["resume=trained"], "is a run of ctxlab train: give the directory of a sweep"),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_nothing(words, says, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("conf").mkdir()
    Path("trained/.hydra").mkdir(parents=True)
    Path("trained/.hydra/hydra.yaml").write_text("hydra: {job: {config_name: train}}")
    Path("bad.yaml").write_text("seed: {choice: [1]}\noptimizer.lrr: {log: [1e-5, 1e-3]}\n")
    assert main(["sweep", "model=tiny_bert", *words]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert len(error.strip().splitlines()) == 1
    assert not list(Path().glob("outputs/sweep/*/*"))
