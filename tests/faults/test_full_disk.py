"""A full disk costs nothing: the run says so in one sentence, keeps its checkpoints, and continues with more space."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from ctxlab.core.errors import UserError
from ctxlab.optim.optimizers.adafactor import Adafactor
from ctxlab.optim.optimizers.adamw import Adamw
from ctxlab.optim.optimizers.sgd import Sgd
from ctxlab.optim.state_size import state_bytes
from ctxlab.planning.disk import num_at_once, num_saves
from ctxlab.training import checkpoint
from ctxlab.workbench import disk
from tests.training.runs import make_job

MODULE = "tests.faults.full_disk_driver"
ROOT = Path(__file__).parents[2]


def mounting(place: Path) -> list[str]:
    """Return the words before a command that give it a disk of 512 MiB at ``place``; none where that is not allowed.

    The disk is in memory, in a namespace of the command alone, and goes with it.
    """
    words = ["unshare", "-rm", "sh", "-c", f'mount -t tmpfs -o size=512m none "{place}" && exec "$@"', "sh"]
    works = shutil.which("unshare") and subprocess.run([*words, "true"], capture_output=True).returncode == 0
    return words if works else []


def drive(folder: Path, count: int) -> dict:
    """Run the driver, and return the facts that it prints."""
    place, logs = folder / "disk", folder / "logs"
    place.mkdir()
    logs.mkdir()
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CTXLAB_CACHE": str(folder / "cache")}
    command = [*mounting(place), sys.executable, "-m", MODULE, str(place), str(logs), str(count)]
    out = subprocess.run(command, capture_output=True, text=True, timeout=900, env=environment, cwd=ROOT)
    assert out.returncode == 0, out.stderr[-3000:]
    facts = json.loads(out.stdout.strip().splitlines()[-1])
    assert facts["undisturbed"] == 0, (logs / "log.txt").read_text()[-3000:]
    return facts


@pytest.mark.faults
@pytest.mark.parametrize("count", [3, 20])
def test_a_full_disk_costs_nothing(count, tmp_path, promise):
    facts = drive(tmp_path, count)
    full = [run for run in facts["runs"] if run["code"] != 0]
    assert len(full) >= count * 4 // 5  # a late one may find the space it needs
    for run in full:
        assert run["code"] == 2, run
        assert run["said"].count("\n") == 1, run  # one line, and no traceback
        reason = "No space left on device" if facts["mounted"] else "File too large"
        assert all(words in run["said"] for words in (reason, "free some space", "ctxlab train resume=")), run
        assert run["whole"] == run["all"], run  # nothing half written is left
        assert run["whole"] or run["saves"] == 0, run
    for run in facts["runs"]:
        assert run["equal"], run
    if count >= 20:
        where = "a disk of its own in memory" if facts["mounted"] else "a limit on the size of files"
        promise(
            "a full disk costs nothing",
            f"{len(full)} moments at which the disk is full while a run trains, saves and writes its outputs ({where})",
            "one sentence and status 2, all checkpoints whole; with more space all continue and end bit-identical",
        )


PROMISED = "checkpoints that cannot fit the disk are refused before training"


@pytest.mark.by_default(2)
@pytest.mark.parametrize(
    ("options", "most"),
    [
        (("trainer.max_steps=6", "trainer.keep_checkpoints=1"), 2),
        (("trainer.max_steps=6", "trainer.keep_checkpoints=2"), 3),
        (("trainer.max_steps=8", "trainer.keep_checkpoints=2", "trainer.eval_every_steps=3"), 4),
        (("trainer.max_steps=1", "trainer.keep_checkpoints=4"), 1),
        (("trainer.max_steps=6", "trainer.keep_checkpoints=2", "optimizer=sgd", "optimizer.lr=0.1"), 3),
        (("trainer.max_steps=6", "trainer.keep_checkpoints=2", "tuning=top_k"), 3),
        (("trainer.max_steps=6", "trainer.keep_checkpoints=2", "tuning=lora", "tuning.rank=4"), 3),
    ],
)
def test_the_space_that_is_asked_for_is_the_space_that_is_taken(options, most, tmp_path, monkeypatch):
    """The oracle is a run: the most checkpoints that were there at one time, and the size of their files."""
    run, seen = tmp_path / "run", []
    job = make_job(run, "trainer.save_every_steps=1", *options)
    asked = refused_at(job, run, monkeypatch, free_bytes=0)
    rotate = checkpoint.rotate

    def seeing(*given):
        seen.append(len(list((run / "checkpoints").iterdir())))
        rotate(*given)

    monkeypatch.setattr(checkpoint, "rotate", seeing)
    job.run()
    folder = sorted((run / "checkpoints").iterdir())[-1]
    each = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    if "trainer.eval_every_steps=3" not in options:  # whether the best is an old one depends on the scores
        assert max(seen) == most
    assert asked == pytest.approx(most * each, rel=0.03)  # the files have headers
    assert refused_at(job, run, monkeypatch, free_bytes=10**12) is None


def refused_at(job, run, monkeypatch, free_bytes):
    """Return how many bytes the run is refused for with this much free space; None if it is not refused."""
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda path: SimpleNamespace(free=free_bytes))
    asked = []
    monkeypatch.setattr(disk, "_size", lambda number: asked.append(number) or f"<{number}>")
    with contextlib.suppress(UserError):
        disk.check_space(job.parts, job.trainer, job.state)
    return asked[0] if asked else None


def test_a_resumed_run_needs_space_only_for_what_it_adds(tmp_path, monkeypatch):
    options = ("trainer.save_every_steps=1", "trainer.max_steps=9", "trainer.keep_checkpoints=2")
    make_job(tmp_path / "run", *options, stop_after=3).run()
    job = make_job(tmp_path / "run", *options, resume=True)
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda path: SimpleNamespace(free=0))
    with pytest.raises(UserError, match=r"move .*run to another disk"):
        disk.check_space(job.parts, job.trainer, job.state)
    each = sum(p.nbytes for p in job.bench.model.parameters()) * 3  # adamw's two moments, but buffers and step counts
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda path: SimpleNamespace(free=int(each * 1.05)))
    disk.check_space(job.parts, job.trainer, job.state)  # two of the three are there


@pytest.mark.parametrize(("save", "evaluate"), [(1, None), (3, None), (4, 6), (2, 5), (5, 5), (100, 7)])
def test_saves_are_counted_as_the_loop_saves(save, evaluate):
    for steps in range(1, 40):
        asked = (step for step in range(1, steps) if step % save == 0 or (evaluate and step % evaluate == 0))
        due = [*asked, steps]
        assert num_saves(steps, save, evaluate) == len(due)
        assert num_at_once(3, len(due), has_best=False) == min(len(due), 4)


FACTORIES = [
    Adamw(lr=0.1, weight_decay=0.1, betas=(0.9, 0.99), eps=1e-8),
    Sgd(lr=0.1, weight_decay=0.0, momentum=0.9, nesterov=False),
    Sgd(lr=0.1, weight_decay=0.0, momentum=0.0, nesterov=False),
    Adafactor(lr=0.1, weight_decay=0.0, beta2_decay=-0.8, clip_threshold=1.0),
]


@pytest.mark.parametrize("factory", FACTORIES, ids=lambda factory: f"{type(factory).__name__}")
def test_states_are_as_large_as_after_a_step(factory):
    model = torch.nn.Sequential(torch.nn.Linear(30, 70), torch.nn.LayerNorm(70), torch.nn.Linear(70, 30))
    model[0].bias.requires_grad = False
    optimizer = factory.build([{"params": [p for p in model.parameters() if p.requires_grad], "weight_decay": 0.0}])
    model(torch.ones(2, 30)).sum().backward()
    optimizer.step()
    kept = sum(v.nbytes for state in optimizer.state.values() for v in state.values() if torch.is_tensor(v))
    assert state_bytes(factory, model) == kept


@pytest.mark.faults
def test_a_run_that_cannot_fit_is_refused_within_two_seconds(tmp_path, promise):
    """Of a model of 134 million parameters, on a disk of 512 MiB; the seconds are those of the check alone."""
    from transformers import AutoModelForTokenClassification, LlamaConfig

    config = LlamaConfig(hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9,
                         num_key_value_heads=3, vocab_size=49152, num_labels=3)  # fmt: skip
    model = AutoModelForTokenClassification.from_config(config)
    job = make_job(tmp_path / "run", "trainer.max_steps=500", "trainer.save_every_steps=100")
    job.trainer.job = replace(job.trainer.job, model=model)
    parameters = sum(p.numel() for p in model.parameters())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(disk.shutil, "disk_usage", lambda path: SimpleNamespace(free=512 * 2**20))
        started = time.monotonic()
        with pytest.raises(UserError, match=r"512\.0 MiB free") as refused:
            disk.check_space(job.parts, job.trainer, job.state)
        seconds = time.monotonic() - started
    assert seconds < 2, seconds
    needed = 3 * 3 * 4 * parameters / 2**30
    assert f"{needed:,.2f} GiB" in str(refused.value)
    promise(
        PROMISED,
        f"a model of {parameters / 1e6:.0f} million parameters and a disk with 512 MiB free",
        f"refused after {seconds:.1f} s, with the {needed:.1f} GiB that are needed; sizes agree with the files to 3 %",
    )
