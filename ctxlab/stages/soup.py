"""``ctxlab soup runs=[…]``: average the weights of trained runs, score the mean, and write it as a run."""

from ctxlab.config.keys.judging import SoupOptions
from ctxlab.core.errors import UserError
from ctxlab.core.result import as_dict
from ctxlab.core.task import Task
from ctxlab.data.splits import Splits, load_documents
from ctxlab.evaluation.evaluator import evaluate
from ctxlab.stages.train import training_cost
from ctxlab.training.state import TrainState
from ctxlab.workbench import disk, soup
from ctxlab.workbench.bench import Workbench
from ctxlab.workbench.finish import make_result, score_split, write_outputs
from ctxlab.workbench.members import Member, check_alike, check_documents, head_notes, read_members
from ctxlab.workbench.meter import start_meter
from ctxlab.workbench.opening import open_bench
from ctxlab.workbench.parts import Parts
from ctxlab.workbench.watch import open_tracker

SCORED = ("validation", "test")


def run(parts: Parts) -> None:
    """Average the weights of several runs, and write the same files as training does."""
    options: SoupOptions = parts.options
    members = read_members(options.runs, options.checkpoint)
    check_alike(members)
    check_documents(parts, members)
    opened = open_bench(parts, lambda task: _documents(parts, task, options.method), scored=SCORED)
    bench, documents = opened.bench, opened.documents
    memory = start_meter(bench)
    made = _make(parts, bench, members, documents)
    merges = parts.tuning.merges and bool(parts.tuning.save(bench.model)) and len(made.used) > 1
    bench.task.notes.extend(soup.notes(made, members, options.method, bench.task.primary_metric))
    bench.task.notes.extend(head_notes(made.used, bench.task.head, merges=merges))
    tracker, result, state = open_tracker(parts, TrainState()), None, soup.state_of(members)
    run_dir = parts.origin.run_dir
    try:
        with disk.explained(run_dir):
            saved = soup.save(run_dir, bench, parts, state)
            scored = {name: score_split(bench, name, documents.of(name)) for name in SCORED if documents.of(name)}
            cost = training_cost(bench, state, memory.peak_bytes(), list(scored.values()))
            where = str(saved.relative_to(run_dir))
            result = make_result(parts, bench, scored, cost=cost, checkpoint=where, resumed_from=None)
            write_outputs(parts, bench, result, scored)
    finally:
        tracker.finish(as_dict(result) if result else None, run_dir / "report.md" if result else None)


def _make(parts: Parts, bench: Workbench, members: list[Member], documents: Splits) -> soup.Soup:
    if parts.options.method == "uniform":
        return soup.uniform(bench, parts, members)
    validation = documents.validation
    encoded = bench.encode(validation)

    def score() -> float:
        found = evaluate(bench.reader(), bench.task, validation, encoded)
        return found.scores.metrics[bench.task.primary_metric]

    return soup.greedy(bench, parts, members, score)


def _documents(parts: Parts, task: Task, method: str) -> Splits:
    splits = load_documents(parts.data, task, parts.data_seed, parts.hold_out)
    if not splits.validation and not (method == "uniform" and splits.test):
        raise UserError(
            f"method={method} needs validation documents, and there are none: give data.validation_file=<file>."
        )
    return splits
