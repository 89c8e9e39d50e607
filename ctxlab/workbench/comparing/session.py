"""A comparison from the check of its candidates to its concluding sentence."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from ctxlab.comparison import cells, plan
from ctxlab.comparison.candidate_results import CandidateResults, Failed, collect_results
from ctxlab.comparison.compare import Rules
from ctxlab.comparison.leaderboard import Leaderboard, leaderboard
from ctxlab.comparison.plan import Cell
from ctxlab.comparison.profile import Profile, profile
from ctxlab.config.schema import CompareOptions
from ctxlab.core.errors import CheckFailed, Interrupted, UserError
from ctxlab.core.files import write_json
from ctxlab.core.result import Result
from ctxlab.tracking.console import ProgressDisplay, console
from ctxlab.workbench.comparing import display, page, running
from ctxlab.workbench.comparing.budget import Budget
from ctxlab.workbench.comparing.candidate_checks import CheckedCandidate, check
from ctxlab.workbench.comparing.candidates import ComparisonCommand, candidates
from ctxlab.workbench.comparing.corpus import Corpus
from ctxlab.workbench.comparing.limit import check_limit, parse_bytes
from ctxlab.workbench.parts import Origin, Parts

COMMAND = "command.json"
"""File with the command, in the run directory of a comparison."""

FOLDS = 4
"""Number of folds if the data has no test split and a checkpoint or learning rate is selected."""


@dataclass(eq=False)
class Session:
    """The state of a comparison."""

    parts: Parts
    options: CompareOptions
    budget: Budget
    checked: list[CheckedCandidate]
    profile: Profile
    baseline: str
    """Key of the baseline candidate."""
    made: running.Cells
    progress: running.Progress
    memory_bytes: int | None
    command: Sequence[str]
    """Command that started the comparison."""
    over_limit: dict[str, str] = field(default_factory=dict)
    """Key of a candidate → why it was dropped."""

    @property
    def seeds(self) -> int:
        """Number of seeds of each candidate."""
        return self.options.seeds


def prepare(parts: Parts) -> Session:
    """Check every candidate before anything runs.

    Raises:
        UserError: The comparison cannot be run as configured.
    """
    options: CompareOptions = parts.options
    budget = Budget.of(options.budget, options.trials)
    memory_bytes = parse_bytes(options.limit.memory)
    asked = ComparisonCommand.of(options)
    every = candidates(asked, parts.origin.run_dir)
    _check_names([one.key for one in every])
    with ProgressDisplay("check candidates") as shown:
        looked = iter(range(1, len(every) + 1))
        found, corpus = check(every, lambda: shown.update((number := next(looked)) / len(every), f"{number}"))
    budget.check(found)
    check_limit(options.limit.memory, memory_bytes, found)
    runs = {one.candidate.key: one.candidate for one in found if one.runs}
    baseline = plan.baseline(options.baseline, list(runs))
    seeds = [parts.seed + number for number in range(options.seeds)]
    made = running.Cells(
        folder=parts.origin.run_dir,
        asked=asked,
        candidates=runs,
        plan=plan.cells(list(runs), seeds, options.trials),
        budget=budget,
        num_folds=_num_folds(parts, options, corpus),
        first_seed=parts.seed,
        num_threads=torch.get_num_threads(),
    )
    tokens = corpus.num_scored_tokens()
    seconds = {one.candidate.key: budget.seconds(one.work, tokens) for one in found if one.work is not None}
    contexts = sorted({one.candidate.parts.length for one in found if one.candidate.parts is not None})
    return Session(
        command=_command(parts.origin),
        parts=parts,
        options=options,
        budget=budget,
        checked=found,
        profile=profile(corpus.documents, contexts, corpus.outside),
        baseline=baseline,
        made=made,
        progress=running.Progress(seconds),
        memory_bytes=memory_bytes,
    )


def _command(origin: Origin) -> Sequence[str]:
    """Return the command that started the comparison; saved so that a resumed one has it too."""
    path = origin.run_dir / COMMAND
    if not path.is_file():
        write_json(path, {"command": list(origin.command)})
    words: list[str] = json.loads(path.read_text(encoding="utf-8"))["command"]
    return words


def _check_names(keys: Sequence[str]) -> None:
    for key in keys:
        if keys.count(key) > 1:
            raise UserError(f"Two candidates are called {key}: give each value once.")


def _num_folds(parts: Parts, options: CompareOptions, corpus: Corpus) -> int | None:
    """Return the number of folds of the scored documents; None if the reported split is not used for selection."""
    if parts.hold_out is not None:
        return parts.hold_out.num_folds
    chooses = options.trials > 1 or parts.trainer.eval_every_steps is not None
    num = len(corpus.by_split["validation"])
    if not num and not corpus.by_split["test"]:
        raise UserError("There are no documents to score: give data.validation_file=<file> or data.test_file=<file>.")
    if not chooses or corpus.by_split["test"]:
        return None
    if num < 2:
        raise UserError("One document cannot be used both for selection and for the score: give data.test_file=<file>.")
    return min(FOLDS, num)


def announce(session: Session) -> None:
    """Print the lengths of the documents, the candidates that run, and the estimated time."""
    display.announce(session.profile, session.checked, session.budget, session.made, session.progress)


def train(session: Session) -> None:
    """Run every missing cell.

    Raises:
        Interrupted: A signal was received; the message says how to continue.
    """
    with display.Display(session.made) as shown:
        try:
            running.run(session.made, session.progress, shown.update, lambda cell, result: _skip(session, cell, result))
        except Interrupted as stop:
            raise running.interrupted(stop, session.made, session.progress) from stop


def _skip(session: Session, cell: Cell, result: Result | None) -> bool:
    """Return whether the candidate is known to exceed the memory limit."""
    peak, limit = result.cost.peak_memory_bytes if result else None, session.memory_bytes
    if limit is not None and peak is not None and peak > limit:
        session.over_limit[cell.candidate] = (
            f"needs {peak / 2**20:,.0f} MiB, more than limit.memory={session.options.limit.memory}: use a shorter "
            "context, trainer.tokens_per_forward or trainer.activation_checkpointing=true"
        )
    return cell.candidate in session.over_limit


def conclude(session: Session) -> None:
    """Compare the completed candidates, write the result, and print it with the concluding sentence last.

    Raises:
        CheckFailed: A cell failed.
    """
    keys = [key for key in session.made.candidates if key not in session.over_limit]
    titles = {key: session.made.candidates[key].title for key in keys}
    found = [collect_results(session.made.folder, key, titles[key], session.made.plan) for key in keys]
    ran = [one for one in found if isinstance(one, CandidateResults)]
    failed = [one for one in found if isinstance(one, Failed)]
    rules = Rules(margin=session.options.margin)
    is_equal_time = session.budget.is_time
    board: Leaderboard | None = None
    if ran:
        baseline = session.baseline if session.baseline in {one.key for one in ran} else ran[0].key
        board = leaderboard(ran, baseline, rules, is_equal_time=is_equal_time)
    answer = page.Answer(
        task=session.parts.task.name,
        model=session.parts.model.name,
        command=session.command,
        budget=session.budget.sentence,
        seeds=[session.parts.seed + number for number in range(session.seeds)],
        margin=session.options.margin,
        profile=session.profile,
        board=board,
        refused={one.candidate.title: one.refused for one in session.checked if one.refused}
        | {session.made.candidates[key].title: why for key, why in session.over_limit.items()},
        same={one.candidate.title: one.same_as for one in session.checked if one.same_as},
        failed={one.title: one.sentence for one in failed},
        notes=_notes(session, ran),
    )
    page.write(session.made.folder, answer)
    page.show(console(), answer, session.made.folder)
    if failed:
        names = ", ".join(one.title for one in failed)
        raise CheckFailed(
            f"Cells of {names} failed; the others were compared. Fix the cause and continue with "
            f"`ctxlab compare resume={session.made.folder}`."
        )


def _notes(session: Session, ran: Sequence[CandidateResults]) -> list[str]:
    """Return notes on cells that were slowed down by other processes."""
    notes = []
    for one in ran:
        for result, folder in zip(one.results, one.folders, strict=True):
            share = cells.cpu_share(result)
            if session.budget.is_time and share is not None and share < cells.LOW_SHARE:
                notes.append(
                    f"{folder.name} got {share:.0%} of its threads' CPU time during training, even when repeated: "
                    "other processes took the rest, so that it did less work than on a quiet machine."
                )
    return notes
