"""``ctxlab eval run=<run directory>``: score a checkpoint on any split or file, at any context and strategy that fits.

Without ``run`` the model is scored without training, for tasks whose head comes with the weights (``task=lm``).
"""

from ctxlab.core.errors import UserError
from ctxlab.core.result import Cost, Result, as_dict
from ctxlab.core.task import Task
from ctxlab.data.splits import Splits, load_documents
from ctxlab.optim.parameters import count_parameters
from ctxlab.runtime.ranks import current
from ctxlab.training.state import TrainState
from ctxlab.workbench import sanity
from ctxlab.workbench.ensemble import added_cost, open_ensemble, score_together
from ctxlab.workbench.finish import Split, make_result, score_split, write_outputs
from ctxlab.workbench.meter import start_meter
from ctxlab.workbench.opening import Opened, open_bench
from ctxlab.workbench.parts import Parts
from ctxlab.workbench.watch import open_tracker


def run(parts: Parts) -> None:
    """Score a split and write the same files as training does; of several processes the first one writes."""
    with current().together():
        _run(parts)


def _run(parts: Parts) -> None:
    name: str = parts.options.split
    if parts.options.runs:
        _run_several(parts, name)
        return
    opened = open_bench(parts, lambda task: documents_with(parts, task, name), scored=(name,))
    run_dir = parts.origin.run_dir
    tracker = open_tracker(parts, TrainState())
    result = None
    try:
        split, result = score(parts, opened, name)
        if current().leads:
            write_outputs(parts, opened.bench, result, {name: split})
    finally:
        tracker.finish(as_dict(result) if result else None, run_dir / "report.md" if result else None)


def _run_several(parts: Parts, name: str) -> None:
    """Score the mean of the probabilities of several runs."""
    ensemble = open_ensemble(
        parts, parts.options.runs, lambda own: lambda task: documents_with(own, task, name), split=name
    )
    opened, run_dir = ensemble.opened[0], parts.origin.run_dir
    tracker = open_tracker(parts, TrainState())
    result = None
    try:
        memory = start_meter(opened.bench)
        opened.bench.task.notes.extend(sanity.single(name, opened.documents.of(name)))
        split = score_together(ensemble, name)
        cost = added_cost(ensemble, evaluation_cost(opened, split, memory.peak_bytes()))
        origins = ", ".join(one.origin for one in ensemble.opened)
        result = make_result(parts, opened.bench, {name: split}, cost=cost, checkpoint=origins, resumed_from=None)
        if current().leads:
            write_outputs(parts, opened.bench, result, {name: split})
    finally:
        tracker.finish(as_dict(result) if result else None, run_dir / "report.md" if result else None)


def score(parts: Parts, opened: Opened, name: str) -> tuple[Split, Result]:
    """Score the split ``name``; nothing is written."""
    memory, bench = start_meter(opened.bench), opened.bench
    documents = opened.documents.of(name)
    bench.task.notes.extend(sanity.single(name, documents))
    bench.task.notes.extend(sanity.fits_whole(bench.encode(documents), bench.length))
    split = score_split(bench, name, documents)
    cost = evaluation_cost(opened, split, memory.peak_bytes())
    result = make_result(parts, bench, {name: split}, cost=cost, checkpoint=opened.origin, resumed_from=None)
    return split, result


def documents_with(parts: Parts, task: Task, split: str) -> Splits:
    """Load all splits of the data; raises UserError if ``split`` has no document."""
    splits = load_documents(parts.data, task, parts.data_seed, parts.hold_out)
    if not splits.of(split):
        raise UserError(f"There are no documents in split={split}; give data.{split}_file=<file>.")
    return splits


def evaluation_cost(opened: Opened, split: Split, peak_bytes: int) -> Cost:
    """Return the cost of evaluating the split, and the training cost of the checkpoint."""
    bench, evaluation = opened.bench, split.evaluation
    return Cost(
        train_tokens=opened.state.tokens,
        train_seconds=opened.state.seconds,
        evaluation_tokens=evaluation.tokens,
        evaluation_seconds=evaluation.seconds,
        tokens_per_second=evaluation.tokens / evaluation.seconds,
        peak_memory_bytes=peak_bytes,
        flops=evaluation.flops,
        matrix_rate_share=bench.matrix_rate_share(evaluation.flops, evaluation.seconds),
        parameters=count_parameters(bench.model),
        trainable_parameters=count_parameters(bench.model, trainable=True),
    )
