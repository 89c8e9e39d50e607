"""``ctxlab eval run=<run directory>``: a checkpoint on any split or file, at any context and strategy that fits it.

Without ``run`` it is the model as it is, for tasks whose head comes with the weights (``task=lm``).
"""

from pathlib import Path

from omegaconf import DictConfig

from ctxlab.config.build import build
from ctxlab.core.data import Source
from ctxlab.core.errors import UserError
from ctxlab.core.result import Cost, as_dict
from ctxlab.data.splits import load_documents
from ctxlab.optim.parameters import count_parameters
from ctxlab.runtime.cost import FlopModel, MemoryMeter
from ctxlab.runtime.forward import APART
from ctxlab.training.state import TrainState
from ctxlab.workbench.assemble import Workbench
from ctxlab.workbench.finish import Labels, Split, leave, make_result, score_split
from ctxlab.workbench.trained import Trained, load_trained, load_untrained
from ctxlab.workbench.watch import open_tracker


def run(cfg: DictConfig, run_dir: Path) -> None:
    """Score ``cfg.split`` and leave the same files as training does."""
    trained = load_trained(cfg) if cfg.run else load_untrained(cfg)
    bench = trained.bench
    splits = load_documents(build(cfg.data, Source), bench.task, cfg.seed)
    documents = getattr(splits, cfg.split)
    if not documents:
        raise UserError(f"There are no documents in split={cfg.split}; give data.{cfg.split}_file=<file>.")
    bench.task.check_labels(documents)
    bench.task.notes.extend(splits.notes)
    memory = MemoryMeter(bench.accelerator.device)
    tracker = open_tracker(cfg, run_dir, TrainState())
    result = None
    try:
        split = score_split(bench, cfg.split, documents)
        cost = evaluation_cost(trained, split, memory.peak_bytes())
        result = make_result(
            "eval",
            bench,
            labels=Labels.of(cfg),
            splits={cfg.split: split},
            cost=cost,
            checkpoint=trained.checkpoint,
            resumed_from=None,
        )
        leave(run_dir, bench, result, {cfg.split: split})
    finally:
        tracker.finish(as_dict(result) if result else None, run_dir / "report.md" if result else None)


def evaluation_cost(trained: Trained, split: Split, peak_bytes: int) -> Cost:
    """Cost of reading the split, beside what training the checkpoint had taken."""
    bench, evaluation = trained.bench, split.evaluation
    return Cost(
        train_tokens=trained.tokens,
        train_seconds=trained.seconds,
        evaluation_tokens=evaluation.tokens,
        evaluation_seconds=evaluation.seconds,
        tokens_per_second=evaluation.tokens / evaluation.seconds,
        peak_memory_bytes=peak_bytes,
        flops=_flops(bench, split) if bench.task.runs_model else 0,
        parameters=count_parameters(bench.model),
        trainable_parameters=count_parameters(bench.model, trainable=True),
    )


def _flops(bench: Workbench, split: Split) -> float:
    """Of all windows, and of what was written behind them."""
    model = FlopModel.of(bench.model, bench.facts.num_layers, bench.facts.hidden_size)
    attention, beams = bench.strategy.attention, bench.task.decoding.num_beams if bench.task.writes else 1

    def reading(tokens: int) -> float:
        return model.forward(tokens, attention.pairs(tokens))

    widths = [
        len(window)
        for document in bench.encode(split.documents)
        for window in bench.strategy.reading.windows(document, bench.length)
    ]
    total = sum(map(reading, widths))
    for width, written in zip(widths, split.evaluation.written, strict=False):  # none where nothing is written
        if attention.caches or bench.writes == APART:
            total += model.writing(width, written, beams)
        else:  # every token reads all before it anew
            total += beams * sum(reading(width + place) for place in range(1, written + 1))
    return total
