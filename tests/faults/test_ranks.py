"""Several processes are one run: losses, weights and files against those of one process."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from ctxlab.tracking.metrics_file import read_metrics
from tests.faults import ranks_driver

WORDS = [
    "train", "task=ner", "model=tiny_bert", "model.dropout=0.1", "context=128", "tracking=none", "data.documents=6",
    "data.validation_documents=2", "data.test_documents=1", "data.words_per_document=120",
    "data.evidence_distance=[16]",
    "trainer.tokens_per_step=1024", "trainer.tokens_per_forward=256", "trainer.max_steps=12", "trainer.device=cpu",
    "trainer.save_every_steps=4", "trainer.eval_every_steps=6", "trainer.log_every_steps=1", "trainer.precision=fp32",
]  # fmt: skip

KINDS = {
    "chunk": ["strategy=chunk"],
    "memory": ["strategy=rmt", "context=256"],
    "cache": ["task=lm", "model=tiny_llama", "strategy=transformer_xl"],
    "curriculum": ["strategy=progressive", "context=256"],
    "few passes": ["strategy=longformer", "trainer.tokens_per_step=128", "trainer.tokens_per_forward=null"],
    "unused weights": ["strategy=chunk", "tuning=top_k", "trainer.clip_norm=null"],
}
"""Runs whose steps differ in their passes; in the fourth some steps have fewer passes than there are processes."""


RESTARTS = 10

CLOCKS = ("_seconds", "tokens_per_second", "peak_memory_bytes", "matrix_rate_share")
"""Ends of the names of costs that differ between any two runs."""


def given(kind: str, name: str, *words: str) -> list[str]:
    chosen = {word.split("=")[0]: word for word in [*WORDS, *KINDS[kind], *words, f"hydra.run.dir={{folder}}/{name}"]}
    return list(chosen.values())


BREAKING = """
import runpy, sys
sys.path.insert(0, {folder!r})
import broken
sys.argv[0] = {driver!r}
runpy.run_path({driver!r}, run_name="__main__")
"""


def drive(folder: Path, cases: list[dict], broken: str = "") -> dict[str, dict]:
    """Run the cases in the driver, which first runs the code ``broken``; returns exit statuses and outputs."""
    (folder / "cases.json").write_text(json.dumps(cases))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CTXLAB_CACHE": str(folder / "cache")}
    driver = str(Path(__file__).with_name("ranks_driver.py"))
    first = [driver]
    if broken:
        (folder / "broken.py").write_text(broken)
        first = ["-c", BREAKING.format(folder=str(folder), driver=driver)]
    command = [sys.executable, *first, str(folder), str(folder / "cases.json")]
    out = subprocess.run(command, capture_output=True, text=True, timeout=1500, env=environment, cwd=folder)
    assert out.returncode == 0, out.stderr[-3000:]
    return json.loads(out.stdout.strip().splitlines()[-1])


def rows(run: Path) -> list[dict]:
    """Logged points without clocks."""
    return [
        {key: value for key, value in row.items() if key not in ("seconds", "tokens_per_second")}
        for row in read_metrics(run / "metrics.jsonl")
    ]


def files(run: Path) -> dict[str, bytes]:
    """Predictions, sufficient statistics, and the result without clocks and the command itself."""
    result = json.loads((run / "result.json").read_text())
    result.pop("command")
    result.pop("git_sha")  # of where the user stands
    result["cost"] = {key: value for key, value in result["cost"].items() if not key.endswith(CLOCKS)}
    written = [path for name in ("predictions", "scores") for path in sorted((run / name).iterdir())]
    return {f"{path.parent.name}/{path.name}": path.read_bytes() for path in written} | {
        "result": json.dumps(result).encode()
    }


def weights(run: Path, step: int = 12) -> list[str]:
    checkpoint = run / "checkpoints" / f"step-{step:08d}"
    return [
        hashlib.sha256((checkpoint / name).read_bytes()).hexdigest()
        for name in ("model.safetensors", "optimizer.safetensors")
    ]


@pytest.mark.parametrize("kinds", [["chunk"], pytest.param(list(KINDS), marks=pytest.mark.faults, id="all kinds")])
def test_two_processes_are_one_run(kinds, tmp_path, promise):
    """Two lanes: the same bits on one process and on two. One lane: the same losses but for rounding."""
    cases = []
    for kind in kinds:
        name = kind.replace(" ", "-")
        cases += [
            {"name": f"{name}-alone", "size": 1, "words": given(kind, f"{name}-alone")},
            {"name": f"{name}-lanes", "size": 1, "words": given(kind, f"{name}-lanes", "trainer.lanes=2")},
            {"name": f"{name}-two", "size": 2, "words": given(kind, f"{name}-two")},
        ]
    found = drive(tmp_path, cases)
    for case, result in found.items():
        assert set(result["codes"]) == {0}, (case, result["log"])
    for kind in kinds:
        alone, lanes, two = (tmp_path / f"{kind.replace(' ', '-')}-{how}" for how in ("alone", "lanes", "two"))
        assert weights(two) == weights(lanes), kind
        assert rows(two) == rows(lanes), kind
        for one, other in zip(rows(alone), rows(two), strict=True):
            assert {key: other[key] for key in one if key in ("kind", "step", "tokens", "learning_rate")} == {
                key: one[key] for key in one if key in ("kind", "step", "tokens", "learning_rate")
            }
            if one["kind"] == "train":
                assert other["loss"] == pytest.approx(one["loss"], rel=2e-6), kind
        assert files(two) == files(lanes), kind
        assert (two / "report.md").is_file()
        assert len(list(two.glob("*.log"))) == 1
        assert found[f"{kind.replace(' ', '-')}-two"]["log"].count("documents:") == 1  # one screen
    if len(kinds) > 1:
        promise(
            "two processes are one run",
            f"{len(kinds)} runs (memories, a curriculum, few passes, unused weights) of 12 steps, each "
            "on one process, on one with two lanes, and on two",
            "two lanes: weights, optimizer, logged points and scores bit-identical; one lane: losses within 2e-6",
        )


BROKEN = """
from ctxlab.training.accumulation import Accumulation

