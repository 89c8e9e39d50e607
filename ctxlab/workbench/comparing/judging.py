"""The conclusion of a comparison after its cells have run: verdicts and notes, written and printed."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from ctxlab.comparison import cells
from ctxlab.comparison.candidate_results import CandidateResults, Failed, collect_results
from ctxlab.comparison.compare import Rules
from ctxlab.comparison.leaderboard import Leaderboard, leaderboard
from ctxlab.comparison.plan import learning_rate
from ctxlab.core.errors import CheckFailed, UserError
from ctxlab.core.result import Result
from ctxlab.reporting.groups import Group, compared
from ctxlab.reporting.run_directories import RunDirectory, read_run
from ctxlab.tracking.console import console
from ctxlab.workbench.comparing import page
from ctxlab.workbench.comparing.session import Session
from ctxlab.workbench.fit import training_notes
from ctxlab.workbench.reporting.session import log_report


def conclude(session: Session) -> None:
    """Judge the available results, write them, and print them with the concluding sentence last.

    Raises:
        CheckFailed: A cell failed.
    """
    plan = session.plan
    titles = {key: one.title for key, one in plan.candidates.items() if key not in session.over_limit}
    found = [collect_results(plan.folder, key, title, plan.cells) for key, title in titles.items()]
    completed = [one for one in found if isinstance(one, CandidateResults)]
    failed = [one for one in found if isinstance(one, Failed)]
    answer = _answer(session, completed, failed)
    written = page.write(plan.folder, answer)
    log_report(session.parts.tracker, plan.folder, written, session.parts.origin.config)
    page.show(console(), answer, plan.folder)
    if failed:
        names = ", ".join(one.title for one in failed)
        raise CheckFailed(
            f"Cells of {names} failed; the others were compared. Fix the cause and continue with "
            f"`ctxlab compare resume={plan.folder}`."
        )


def _answer(session: Session, completed: Sequence[CandidateResults], failed: Sequence[Failed]) -> page.Answer:
    plan, margin = session.plan, session.options.margin
    baseline = _baseline(session, completed)
    board, why = _board(session, completed, baseline)
    refused = {one.candidate.title: one.refused for one in session.checked if one.refused}
    over = {plan.candidates[key].title: why for key, why in session.over_limit.items()}
    return page.Answer(
        task=session.parts.task.name,
        model=session.parts.model.name,
        command=session.command,
        budget=plan.budget.sentence,
        seeds=session.seeds,
        margin=margin,
        profile=session.profile,
        board=board,
        group=_group(session, board),
        refused=refused | over,
        same={one.candidate.title: one.same_as for one in session.checked if one.same_as},
        failed={one.title: one.sentence for one in failed},
        notes=[
            *why,
            *_stand_in(session, baseline),
            *_waited(session, completed),
            *_chosen(session, completed),
            *_read_in_full(session, completed),
            *_of_all(completed),
        ],
    )


def _board(
    session: Session, completed: Sequence[CandidateResults], baseline: str
) -> tuple[Leaderboard | None, list[str]]:
    """Return the leaderboard, or None and the reason."""
    if not completed:
        return None, []
    rules, is_equal_time = Rules(margin=session.options.margin), session.plan.budget.is_time
    try:
        return leaderboard(completed, baseline, rules, is_equal_time=is_equal_time), []
    except ValueError as error:  # a figure that some documents do not define
        return None, [f"The candidates cannot be compared: {error}."]


def _group(session: Session, board: Leaderboard | None) -> Group | None:
    """Return the candidates with their runs, for tables and plots; None without a leaderboard."""
    if board is None:
        return None
    read = {
        folder: _run(folder, result)
        for entry in board.entries
        for folder, result in zip(entry.candidate.folders, entry.candidate.results, strict=True)
    }
    return compared(board, session.parts.task.name, read)


def _run(folder: Path, result: Result) -> RunDirectory:
    """Return a cell with its settings, or without them if they are damaged: its scores still count."""
    try:
        return read_run(folder)
    except UserError:
        return RunDirectory(folder, result, {})


def _baseline(session: Session, completed: Sequence[CandidateResults]) -> str:
    """Return the key of the baseline, or of the first complete candidate if the baseline is incomplete."""
    keys = [one.key for one in completed]
    return session.baseline if session.baseline in keys or not keys else keys[0]


def _stand_in(session: Session, baseline: str) -> Iterator[str]:
    if baseline != session.baseline:
        titles = {key: one.title for key, one in session.plan.candidates.items()}
        yield (f"The baseline {titles[session.baseline]} could not be compared; {titles[baseline]} stands in for it.")


def _waited(session: Session, completed: Sequence[CandidateResults]) -> Iterator[str]:
    """Yield a sentence on cells that other processes slowed down, with a budget of training time."""
    if not session.plan.budget.is_time:
        return
    shares = {
        folder.name: share
        for one in completed
        for result, folder in zip(one.results, one.folders, strict=True)
        if (share := cells.cpu_share(result)) is not None and share < cells.LOW_SHARE
    }
    if shares:
        named = ", ".join(f"{name} ({share:.0%})" for name, share in shares.items())
        yield (
            "Other processes slowed down the training of these cells, even when they were repeated, so that they did "
            f"less work in their budget of time: they had {named} of their threads' time."
        )


def _chosen(session: Session, completed: Sequence[CandidateResults]) -> Iterator[str]:
    """Yield the learning rates with the best scores on the selection documents."""
    if session.options.trials == 1:
        return
    by_name = {cell.name: cell for cell in session.plan.cells}
    for one in completed:
        parts = session.plan.candidates[one.key].parts
        assert parts is not None
        rates = [learning_rate(parts.optimizer.lr, by_name[folder.name].trial) for folder in one.folders]
        yield f"{one.title}: learning rate {', '.join(f'{rate:g}' for rate in rates)} chosen for its seeds in order."


def _read_in_full(session: Session, completed: Sequence[CandidateResults]) -> Iterator[str]:
    """Yield a sentence on each candidate that is trained with another attention than it is evaluated with."""
    for one in completed:
        parts = session.plan.candidates[one.key].parts
        assert parts is not None
        for note in training_notes(parts.strategy):
            yield f"{one.title}: {note}"


def _of_all(completed: Sequence[CandidateResults]) -> list[str]:
    """Return the notes on documents and training that all cells have in common."""
    every = [result.notes for one in completed for result in one.results]
    return [note for note in dict.fromkeys(every[0] if every else ()) if all(note in notes for notes in every)]
