"""Trackers cannot hurt, and obey: whatever W&B or its server does, the run ends well and no logged point is lost."""

import contextlib
import json
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ctxlab.tracking.metrics_file import read_metrics
from tests.faults.wandb_server import serving

ROOT = Path(__file__).parents[2]
KEY = "0" * 40
TRAIN = [
    "task=ner", "model=tiny_bert", "context=64", "strategy=chunk", "data.documents=6", "data.validation_documents=2",
    "data.test_documents=1", "data.words_per_document=120", "trainer.tokens_per_step=512", "trainer.precision=fp32",
    "trainer.max_steps=200", "trainer.eval_every_steps=100", "trainer.log_every_steps=1",
]  # fmt: skip
MOST_SECONDS = 15.0
"""Most that a tracker may delay a run."""

BLOCK, HEADER = 32_768, 7


def records(path: Path) -> Iterator[bytes]:
    """Yield the records of a ``.wandb`` file, which has LevelDB's log format behind seven bytes of its own."""
    data, at, part = path.read_bytes(), 7, b""
    while at + HEADER <= len(data):
        left = BLOCK - at % BLOCK
        if left < HEADER:
            at += left
            continue
        _, size, kind = struct.unpack("<IHB", data[at : at + HEADER])
        body = data[at + HEADER : at + HEADER + size]
        at += HEADER + size
        part = body if kind in (1, 2) else part + body
        if kind in (1, 4):  # whole, or the last part
            yield part


def points(folder: Path) -> dict[int, dict[str, float]]:
    """Return what all ``.wandb`` files of a run hold, by step."""
    from wandb.proto import wandb_internal_pb2

    found: dict[int, dict[str, float]] = {}
    for path in sorted(folder.glob("wandb/*/*.wandb")):
        for data in records(path):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(data)
            for item in record.history.item:
                name = item.key or "/".join(item.nested_key)
                if not name.startswith("_"):
                    found.setdefault(record.history.step.num, {})[name] = json.loads(item.value_json)
    return found


def logged(folder: Path) -> dict[int, dict[str, float]]:
    """Return what the run logged, by step, under the names that trackers show."""
    rows: dict[int, dict[str, float]] = {}
    for row in read_metrics(folder / "metrics.jsonl"):
        figures = {f"{row['kind']}/{name}": value for name, value in row.items() if name not in ("kind", "step")}
        rows.setdefault(row["step"], {}).update(figures)
    return rows


def command(run: Path, clock: Path) -> list[str]:
    words = ["train", *TRAIN, "tracking=wandb", f"hydra.run.dir={run}"]
    return [sys.executable, "-m", "tests.faults.timed_train", str(clock), *words]


