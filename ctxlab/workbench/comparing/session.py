"""A comparison: its preparation, and running its cells."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from ctxlab.comparison import plan
from ctxlab.comparison.plan import Cell
from ctxlab.comparison.profile import Profile, profile
from ctxlab.config.keys.comparing import CompareOptions
from ctxlab.core.errors import Interrupted, UserError
from ctxlab.core.files import write_json
from ctxlab.core.result import Result
from ctxlab.tracking.console import ProgressDisplay
from ctxlab.workbench.candidates import Candidate, CandidatesCommand, candidates
from ctxlab.workbench.comparing import display, running
from ctxlab.workbench.comparing.budget import Budget
from ctxlab.workbench.comparing.candidate_checks import CheckedCandidate, check
from ctxlab.workbench.comparing.limit import within_limit
from ctxlab.workbench.corpus import Corpus
from ctxlab.workbench.memory_limit import parse_bytes
from ctxlab.workbench.parts import Origin, Parts

COMMAND = "command.json"
"""File with the command, in the run directory of a comparison."""

FOLDS = 4
"""Number of folds if the data has no test split and a checkpoint or learning rate is selected."""


@dataclass(eq=False)
class Session:
    """The state of a comparison."""

    command: Sequence[str]
    """The command that started the comparison."""
    parts: Parts
    options: CompareOptions
    seeds: Sequence[int]
    checked: Sequence[CheckedCandidate]
    profile: Profile
    baseline: str
    """Key of the baseline candidate."""
    plan: running.CellPlan
    progress: running.Progress
    memory_bytes: int | None
    """Memory that no cell may exceed."""
    over_limit: dict[str, str] = field(default_factory=dict)
    """Key of a candidate → why it was dropped."""


def prepare(parts: Parts) -> Session:
    """Check every candidate before anything runs.

    Raises:
        UserError: The comparison cannot be run as configured.
    """
    options: CompareOptions = parts.options
    budget, memory_bytes = Budget.of(options.budget, options.trials), parse_bytes(options.limit.memory)
    command = CandidatesCommand.of(options)
    checked, corpus = _check(candidates(command, parts.origin.run_dir))
    budget.check(checked)
    checked = within_limit(options.limit.memory, memory_bytes, checked)
    runs = {one.candidate.key: one.candidate for one in checked if one.runs}
    baseline = plan.baseline(_named(options.baseline, checked), list(runs))
    seeds = [parts.seed + number for number in range(options.seeds)]
    cell_plan = running.CellPlan(
        folder=parts.origin.run_dir,
        command=command,
        candidates=runs,
        cells=plan.cells(list(runs), seeds, options.trials),
        budget=budget,
        num_folds=_num_folds(parts, options, corpus),
        first_seed=parts.seed,
        num_threads=torch.get_num_threads(),
    )
    return Session(
        command=_command(parts.origin),
        parts=parts,
        options=options,
        seeds=seeds,
        checked=checked,
        profile=_profile(checked, corpus),
        baseline=baseline,
        plan=cell_plan,
        progress=running.Progress(_seconds(checked, budget, corpus)),
        memory_bytes=memory_bytes,
    )


def _check(found: Sequence[Candidate]) -> tuple[list[CheckedCandidate], Corpus]:
    """Check every candidate, with a progress display; refuse two of one name."""
    keys = [one.key for one in found]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice is not None:
        raise UserError(f"Two candidates are called {twice}: give each value once.")
    num_done = 0
    with ProgressDisplay("check candidates") as shown:

        def done() -> None:
            nonlocal num_done
            num_done += 1
            shown.update(num_done / len(found), f"{num_done} of {len(found)}")

        return check(found, done)


def _named(baseline: str | None, checked: Sequence[CheckedCandidate]) -> str | None:
    """Return the key of the baseline, or of the same computation under another key; UserError if it is refused."""
    keys = {one.candidate.title: one.candidate.key for one in checked}
    for one in checked:
        if one.candidate.key == baseline and one.refused:
            raise UserError(f"baseline={baseline} is not applicable: {one.refused}")
        if one.candidate.key == baseline and one.same_as:
            return keys[one.same_as]
    return baseline


def _profile(checked: Sequence[CheckedCandidate], corpus: Corpus) -> Profile:
    lengths = {one.candidate.parts.length for one in checked if one.candidate.parts is not None}
    return profile(corpus.documents, sorted(lengths), corpus.outside)


def _seconds(checked: Sequence[CheckedCandidate], budget: Budget, corpus: Corpus) -> dict[str, float]:
    """Return the estimated seconds of a cell for each candidate."""
    tokens = corpus.num_scored_tokens()
    return {one.candidate.key: budget.seconds(one.work, tokens) for one in checked if one.work is not None}


def _num_folds(parts: Parts, options: CompareOptions, corpus: Corpus) -> int | None:
    """Return the number of folds; None if the reported split is not used for selection."""
    if parts.hold_out is not None:
        return parts.hold_out.num_folds
    num, has_test = len(corpus.by_split["validation"]), bool(corpus.by_split["test"])
    if not num and not has_test:
        raise UserError("There are no documents to score: give data.validation_file=<file> or data.test_file=<file>.")
    if has_test or (options.trials == 1 and parts.trainer.eval_every_steps is None):
        return None
    if num < 2:
        raise UserError("One document cannot be used both for selection and for the score: give data.test_file=<file>.")
    return min(FOLDS, num)


def _command(origin: Origin) -> Sequence[str]:
    """Return the command that started the comparison; saved so that a resumed one has it too."""
    path = origin.run_dir / COMMAND
    if not path.is_file():
        write_json(path, {"command": list(origin.command)})
    words: list[str] = json.loads(path.read_text(encoding="utf-8"))["command"]
    return words


def announce(session: Session) -> None:
    """Print the lengths of documents, the candidates that run, and the estimated time."""
    display.announce(session.profile, session.checked, session.plan, session.progress)


def train(session: Session) -> None:
    """Run every missing cell.

    Raises:
        Interrupted: A signal was received; the message says how to continue.
    """
    with display.Display(session.plan) as shown:
        try:
            running.run(session.plan, session.progress, shown.update, lambda cell, result: _skip(session, cell, result))
        except Interrupted as stop:
            raise running.interrupted(stop, session.plan, session.progress) from None


def _skip(session: Session, cell: Cell, result: Result | None) -> bool:
    """Return whether the candidate is known to exceed the memory limit."""
    peak, limit = result.cost.peak_memory_bytes if result else None, session.memory_bytes
    if limit is not None and peak is not None and peak > limit:
        session.over_limit[cell.candidate] = (
            f"it needs {peak / 2**20:,.0f} MiB, more than limit.memory={session.options.limit.memory}: use a shorter "
            "context, a lower trainer.tokens_per_forward, or trainer.activation_checkpointing=true."
        )
    return cell.candidate in session.over_limit
