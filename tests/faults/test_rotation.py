"""Whatever happens to saves, the best and the newest whole checkpoint stay."""

import contextlib
import random
from types import SimpleNamespace

import pytest
import torch

from ctxlab.core.errors import UserError
from ctxlab.core.folders import fault
from ctxlab.training import checkpoint, saving
from ctxlab.training.state import TrainState

PLACES = ("write", "latest", "best", "rotate")
"""Where a sequence of saves may be interrupted."""


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def moment(monkeypatch):
    """What happens to the next save: where it fails, whether as a full disk or as a kill, and the draw of its files."""
    now = SimpleNamespace(fails_at=None, is_full=False, draw=random.Random(0))
    write_pointer, rotate = checkpoint.write_pointer, checkpoint.rotate

    def write(folder, *_, gathered):
        assert gathered is None
        (folder / "weights").write_bytes(now.draw.randbytes(20))
        if now.fails_at == "write":
            raise OSError("No space left on device") if now.is_full else Killed
        (folder / "state").write_bytes(now.draw.randbytes(20))

    def point(folder, pointer, *rest, **facts):
        if now.fails_at == pointer:
            raise Killed
        write_pointer(folder, pointer, *rest, **facts)

    def remove(*given):
        if now.fails_at == "rotate":
            raise Killed
        rotate(*given)

    monkeypatch.setattr(saving, "_write", write)
    monkeypatch.setattr(checkpoint, "write_pointer", point)
    monkeypatch.setattr(checkpoint, "rotate", remove)
    return now


@pytest.mark.parametrize("sequences", [40, pytest.param(1000, marks=pytest.mark.faults)])
def test_random_sequences_of_saves_scores_and_failures(sequences, tmp_path, moment, promise):
    for number in range(sequences):
        draw, run = random.Random(number), tmp_path / str(number)
        run.mkdir()
        kept = draw.randint(1, 3)
        job = SimpleNamespace(
            model=torch.nn.Linear(1, 1),
            peak_bytes=lambda: 0,
            run_dir=run,
            settings=SimpleNamespace(keep_checkpoints=kept),
        )
        state, whole = TrainState(), []
        for step in range(1, 9):
            state.step, moment.draw = step, draw
            if draw.random() < 0.3:
                state.best_step, state.best_metric = step, draw.random()
            moment.fails_at = draw.choice(PLACES) if draw.random() < 0.3 else None
            moment.is_full = draw.random() < 0.5
            with contextlib.suppress(UserError, Killed):
                saving.save(job, state, None)
            if moment.fails_at != "write":
                whole.append(step)
            elif state.best_step == step:
                state.best_step = None  # as in a run that is resumed from the checkpoint before
            check(run, whole, most=kept + 1 if moment.fails_at is None else None)
    if sequences >= 1000:
        promise(
            "rotation keeps the best and the newest whole checkpoint",
            f"{sequences:,} random sequences of saves, scores, full disks and kills",
            "both there after each of them",
        )


def check(run, whole, most):
    names = checkpoint.names(run)
    assert all(fault(run / checkpoint.FOLDER / name) is None for name in names)
    assert not list((run / checkpoint.FOLDER).glob(".saving-*"))
    newest = checkpoint.latest_valid(run)
    assert (newest.name if newest else None) == (checkpoint.step_name(whole[-1]) if whole else None)
    best = checkpoint.read_pointer(run, "best")
    assert best is None or best in names
    assert most is None or len(names) <= most  # the newest, and the best
