"""metrics.jsonl is exact; trackers really record, and cannot break a run."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ctxlab.core.errors import UserError
from ctxlab.core.tracking import RunInfo
from ctxlab.tracking.flat import flatten_numbers
from ctxlab.tracking.guarded import Guarded
from ctxlab.tracking.metrics_file import MetricsFile, read_metrics
from ctxlab.tracking.wandb import Wandb, mode_allowed


def test_rows_past_the_checkpoint_and_torn_lines_are_dropped(tmp_path):
    path = tmp_path / "metrics.jsonl"
    file = MetricsFile(path)
    for step in range(1, 6):
        file.log({"kind": "train", "step": step, "loss": 1 / step})
    file.close()
    path.write_text(path.read_text() + '{"kind": "train", "st')
    MetricsFile(path, keep_until_step=3).close()
    assert read_metrics(path) == [{"kind": "train", "step": step, "loss": 1 / step} for step in (1, 2, 3)]


def test_floats_survive_bit_exactly(tmp_path):
    file = MetricsFile(tmp_path / "m.jsonl")
    file.log({"step": 1, "loss": 0.1 + 0.2})
    file.close()
    assert read_metrics(tmp_path / "m.jsonl")[0]["loss"] == 0.1 + 0.2


def test_only_numbers_are_flattened():
    assert flatten_numbers({"a": {"b": 1, "c": "x"}, "d": 0.5, "e": True, "f": None}) == {"a/b": 1.0, "d": 0.5}


class Broken:
    def __init__(self, error):
        self.error, self.calls = error, 0

    def start(self, info):
        return "id"

    def log(self, values, step):
        self.calls += 1
        raise self.error

    def finish(self, result, report):
        self.calls += 1


def test_a_broken_tracker_is_named_once_and_left_alone(caplog):
    tracker = Broken(RuntimeError("server on fire"))
    guarded = Guarded(tracker)
    guarded.log({"x": 1.0}, 1)
    guarded.log({"x": 1.0}, 2)
    guarded.finish(None, None)
    assert tracker.calls == 1
    assert caplog.text.count("server on fire") == 1


def test_a_mistake_of_the_user_passes_through():
    with pytest.raises(UserError):
        Guarded(Broken(UserError("no such project"))).log({}, 1)


def test_an_unknown_mode_is_refused():
    with pytest.raises(UserError, match=r"tracking\.mode=cloud"):
        Wandb("ctxlab", None, "cloud", 1)


SCRIPT = """
import sys
from pathlib import Path
from ctxlab.core.tracking import RunInfo
from ctxlab.tracking.guarded import Guarded
from ctxlab.tracking.wandb import Wandb
run_dir = Path(sys.argv[1])
for job in range(2):  # two jobs of a multirun in one process
    tracker = Guarded(Wandb("ctxlab", None, "auto", 1.0))
    print(tracker.start(RunInfo(run_dir / str(job), f"job {job}", "sweep", {"seed": job}, None)))
    tracker.log({"train/loss": 0.5}, 1)
    (run_dir / str(job) / "report.md").write_text("# report")
    tracker.keep([run_dir / str(job) / "report.md"], "page")
    tracker.finish({"metrics": {"validation": {"f1": 0.75}}}, run_dir / str(job) / "report.md")
"""


@pytest.mark.by_default(1)
@pytest.mark.parametrize("key", [None, "0" * 40])
def test_wandb_logs_offline_without_key_or_server_one_run_a_job(tmp_path, key, monkeypatch):
    for job in "01":
        (tmp_path / job).mkdir()
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "WANDB_BASE_URL": "http://127.0.0.1:9"}
    if key:
        environment["WANDB_API_KEY"] = key
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    out = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert out.returncode == 0, out.stderr
    ids = out.stdout.split()
    assert len(set(ids)) == 2
    assert "wandb:" not in out.stderr  # nothing but what we say ourselves
    if key:
        assert "does not answer" in out.stderr
    for job in "01":
        (record,) = (tmp_path / job / "wandb").glob("offline-run-*/run-*.wandb")
        inspected = subprocess.run(
            [str(Path(sys.executable).with_name("wandb")), "leet", "inspect", "--json", str(record)],
            capture_output=True, text=True, timeout=60, env=environment,
        )  # fmt: skip
        assert "train/loss" in inspected.stdout, inspected.stderr
        assert "page-" in inspected.stdout  # the artifact
        assert "validation/f1" in inspected.stdout.replace("\\\\", "")


def test_tensorboard_writes_scalars_and_the_report(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    from ctxlab.tracking.tensorboard import Tensorboard

    (tmp_path / "report.md").write_text("# report")
    tracker = Tensorboard()
    tracker.start(RunInfo(tmp_path, "run", "", {}))
    tracker.log({"train/loss": 0.5}, 3)
    tracker.finish({"metrics": {"f1": 0.75}}, tmp_path / "report.md")
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(e.step, e.value) for e in events.Scalars("train/loss")] == [(3, 0.5)]
    assert events.Scalars("result/metrics/f1")[0].value == 0.75
    assert json.dumps(events.Tags()["tensors"])


@pytest.mark.parametrize(
    ("environment", "allowed"),
    [
        ({}, "online"),
        ({"WANDB_MODE": "online"}, "online"),
        ({"WANDB_MODE": "offline"}, "offline"),
        ({"WANDB_MODE": "dryrun"}, "offline"),
        ({"WANDB_MODE": "Disabled"}, "disabled"),
        ({"WANDB_DISABLED": "true"}, "disabled"),
        ({"WANDB_DISABLED": "1", "WANDB_MODE": "online"}, "disabled"),
        ({"WANDB_DISABLED": "false"}, "online"),
        ({"WANDB_DISABLED": ""}, "online"),
    ],
)
def test_the_environment_says_what_wandb_may_do(environment, allowed):
    assert mode_allowed(environment) == allowed


@pytest.mark.slow
@pytest.mark.parametrize(
    "forbidden", [{"WANDB_MODE": "offline"}, {"WANDB_MODE": "disabled"}, {"WANDB_DISABLED": "true"}]
)
def test_wandb_asks_no_server_where_the_environment_forbids_it(forbidden, tmp_path):
    """A local server counts the requests of a process that has a key and sets mode=online."""
    requests = []

    class Server(BaseHTTPRequestHandler):
        def do_POST(self):
            requests.append(self.path)
            self.send_response(401)
            self.end_headers()

        do_GET = do_POST  # noqa: N815

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        code = (
            "import sys; from pathlib import Path; from ctxlab.core.tracking import RunInfo;"
            "from ctxlab.tracking.wandb import Wandb; tracker = Wandb('p', None, 'online', 5.0);"
            "tracker.start(RunInfo(Path(sys.argv[1]), 'n', '', {})); tracker.log({'a': 1.0}, 1);"
            "tracker.finish({}, None)"
        )
        environment = {**os.environ, "WANDB_API_KEY": "a" * 40,
                       "WANDB_BASE_URL": f"http://127.0.0.1:{server.server_port}", **forbidden}  # fmt: skip
        subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=environment, check=True, capture_output=True)
        server.shutdown()
    assert requests == []
    assert (tmp_path / "wandb").exists() == (forbidden == {"WANDB_MODE": "offline"})
