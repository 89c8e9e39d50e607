"""Which processes may work on one run; with real ones in tests/faults/test_ranks.py."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import OmegaConf

from ctxlab.command import job, team
from ctxlab.command.compose import compose
from ctxlab.core import invocation
from ctxlab.core.errors import UserError

SAME, OTHER = np.array([[1.0], [1.0]]), np.array([[1.0], [2.0]])


@pytest.mark.parametrize(
    ("stage", "words", "sums", "problem"),
    [
        ("train", ["task=ner"], SAME, ""),
        ("eval", ["run=one"], SAME, ""),
        ("plan", [], SAME, "2 processes were started (WORLD_SIZE), but ctxlab plan uses one"),
        ("train", ["-m", "seed=1,2"], SAME, "use trainer.processes=2"),
        ("train", [], OTHER, "different command lines"),
    ],
)
def test_problems(stage, words, sums, problem, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    found = team._problem(stage, words, sums)
    assert problem in found if problem else found == ""


@pytest.mark.parametrize(
    ("stage", "wanted", "there", "starts"),
    [
        ("train", 1, 1, False),
        ("train", 2, 1, True),
        ("train", 2, 2, False),
        ("train", 1, 2, False),
        ("eval", 2, 1, True),
        ("predict", 2, 2, False),
        ("verify", 2, 1, True),
        ("plan", 2, 1, False),
    ],
)
def test_who_starts_the_processes(stage, wanted, there, starts, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", str(there))
    assert team.wants_more(OmegaConf.create({"stage": stage, "trainer": {"processes": wanted}})) is starts


def test_processes_that_do_not_fit_are_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match=r"trainer\.processes=4, but torchrun has started 2"):
        team.wants_more(OmegaConf.create({"stage": "train", "trainer": {"processes": 4}}))


def test_a_follower_is_silent_where_the_first_process_has_failed_alike(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setattr(team, "FOLLOWERS_WAIT", 0.2)

    def fails(*_):
        print("shown by the first process")
        raise UserError("No such file.")

    work = {"config": {}, "run_dir": str(tmp_path)}
    (tmp_path / "failure.json").write_text('{"error": "No such file."}')
    assert team._follow(work, fails) == 2
    assert capsys.readouterr() == ("", "")
    (tmp_path / "failure.json").write_text('{"error": "Something else."}')
    assert team._follow(work, fails) == 2
    assert capsys.readouterr().err == "Process 1: No such file.\n"
    assert team._follow(None, fails) == 2


@pytest.mark.parametrize(
    ("launcher", "sentence"),
    [
        ({"tasks_per_node": 2}, "hydra.launcher.tasks_per_node=2 starts every job 2 times .* trainer.processes=2"),
        ({"nodes": 4}, "hydra.launcher.nodes=4 .* start torchrun on 4 nodes"),
    ],
)
def test_a_launcher_that_starts_a_job_twice_is_refused(launcher, sentence):
    with pytest.raises(UserError, match=sentence):
        team.check_launcher(OmegaConf.create({"hydra": {"launcher": launcher}}))
    team.check_launcher(OmegaConf.create({"hydra": {"launcher": {"tasks_per_node": 1, "n_jobs": 4}}}))
    team.check_launcher(OmegaConf.create({"hydra": {"launcher": {}}}))


def test_the_processes_of_a_job_get_its_words_and_its_directory(monkeypatch):
    """Without what says how the job is started; an apostrophe survives."""
    overrides = {
        "task": ["task=ner", "context.length=64", "trainer.processes=2"],
        "hydra": ["hydra.mode=MULTIRUN", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "hydra.sweep.dir=s",
                  "hydra.run.dir=other", "hydra.verbose=true"],
    }  # fmt: skip
    sources = [{"provider": "main", "path": "a"}, {"provider": "command-line", "path": "more"}]
    hydra = OmegaConf.create({"overrides": overrides, "mode": RunMode.MULTIRUN, "runtime": {"config_sources": sources}})
    started = {}

    def run(words, processes):
        started.update(words=words, processes=processes, handed=invocation.handed(), command=invocation.command())
        return 0

    monkeypatch.setattr(team.HydraConfig, "get", lambda: hydra)
    monkeypatch.setattr(team.importlib, "import_module", lambda _: SimpleNamespace(run=run))
    team.start(OmegaConf.create({"stage": "eval", "trainer": {"processes": 2}}), Path("it's/1"))
    *words, directory = started.pop("words")
    assert words == ["eval", "--config-dir", "more", *overrides["task"], "hydra.verbose=true"]
    assert OverridesParser.create().parse_override(directory).value() == "it's/1"
    assert started == {
        "processes": 2,
        "handed": Path("it's/1"),
        "command": ["ctxlab", "eval", *overrides["task"]],
    }
    assert invocation.handed() is None


def test_what_a_process_is_told_suffices_to_follow(monkeypatch, tmp_path):
    """Also for keys that have no value until the command line gives them."""
    told = OmegaConf.to_container(
        compose("predict", ["task=lm", "model=tiny_gpt2", "input=a", "output=b"]), resolve=True
    )
    seen = []
    monkeypatch.setattr(job, "_parts", lambda config, run_dir: seen.append((config, run_dir)))
    monkeypatch.setattr(job, "_stage", lambda name: SimpleNamespace(run=lambda _: seen.append(name)))
    job.follow(told, tmp_path)
    (config, run_dir), stage = seen
    assert (OmegaConf.to_container(config, resolve=True), run_dir, stage) == (told, tmp_path, "predict")
