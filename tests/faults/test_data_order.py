"""A run that is stopped or killed goes on with exactly the windows that come next: none twice, none left out."""

from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.training.runs import Job, make_job

OPTIONS = (
    "data.documents=12", "data.words_per_document=160", "trainer.tokens_per_step=256", "trainer.max_epochs=3",
    "trainer.save_every_steps=4", "trainer.log_every_steps=5",
)  # fmt: skip

ACCUMULATION = {1: "trainer.tokens_per_forward=8192", 4: "trainer.tokens_per_forward=64"}
"""Forward passes of a step, about → the option that makes them."""

Seen = list[tuple[int, int, int, str, int, int]]
"""Epoch, step, forward pass of the step, document, and first and last token of the window, in the order of reading."""


class Killed(BaseException):
    """The process ends here, without another save."""


def observed(job: Job, kill_after: int | None = None) -> Seen:
    """Run the job, and return all that its training passes read, seen where they are run rather than planned."""
    seen: Seen = []
    run, step = job.trainer.accumulation.passes.run, job.watching.step
    passes: Counter[int] = Counter()

    def seeing(items: Any) -> Any:
        state = job.state
        for item in items:
            name = job.trainer.job.document_ids[item.document]
            for window in item.windows:
                tokens = [int(index) for index in window.token_index if index >= 0]
                seen.append((state.epoch, state.step, passes[state.step], name, tokens[0], tokens[-1]))
        passes[state.step] += 1
        return run(items)

    def killing(progress: float, state: Any) -> None:
        step(progress, state)
        if state.step == kill_after:
            raise Killed

    job.trainer.accumulation.passes.run = seeing  # type: ignore[method-assign]
    job.watching.step = killing  # type: ignore[method-assign]
    try:
        job.run()
    except Killed:
        assert kill_after is not None
    return seen


def interrupted(folder: Path, options: tuple[str, ...], after: int, *, killed: bool) -> tuple[Seen, Seen, int]:
    """Return what was read before and after an interruption, and the step from which it went on."""
    first = make_job(folder, *options, stop_after=None if killed else after)
    before = observed(first, kill_after=after if killed else None)
    second = make_job(folder, *options, resume=True)
    begin = second.state.step
    return before, observed(second), begin


@pytest.fixture(scope="module")
def wholes(tmp_path_factory):
    """What a run without interruption read, by accumulation."""
    folder = tmp_path_factory.mktemp("wholes")

    @cache
    def whole(accumulation):
        return observed(make_job(folder / str(accumulation), *OPTIONS, ACCUMULATION[accumulation]))

    return whole


@pytest.mark.faults
@pytest.mark.parametrize("points", [2, 30])
@pytest.mark.parametrize("accumulation", ACCUMULATION)
def test_every_window_is_read_once_and_in_order(points, accumulation, wholes, tmp_path, promise):
    options, whole = (*OPTIONS, ACCUMULATION[accumulation]), wholes(accumulation)
    steps = whole[-1][1] + 1
    check_epochs(whole)
    assert steps > points
    most_passes = max(Counter(step for step, _ in {(row[1], row[2]) for row in whole}).values())
    assert (most_passes == 1) if accumulation == 1 else (most_passes >= 4)
    for number in range(points):
        after, killed = 1 + number * (steps - 1) // points, number % 2 == 0
        before, rest, begin = interrupted(tmp_path / str(number), options, after, killed=killed)
        assert begin == (after // 4 * 4 if killed else after)  # a killed run goes on from its last save
        assert before == [row for row in whole if row[1] < after]
        assert rest == [row for row in whole if row[1] >= begin]
    if points >= 30:
        promise(
            f"a resumed run reads what comes next, {accumulation} forward pass{'es' * (accumulation > 1)} a step",
            f"{points} points over epochs 0 to 2, half of them kills and half signals; {len(whole):,} windows are "
            "compared by document and place, as the model reads them",
            f"the same order as without interruption at {points} of {points}",
        )


def check_epochs(whole: Seen) -> None:
    """Every epoch reads the same windows once, in an order of its own."""
    epochs = [[row[3:] for row in whole if row[0] == epoch] for epoch in range(3)]
    assert {row[0] for row in whole} == {0, 1, 2}
    assert all(len(set(rows)) == len(rows) for rows in epochs)
    assert set(epochs[0]) == set(epochs[1]) == set(epochs[2])
    assert epochs[0] != epochs[1] != epochs[2]


@pytest.mark.slow
def test_accumulation_does_not_change_what_a_step_reads(wholes):
    of_steps = [sorted((row[1], *row[3:]) for row in wholes(number)) for number in ACCUMULATION]
    assert of_steps[0] == of_steps[1]
