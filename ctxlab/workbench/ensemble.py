"""Evaluation of several runs together: their models are opened one by one and asked about the same documents."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ctxlab.core.errors import UserError
from ctxlab.core.result import Cost
from ctxlab.core.task import Task
from ctxlab.data.splits import Splits
from ctxlab.evaluation.ensemble import Voter, predict_together
from ctxlab.evaluation.evaluator import evaluate_answers, metric
from ctxlab.optim.parameters import count_parameters
from ctxlab.tracking.console import ProgressDisplay
from ctxlab.workbench.finish import Split
from ctxlab.workbench.members import Member, check_documents, parts_of, read_members
from ctxlab.workbench.opening import Opened, open_bench
from ctxlab.workbench.parts import Parts


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Several opened runs."""

    members: Sequence[Member]
    opened: Sequence[Opened]


def open_ensemble(
    parts: Parts, paths: Sequence[str], load: Callable[[Parts], Callable[[Task], Splits]], split: str
) -> Ensemble:
    """Open all runs, each with its own task, strategy and context, unless the user gave one for all.

    Args:
        parts: The command.
        paths: Run directories or checkpoints.
        load: Returns what loads the documents for the parts of a run.
        split: Split whose gold labels must be labels of every model.

    Raises:
        UserError: The runs do not fit together.
    """
    members = read_members(paths, parts.start.checkpoint if parts.start else "best")
    check_documents(parts, members)
    tasks = {member.value("task")["name"] for member in members}
    if len(tasks) > 1:
        raise UserError(f"runs= has runs of different tasks ({', '.join(sorted(tasks))}): give runs of one task.")
    own = [parts_of(parts, member) for member in members]
    return Ensemble(members, [open_bench(one, load(one), scored=(split,)) for one in own])


def score_together(ensemble: Ensemble, name: str) -> Split:
    """Score the mean of the probabilities of all runs on the split ``name``; notes say what each scores alone."""
    voters = [_voter(*pair, name) for pair in zip(ensemble.members, ensemble.opened, strict=True)]
    bench, documents = ensemble.opened[0].bench, ensemble.opened[0].documents.of(name)
    total, read = sum(len(one) for voter in voters for one in voter.encoded), 0
    with ProgressDisplay(f"evaluate {name}") as display:

        def done(tokens: int) -> None:
            nonlocal read
            read += tokens
            display.update(min(read / max(total, 1), 1.0), f"{read:,} tokens")

        evaluation = evaluate_answers(
            lambda count: predict_together(voters, count),
            bench.task,
            documents=documents,
            encoded=voters[0].encoded,
            done=done,
        )
    bench.task.notes.append(_alone(voters, bench.task, name))
    return Split(documents, evaluation)


def _voter(member: Member, opened: Opened, name: str) -> Voter:
    bench, documents = opened.bench, opened.documents.of(name)
    return Voter(member.name, bench.reader(), bench.task, documents=documents, encoded=bench.encode(documents))


def _alone(voters: Sequence[Voter], task: Task, name: str) -> str:
    """Return a note with the score of each run alone."""
    figure, score = task.primary_metric, metric(task.metric)
    shown = (
        f"{voter.name} {score(voter.documents, voter.alone).metrics.get(figure, float('nan')):.4f}" for voter in voters
    )
    return f"The mean of {len(voters)} runs is scored; alone they have on {name} a {figure} of {', '.join(shown)}."


def added_cost(ensemble: Ensemble, cost: Cost) -> Cost:
    """Return the cost of evaluating the first run's figures with the sizes and the training of all runs."""
    states, models = [one.state for one in ensemble.opened], [one.bench.model for one in ensemble.opened]
    return replace(
        cost,
        train_tokens=sum(state.tokens for state in states),
        train_seconds=sum(state.seconds for state in states),
        parameters=sum(count_parameters(model) for model in models),
        trainable_parameters=sum(count_parameters(model, trainable=True) for model in models),
    )
