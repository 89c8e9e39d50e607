"""``ctxlab compress run=… compression=…``: a smaller or faster run, healed by distillation, beside the original."""

from ctxlab.core.compression import Compressed
from ctxlab.core.result import Result, as_dict
from ctxlab.core.tracking import Tracker
from ctxlab.runtime.cost import MemoryMeter
from ctxlab.stages.train import training_cost
from ctxlab.training.state import TrainState
from ctxlab.workbench import disk
from ctxlab.workbench.compressing.measuring import Speed, Stand, in_turns, note_of, notes, with_tables
from ctxlab.workbench.compressing.original import SCORED, Original, open_original
from ctxlab.workbench.compressing.session import Plan, compress, heal, open_written, plan
from ctxlab.workbench.finish import make_result, score_split, write_outputs
from ctxlab.workbench.meter import start_meter
from ctxlab.workbench.opening import Opened
from ctxlab.workbench.parts import Parts
from ctxlab.workbench.watch import open_tracker


def run(parts: Parts) -> None:
    """Compress a run, heal and score it, and write the same files as training does."""
    asked = plan(parts)
    original = open_original(parts, asked.mechanism, asked.steps)
    memory = start_meter(original.opened.bench)
    tracker, result = open_tracker(parts, TrainState()), None
    run_dir = parts.origin.run_dir
    try:
        with disk.explained(run_dir):
            made = compress(parts, asked, original)
            result = _score(parts, asked, original, made=made, tracker=tracker, memory=memory)
    finally:
        tracker.finish(as_dict(result) if result else None, run_dir / "report.md" if result else None)


def _score(
    parts: Parts, asked: Plan, original: Original, made: Compressed, tracker: Tracker, memory: MemoryMeter
) -> Result:
    """Score original, compressed and healed model on the same documents, and write the outputs.

    Args:
        parts: The command.
        asked: What it asks for.
        original: The run.
        made: What was done to its model.
        tracker: Receives the figures of healing.
        memory: Meter started with the command.
    """
    compressed = open_written(parts)
    documents = original.opened.documents
    name = next(split for split in SCORED if documents.of(split))
    speeds = in_turns([original.opened.bench, compressed.bench], documents.of(name))
    stands = [
        _stand("original", original.opened, name, speeds[0]),
        _stand(f"compressed ({asked.name})", compressed, name, speeds[1]),
    ]
    state = TrainState()
    if asked.steps:
        state = heal(parts, asked.steps, tracker, memory)
        compressed = open_written(parts)
        stands.append(_stand(f"healed ({asked.steps} steps)", compressed, name, speeds[1]))
    bench = compressed.bench
    bench.task.notes.extend(notes(original, made, asked.steps))
    scored = {name: with_tables(stands, made, note_of(stands, name))}
    scored |= {
        split: score_split(bench, split, compressed.documents.of(split))
        for split in SCORED
        if split != name and documents.of(split)
    }
    cost = training_cost(bench, state, memory.peak_bytes(), list(scored.values()))
    assert compressed.checkpoint is not None
    where = str(compressed.checkpoint.relative_to(parts.origin.run_dir))
    result = make_result(parts, bench, scored, cost=cost, checkpoint=where, resumed_from=None)
    write_outputs(parts, bench, result, scored)
    return result


def _stand(name: str, opened: Opened, split: str, speed: Speed) -> Stand:
    assert opened.checkpoint is not None
    scored = score_split(opened.bench, split, opened.documents.of(split))
    return Stand(name, scored, bench=opened.bench, checkpoint=opened.checkpoint, speed=speed)
