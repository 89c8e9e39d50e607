"""``ctxlab eval run=<run directory>``: score a checkpoint on any split or file, at any context and strategy that fits.

Without ``run`` the model is scored without training, for tasks whose head comes with the weights (``task=lm``). With
``perturb=<name>`` the split is scored a second time with its documents perturbed, and paired differences are reported.
"""

from collections.abc import Sequence

from ctxlab.core.contract import option
from ctxlab.core.errors import UserError
from ctxlab.core.result import Cost, Result, as_dict
from ctxlab.core.task import Task
from ctxlab.data.splits import Splits, load_documents
from ctxlab.optim.parameters import count_parameters
from ctxlab.runtime.ranks import current
from ctxlab.training.state import TrainState
from ctxlab.workbench import sanity
from ctxlab.workbench.augmenting import check_fits
from ctxlab.workbench.ensemble import added_cost, open_ensemble, score_together
from ctxlab.workbench.finish import Split, make_result, score_split, with_references, write_outputs
from ctxlab.workbench.meter import start_meter
from ctxlab.workbench.opening import Opened, open_bench
from ctxlab.workbench.parts import Parts
from ctxlab.workbench.perturbing import perturbed, score_perturbed, split_name
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
    opened = open_bench(
        parts, lambda task: documents_with(parts, task, name), scored=(name,), refuse=lambda task: _refuse(parts, task)
    )
    run_dir = parts.origin.run_dir
    tracker = open_tracker(parts, TrainState())
    result = None
    try:
        splits, result = score(parts, opened, name)
        if current().leads:
            write_outputs(parts, opened.bench, result, splits)
    finally:
        tracker.finish(as_dict(result) if result else None, run_dir / "report.md" if result else None)


def _run_several(parts: Parts, name: str) -> None:
    """Score the mean of the probabilities of several runs.

    Raises:
        UserError: Documents are to be perturbed.
    """
    if parts.perturb is not None and parts.perturb.share:
        raise UserError(
            f"perturb={option(parts.perturb)} scores one run: give run=<run directory>, or runs= without perturb."
        )
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
        cost = added_cost(ensemble, evaluation_cost(opened, [split], memory.peak_bytes()))
        origins = ", ".join(one.origin for one in ensemble.opened)
        result = make_result(parts, opened.bench, {name: split}, cost=cost, checkpoint=origins, resumed_from=None)
        if current().leads:
            write_outputs(parts, opened.bench, result, {name: split})
    finally:
        tracker.finish(as_dict(result) if result else None, run_dir / "report.md" if result else None)


def _refuse(parts: Parts, task: Task) -> None:
    if parts.perturb is None:
        return
    if not parts.perturb.share and option(parts.perturb) != "none":
        raise UserError("perturb.share=0 perturbs no document: give a fraction above 0, or use perturb=none.")
    check_fits(parts.perturb, task, "perturb")


def score(parts: Parts, opened: Opened, name: str) -> tuple[dict[str, Split], Result]:
    """Score the split ``name`` as it is and, if the run perturbs documents, perturbed; nothing is written.

    Raises:
        UserError: The perturbation changes no token.
    """
    memory, bench = start_meter(opened.bench), opened.bench
    documents = opened.documents.of(name)
    bench.task.notes.extend(sanity.single(name, documents))
    bench.task.notes.extend(sanity.fits_whole(bench.encode(documents), bench.length))
    perturb = parts.perturb if parts.perturb is not None and parts.perturb.share else None
    changed = None if perturb is None else perturbed(perturb, bench, documents)  # refused here if without effect
    plain = score_split(bench, name, documents)
    training = [] if name == "train" else opened.documents.train  # what was learnt from is no reference
    splits = {name: with_references(bench, plain, training)}
    if perturb is not None and changed is not None:
        splits[split_name(name)] = score_perturbed(perturb, bench, name, before=plain, documents=changed)
    cost = evaluation_cost(opened, list(splits.values()), memory.peak_bytes())
    result = make_result(parts, bench, splits, cost=cost, checkpoint=opened.origin, resumed_from=None)
    return splits, result


def documents_with(parts: Parts, task: Task, split: str) -> Splits:
    """Load all splits of the data; raises UserError if ``split`` has no document."""
    splits = load_documents(parts.data, task, parts.data_seed, parts.hold_out)
    if not splits.of(split):
        raise UserError(f"There are no documents in split={split}; give data.{split}_file=<file>.")
    return splits


def evaluation_cost(opened: Opened, splits: Sequence[Split], peak_bytes: int) -> Cost:
    """Return the cost of all evaluations, and the training cost of the checkpoint."""
    bench, evaluations = opened.bench, [split.evaluation for split in splits]
    tokens, seconds = sum(one.tokens for one in evaluations), sum(one.seconds for one in evaluations)
    flops, parameters = sum(one.flops for one in evaluations), count_parameters(bench.model)
    return Cost(
        train_tokens=opened.state.tokens,
        train_seconds=opened.state.seconds,
        evaluation_tokens=tokens,
        evaluation_seconds=seconds,
        tokens_per_second=tokens / seconds,
        peak_memory_bytes=peak_bytes,
        flops=flops if parameters else None,  # what a bundle computes is not counted, nor are its parameters
        matrix_rate_share=bench.matrix_rate_share(flops, seconds),
        parameters=parameters or None,
        trainable_parameters=count_parameters(bench.model, trainable=True) or None,
    )
