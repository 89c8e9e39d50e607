"""What the display and the tracker receive from a run."""

from types import SimpleNamespace

from ctxlab.training.state import TrainState
from ctxlab.workbench.watch import TrainingWatcher


class Recorder:
    def __init__(self):
        self.logged = []

    def log(self, figures, step):
        self.logged.append((figures, step))


def test_figures_go_to_the_tracker_by_kind_and_to_the_screen(capsys):
    recorder = Recorder()
    with TrainingWatcher(recorder, SimpleNamespace(peak_bytes=lambda: 3 * 2**30)) as watcher:
        watcher.row({"kind": "train", "step": 2, "loss": 0.5, "tokens_per_second": 1000.0})
        watcher.step(0.5, TrainState(step=2))
        watcher.row({"kind": "validation", "step": 2, "f1": 0.25})
    assert recorder.logged == [
        ({"train/loss": 0.5, "train/tokens_per_second": 1000.0, "train/peak_memory_bytes": 3.0 * 2**30}, 2),
        ({"validation/f1": 0.25}, 2),
    ]
    assert "f1 0.2500" in capsys.readouterr().out
