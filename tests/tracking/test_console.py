"""The remaining time shown to the user."""

import pytest

from ctxlab.tracking import console
from ctxlab.tracking.console import ProgressDisplay


def test_time_left_is_estimated_without_the_time_before_the_first_update(monkeypatch, capsys):
    clock = iter([0, 240, 240, 250, 250, 270, 270])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(clock))
    display = ProgressDisplay("train")
    for share in (0.1, 0.2, 0.4):
        display.update(share, line=True)
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert lines == ["train  10% · 4:00 spent", "train  20% · 1:20 left", "train  40% · 1:00 left"]


@pytest.mark.parametrize("shares", [(0.0, 1.0), (0.5, 0.5)])
def test_without_progress_or_at_the_end_it_shows_the_time_spent(shares, monkeypatch, capsys):
    clock = iter([0, 10, 10, 65, 65])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(clock))
    display = ProgressDisplay("eval")
    for share in shares:
        display.update(share, line=True)
    assert capsys.readouterr().out.splitlines()[-1].endswith("1:05 spent")


@pytest.mark.parametrize("columns", [80, 120])
def test_a_progress_line_fits_the_terminal_and_shows_all_its_facts(monkeypatch, columns):
    import io

    from rich.console import Console

    file = io.StringIO()
    monkeypatch.setattr(
        console, "console", lambda: Console(file=file, width=columns, force_terminal=True, color_system=None)
    )
    facts = "step 123456 loss 0.1234 · 12,345 tokens/s · 12.34 GiB"
    with ProgressDisplay("train") as display:
        display.update(0.25, facts)
    last = [line for line in file.getvalue().replace("\r", "\n").splitlines() if facts in line][-1]
    assert "train" in last
    assert "25%" in last
    assert len(last.split("\x1b")[0].rstrip()) <= columns