whole = Accumulation._lane

def lane(self, groups, numbers, step):
    sums = whole(self, groups, numbers, step)
    if step == 5 and self.ranks.rank == 1:
        sums.loss = float("nan")
    return sums

Accumulation._lane = lane
"""


@pytest.mark.faults
def test_all_processes_stop_together_and_nothing_is_lost(tmp_path, promise):
    """SIGTERM to one of them, and one that is killed, at random moments: the rest is as in an uninterrupted run."""
    random = Random(7)
    strikes = {
        f"{number}-{rank}-{point}": [rank, number, random.randint(1, 10), random.uniform(0, 0.1)]
        for number, points in (("SIGTERM", 2), ("SIGKILL", 10))
        for rank in (0, 1)
        for point in range(points)
    }
    cases = [{"name": "whole", "size": 2, "words": given("chunk", "whole")}]
    for name, strike in strikes.items():
        cases.append({"name": name, "size": 2, "words": given("chunk", name), "strike": strike})
        resume = ["train", f"resume={{folder}}/{name}"]
        cases.append({"name": f"{name}-resumed", "run": name, "size": 2, "words": resume})
    found = drive(tmp_path, cases)
    expected = weights(tmp_path / "whole"), rows(tmp_path / "whole")
    for name, (rank, number, *_) in strikes.items():
        stopped = found[name]
        if number == "SIGTERM":
            assert stopped["codes"] == [143, 143], stopped["log"]
            assert stopped["log"].count("continue with `ctxlab train resume=") == 1
        else:
            assert stopped["codes"][rank] == -9
            assert stopped["codes"][1 - rank] == 1, stopped["log"]
        assert stopped["seconds"] < 30
        assert found[f"{name}-resumed"]["codes"] == [0, 0], found[f"{name}-resumed"]["log"]
        assert (weights(tmp_path / name), rows(tmp_path / name)) == expected, name
    promise(
        "a signal to one of several processes stops all of them, and `kill -9` of any loses only the steps since the "
        "last checkpoint",
        "two processes: SIGTERM to one (4 times), `kill -9` of one (10 times each) at random moments",
        "status 143 in both, and after `kill -9` 1 in the other; 24 of 24 continue and end bit-identical",
    )


@pytest.mark.faults
def test_runs_move_between_one_process_and_two(tmp_path, promise):
    resume = ["train", "resume={folder}/moved"]
    cases = [
        {"name": "whole", "size": 1, "words": given("chunk", "whole", "trainer.lanes=2")},
        {
            "name": "moved",
            "size": 1,
            "words": given("chunk", "moved", "trainer.lanes=2"),
            "strike": [0, "SIGTERM", 3, 0.0],
        },
        {"name": "on", "run": "moved", "size": 2, "words": resume, "strike": [1, "SIGTERM", 7, 0.0]},
        {"name": "back", "run": "moved", "size": 1, "words": resume},
    ]
    found = drive(tmp_path, cases)
    assert [result["codes"] for result in found.values()] == [[0], [143], [143, 143], [0]], found
    assert weights(tmp_path / "moved") == weights(tmp_path / "whole")
    promise(
        "a checkpoint does not depend on the number of processes",
        "a run with two lanes moved from one process to two and back",
        "bit-identical to the run on one",
    )


@pytest.mark.faults
def test_a_loss_that_is_no_number_in_one_process_ends_all(tmp_path):
    cases = [{"name": "broken", "size": 2, "words": given("chunk", "broken")}]
    result = drive(tmp_path, cases, BROKEN)["broken"]
    assert result["codes"] == [3, 3], result["log"]
    assert result["log"].count("The loss is nan at step 5 (documents ") == 1
    assert {row["step"] for row in rows(tmp_path / "broken")} == {1, 2, 3, 4, 5}


@pytest.mark.faults
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([[*WORDS, "seed=1"], [*WORDS, "seed=2"]], "were started with different command lines"),
        (["verify", "task=lm", "model=tiny_gpt2"], "ctxlab verify uses one"),
        ([*WORDS, "-m"], "use trainer.processes=2"),
        ([*WORDS, "trainer.processes=4"], "torchrun has started 2"),
        ([*WORDS, "trainer.lanes=3"], "trainer.lanes=3 cannot be dealt equally to 2 processes"),
        (["train", "task=ner", "model=tiny_bert", "tracking=none", "data.train_file=absent.jsonl"], "absent.jsonl"),
    ],
)
def test_what_cannot_be_one_run_is_refused_in_one_sentence(words, sentence, tmp_path):
    found = drive(tmp_path, [{"name": "refused", "size": 2, "words": words}])["refused"]
    assert found["codes"] == [2, 2], found["log"]
    assert found["log"].count(sentence) == 1
    assert "Traceback" not in found["log"]
    assert not (tmp_path / "outputs").exists()


@pytest.mark.faults
def test_a_run_starts_its_processes_itself(tmp_path):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CTXLAB_CACHE": str(tmp_path / "cache")}
    words = [word.format(folder=tmp_path) for word in given("chunk", "own", "trainer.processes=2")]
    out = subprocess.run(
        [sys.executable, "-m", "ctxlab", *words], capture_output=True, text=True, timeout=300, env=environment
    )
    assert out.returncode == 0, out.stderr[-3000:]
    drive(tmp_path, [{"name": "lanes", "size": 1, "words": given("chunk", "lanes", "trainer.lanes=2")}])
    assert (weights(tmp_path / "own"), rows(tmp_path / "own")) == (
        weights(tmp_path / "lanes"),
        rows(tmp_path / "lanes"),
    )
    words = [word.format(folder=tmp_path) for word in [*given("chunk", "no", "trainer.processes=2"), "task.labels=[A]"]]
    out = subprocess.run(
        [sys.executable, "-m", "ctxlab", *words], capture_output=True, text=True, timeout=300, env=environment
    )
    assert (out.returncode, (tmp_path / "no").exists()) == (2, False), out.stderr[-3000:]


@pytest.mark.faults
def test_torchrun_continues_after_a_killed_process(tmp_path, promise):
    """In the same directory, from the last whole checkpoint."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CTXLAB_CACHE": str(tmp_path / "cache")}
    starter = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--max-restarts=1"]
    found = drive(tmp_path, [{"name": "whole", "size": 2, "words": given("chunk", "whole")}])
    assert found["whole"]["codes"] == [0, 0]
    random = Random(3)
    for point in range(RESTARTS):
        run, log = tmp_path / str(point), tmp_path / f"{point}.log"
        words = [word.format(folder=tmp_path) for word in given("chunk", str(point))]
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*starter, "-m", "ctxlab", *words], stdout=output, stderr=output, env=environment
            )
            ranks_driver.wait_for(run, random.randint(1, 10))
            workers = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True)
            os.kill(int(random.choice(workers.stdout.split())), signal.SIGKILL)
            assert process.wait(timeout=300) == 0, log.read_text()
        assert (weights(run), rows(run)) == (weights(tmp_path / "whole"), rows(tmp_path / "whole")), log.read_text()
    promise(
        "torchrun --max-restarts continues a run after a process was killed",
        f"one of two processes killed at a random moment, {RESTARTS} times",
        f"{RESTARTS} of {RESTARTS} go on in the same directory from the last checkpoint and end bit-identical",
    )
