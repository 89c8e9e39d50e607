"""Building the training loop of a workbench."""

from collections.abc import Sequence

from ctxlab.core.architecture import recompute_activations
from ctxlab.core.types import Document
from ctxlab.data.streamed import StreamedDocuments
from ctxlab.evaluation.evaluator import Evaluation, evaluate
from ctxlab.optim.parameters import parameter_groups
from ctxlab.runtime.cost import MemoryMeter
from ctxlab.runtime.ranks import current
from ctxlab.training.averages import Averages
from ctxlab.training.changes import GROUPS
from ctxlab.training.job import Job, Watcher
from ctxlab.training.loop import Trainer
from ctxlab.workbench.bench import Workbench
from ctxlab.workbench.context_parallel import check_outputs, check_split
from ctxlab.workbench.fit import check_active, check_recomputing
from ctxlab.workbench.grouping import group
from ctxlab.workbench.opening import open_bench
from ctxlab.workbench.parts import Parts
from ctxlab.workbench.sharded import begin, check_sharding
from ctxlab.workbench.training_data import open_training_data
from ctxlab.workbench.translating import translated


class Validation:
    """Scores the validation split during training, and keeps the last evaluation."""

    def __init__(self, bench: Workbench, documents: Sequence[Document]) -> None:
        self.bench, self.documents = bench, documents
        self.last: Evaluation | None = None

    def __call__(self) -> dict[str, float]:
        """Return the scores of the model in its current state."""
        self.last = evaluate(self.bench.reader(), self.bench.task, self.documents, self.bench.encode(self.documents))
        return dict(self.last.scores.metrics)


def make_trainer(
    parts: Parts,
    bench: Workbench,
    documents: Sequence[Document] | StreamedDocuments,
    validation: Validation,
    watcher: Watcher,
    memory: MemoryMeter,
) -> Trainer:
    """Build the loop over the training documents, ready to run.

    Args:
        parts: The run.
        bench: Workbench opened for training.
        documents: Training documents, in memory or in their file.
        validation: Scores the validation split, which may be empty.
        watcher: Is called after every step and for every logged point.
        memory: Meter started with the run.

    Raises:
        UserError: Activation checkpointing was requested and is not supported, the strategy changes nothing,
            or windows or weights cannot be divided among processes.
    """
    ranks = current()
    check_active(bench.strategy)
    check_split(bench, ranks)
    check_sharding(parts, bench, ranks)
    augmentation = translated(parts, documents, bench.task, open_bench)
    data = open_training_data(bench, documents, parts.seed, augmentation)
    group(parts, bench.task.name, documents)
    parts.objective.learn(bench.task, lambda: data.stream.documents)
    if bench.settings.activation_checkpointing:
        check_recomputing(bench.model, bench.strategy)
        recompute_activations(bench.model)
    begin(bench, ranks)
    job = Job(
        run_dir=parts.origin.run_dir,
        task=bench.task,
        model=bench.model,
        tokenizer=bench.tokenizer,
        strategy=bench.strategy,
        objective=parts.objective,
        tuning=parts.tuning,
        optimizer=parts.optimizer.build(
            parameter_groups(parts.tuning.groups(bench.model), parts.optimizer.weight_decay)
        ),
        schedule=parts.schedule,
        learning_rate=parts.optimizer.lr,
        stream=data.stream,
        context_length=bench.length,
        settings=bench.settings,
        seed=parts.seed,
        target_place=bench.target_place,
        document_ids=data.document_ids,
        data_notes=data.augmented.notes if data.augmented else list,
        evaluate=validation if validation.documents else None,
        configuration={group: parts.origin.config.get(group, {}) for group in GROUPS},
        peak_bytes=memory.peak_bytes,
        averages=Averages(parts.averaging, bench.model, parts.tuning),
    )
    bench.model.train()
    trainer = Trainer(job, bench.accelerator, watcher)
    check_outputs(bench, trainer.part, ranks)
    return trainer