def surroundings(**more: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    paths = [*more.pop("PATHS", "").split(), str(ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    return {**clean, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, paths)), **more}


def hit(pid: int, run: Path, number: int) -> None:
    """Send a signal to W&B's process of the command with this id, in the middle of its training."""
    metrics = run / "metrics.jsonl"
    while not metrics.exists() or metrics.read_bytes().count(b"\n") < 20:
        assert Path(f"/proc/{pid}").exists()
        time.sleep(0.01)
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            name, facts = (folder / "stat").read_text().rsplit(")", 1)
            if "wandb-core" in name and int(facts.split()[1]) == pid:
                os.kill(int(folder.name), number)
                return
    raise AssertionError("W&B has no process")


def train(folder: Path, environment: dict[str, str], number: int | None = None) -> tuple[float, str]:
    """Train with W&B; returns the seconds that the tracker and the end of the process took, and what was said."""
    run, clock = folder / "run", folder / "clock"
    with (folder / "said.txt").open("w") as said:
        process = subprocess.Popen(command(run, clock), env=environment, stdout=said, stderr=said, cwd=folder)
        if number is not None:
            hit(process.pid, run, number)
        assert process.wait(timeout=300) == 0, (folder / "said.txt").read_text()
    spent, ended = map(float, clock.read_text().split())
    return spent + time.monotonic() - ended, (folder / "said.txt").read_text()


CASES = {
    "a server that answers": ("well", "", None),
    "no key": (None, "", None),
    "an unreachable server": ("nowhere", "", None),
    "a server that hangs": ("hang", "", None),
    "status 500": ("500", "", None),
    "status 429": ("429", "", None),
    "a server that ends in the middle": ("well", "gone", None),
    "a server that hangs in the middle": ("well", "hang", None),
    "a server that fails in the middle": ("well", "500", None),
    "a full quota": ("quota", "", None),
    "W&B's process killed": ("well", "", signal.SIGKILL),
    "W&B's process stopped": (None, "", signal.SIGSTOP),
}


@pytest.mark.faults
def test_no_failure_of_a_tracker_hurts(tmp_path, promise):
    delays = {}
    for number, (name, (how, later, sign)) in enumerate(CASES.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        with serving(how if how not in (None, "nowhere") else "well") as server:
            server.later, server.later_after = later, 5
            url = server.url if how != "nowhere" else "http://127.0.0.1:9"
            key = {"WANDB_API_KEY": KEY, "WANDB_BASE_URL": url} if how else {"WANDB_BASE_URL": url}
            seconds, said = train(folder, surroundings(**key), sign)
            if how is None:
                assert server.paths == [], name
            if name == "a server that answers":  # what the stand-in received is all there was
                sent = [json.loads(line) for _, line in sorted(server.rows.items())]
                for row in sent:
                    assert logged(folder / "run")[row["_step"]].items() <= row.items()
                assert [row["_step"] for row in sent] == sorted(logged(folder / "run"))
        assert "Traceback" not in said, (name, said)
        found = points(folder / "run")
        for step, figures in logged(folder / "run").items():
            assert figures.items() <= found.get(step, {}).items(), (name, step, said)
        assert len(found) == 200
        delays[name] = seconds
    assert max(delays.values()) <= MOST_SECONDS, delays
    worst = max(delays, key=delays.__getitem__)
    promise(
        "a tracker that fails hurts no run",
        f"runs with W&B and {len(CASES) - 1} failures: {', '.join(list(CASES)[1:])}",
        f"no run failed, {delays[worst]:.0f} s of delay at most ({worst}), every logged point in its offline file",
    )


@pytest.mark.faults
def test_w_and_b_that_cannot_be_imported_is_named(tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "wandb.py").write_text("raise ImportError('half installed')\n")
    seconds, said = train(tmp_path, surroundings(PATHS=str(broken)))
    assert said.count("W&B cannot be imported (half installed)") == 1
    assert len(logged(tmp_path / "run")) == 200
    assert seconds <= MOST_SECONDS


FORBIDDEN = (
    {"WANDB_MODE": "offline"},
    {"WANDB_MODE": "dryrun"},
    {"WANDB_MODE": "disabled"},
    {"WANDB_DISABLED": "true"},
)


@pytest.mark.faults
def test_the_environment_is_obeyed_even_with_a_key(tmp_path, promise):
    for number, forbidden in enumerate(FORBIDDEN):
        folder = tmp_path / str(number)
        folder.mkdir()
        with serving("well") as server:
            train(folder, surroundings(WANDB_API_KEY=KEY, WANDB_BASE_URL=server.url, **forbidden))
            assert server.paths == [], forbidden
        is_kept = forbidden.get("WANDB_MODE") in ("offline", "dryrun")
        assert len(points(folder / "run")) == (200 if is_kept else 0)
    promise(
        "`WANDB_MODE` and `WANDB_DISABLED` are obeyed, even with a key",
        f"{len(FORBIDDEN)} runs with {', '.join('='.join(*one.items()) for one in FORBIDDEN)}, a key and a server",
        "no request",
    )


HURT = """
import os, signal, sys
from pathlib import Path
import wandb
from ctxlab.core.tracking import RunInfo
from ctxlab.tracking.guarded import Guarded
from ctxlab.tracking.wandb import Wandb
run_dir = Path(sys.argv[1])
tracker = Guarded(Wandb("ctxlab", None, "auto", 5.0))
name = tracker.start(RunInfo(run_dir, "job", "", {}, None))
for step in range(1, 21):
    tracker.log({"train/loss": 1 / step}, step)
    if step == 12:
        os.kill(wandb.setup()._connection._proc._process.pid, signal.SIGKILL)
tracker.finish({"metrics": {"f1": 0.5}}, None)
"""


def test_points_survive_the_death_of_w_and_b(tmp_path):
    out = subprocess.run(
        [sys.executable, "-c", HURT, str(tmp_path)], env=surroundings(), capture_output=True, text=True
    )
    assert out.returncode == 0, out.stderr
    assert out.stderr.count("\n") == 1, out.stderr
    assert "logged anew, offline" in out.stderr
    assert points(tmp_path) == {step: {"train/loss": 1 / step} for step in range(1, 21)}
