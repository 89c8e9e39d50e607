"""Shared by all tests: commands that start quickly, and a command line whose stages are replaced by fakes."""

import importlib
import json
import os
import sys
from collections.abc import Callable
from contextlib import redirect_stderr
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

# One thread, before torch is imported: workers of pytest share the cores, and a fork of a process whose OpenMP threads
# have begun ends in a segmentation fault at its first operation on several threads (servers and trials are forks here).
os.environ["OMP_NUM_THREADS"] = "1"

# A small run spends a tenth of its time on YAML: in this process it is read and written in C, where PyYAML has that.
# Before OmegaConf is imported, which names these classes; commands in processes of their own do as it does.
yaml.SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
yaml.Dumper = getattr(yaml, "CDumper", yaml.Dumper)

from ctxlab.config import catalogue  # noqa: E402
from ctxlab.runtime import cost  # noqa: E402
from tests import pictures  # noqa: E402
from tests.selection import select  # noqa: E402

with redirect_stderr(sys.__stderr__):  # it would close what pytest puts there when logging is configured anew
    import absl.logging  # noqa: F401

CONF = catalogue.conf_dir()

FAKE_STAGE = """
import errno, json
from ctxlab.core.errors import UserError
from ctxlab.core.invocation import command

calls = []
commands = []
errors = {13: RuntimeError("unlucky number"), 14: UserError("seed=14 is refused: take another."),
          15: OSError(errno.ENOSPC, "No space left on device", "somewhere"), 16: KeyboardInterrupt()}

def run(parts):
    cfg, run_dir = parts
    calls.append((cfg, run_dir))
    commands.append(command())
    if cfg.seed == 17:
        cfg.trainer.nonsense
    if cfg.seed in errors:
        raise errors[cfg.seed]
    result = {"stage": "train", "task": "ner", "model": "m", "strategy": "chunk", "context_length": 8, "seed": cfg.seed,
              "checkpoint": "c", "primary_metric": "f1", "metrics": {"validation": {"f1": cfg.seed / 10}},
              "coverage": {"validation": {"tokens": 0.75, "labels": 1.0}},
              "cost": {"tokens_per_second": 1234.5, "peak_memory_bytes": 3 * 2**20}}
    (run_dir / "result.json").write_text(json.dumps(result))
"""


@pytest.fixture(scope="session", autouse=True)
def token_cache(tmp_path_factory):
    """One token cache for all runs of all tests; the user's is not touched."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CTXLAB_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def small_runs_are_quick():
    """Runs in this process skip garbage collection and fsync; runs in other processes do not.

    With all libraries and thousands of tests in memory, a collection takes as long as the rest of a small run.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cost, "gc", SimpleNamespace(collect=lambda: 0))
        patch.setattr(os, "fsync", lambda handle: None)
        yield


def read_once(read: Callable[[], Any]) -> Callable[[], Any]:
    """Return the function with one result for all calls while ``conf`` is the only folder with options."""
    found: list[Any] = []

    def cached() -> Any:
        if catalogue.roots() != [CONF]:  # with those of a plug-in, or of a test
            return read()
        if not found:
            found.append(read())
        return copy(found[0])

    return cached


@pytest.fixture(scope="session", autouse=True)
def the_catalogue_is_read_once():
    """Groups and what implies them are listed once in this process: they cost a tenth of composing a configuration."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("groups", "implied"):
            patch.setattr(catalogue, name, read_once(getattr(catalogue, name)))
        yield


@pytest.fixture(scope="session", autouse=True)
def no_pictures():
    """Runs in this process draw nothing, except in ``pictures.drawn()``."""
    with pictures.none():
        yield


@pytest.fixture
def promise() -> Callable[[str, str, str], None]:
    """Record what is promised, how it was tested, and the figure, for ``docs/reliability.md``."""

    def record(promised: str, tested: str, figure: str) -> None:
        if "CTXLAB_PROMISES" in os.environ:
            with Path(os.environ["CTXLAB_PROMISES"]).open("a", encoding="utf-8") as file:
                file.write(json.dumps([promised, tested, figure]) + "\n")

    return record


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark cases that ``covering`` and ``by_default`` leave to the slow suite, before ``-m`` is applied."""
    select(items, whole=not any("::" in word for word in config.args))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With several processes, all tests of a file run in one, so that module fixtures are created once."""
    from xdist.scheduler import LoadFileScheduling

    return LoadFileScheduling(config, log)


@dataclass
class Outcome:
    """Result of a call of the command line."""

    status: int
    out: str
    err: str
    calls: list[tuple[Any, Path]]

    @property
    def config(self) -> Any:
        assert len(self.calls) == 1
        return self.calls[0][0]

    @property
    def run_dir(self) -> Path:
        assert len(self.calls) == 1
        return self.calls[0][1]


class CommandLine:
    """``ctxlab`` in this process, with fake stages, from the current directory."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: str) -> Outcome:
        from ctxlab import cli

        stage = importlib.import_module(f"ctxlab.stages.{words[0]}") if words and words[0] in FAKE_STAGES else None
        if stage:
            stage.calls.clear()
        self._capsys.readouterr()
        status = cli.main(words)
        captured = self._capsys.readouterr()
        return Outcome(status, captured.out, captured.err, list(stage.calls) if stage else [])


FAKE_STAGES = ("train", "eval", "predict", "verify")


@pytest.fixture
def ctxlab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """The command line in an empty directory; its stages record their calls, and fail for seeds 13 to 17."""
    import ctxlab.stages
    from ctxlab.command import job

    folder = tmp_path / "stages"
    folder.mkdir()
    for name in FAKE_STAGES:
        (folder / f"{name}.py").write_text(FAKE_STAGE)
        monkeypatch.delitem(sys.modules, f"ctxlab.stages.{name}", raising=False)
        monkeypatch.delattr(ctxlab.stages, name, raising=False)
    monkeypatch.setattr(ctxlab.stages, "__path__", [str(folder)])
    monkeypatch.setattr(job, "_parts", lambda config, run_dir: (config, run_dir))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.delenv("CTXLAB_TRACEBACK", raising=False)
    yield CommandLine(capsys)
    for name in FAKE_STAGES:
        sys.modules.pop(f"ctxlab.stages.{name}", None)
        vars(ctxlab.stages).pop(name, None)
