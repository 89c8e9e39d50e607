"""The training documents of a run as the loop takes them: all in memory, or a large file read in blocks."""

from collections.abc import Sequence
from dataclasses import dataclass

from ctxlab.core.augmentation import Augmentation
from ctxlab.core.types import Document, Encoded
from ctxlab.data.encode import encode_now
from ctxlab.data.streamed import StreamedDocuments
from ctxlab.evaluation.evaluator import known_of
from ctxlab.text import known
from ctxlab.training.block_stream import BlockStream
from ctxlab.training.stream import Stream
from ctxlab.training.window_selection import Choose, window_chooser
from ctxlab.workbench.augmenting import Augmented, check_changes, prepared
from ctxlab.workbench.bench import Workbench


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Training documents, ready for the loop."""

    stream: Stream
    document_ids: Sequence[str]
    """Id of each document that the items of the stream name by number."""
    augmented: Augmented | None = None
    """What changes documents for each epoch; None where they stay as they are."""


def open_training_data(
    bench: Workbench,
    documents: Sequence[Document] | StreamedDocuments,
    seed: int,
    augmentation: Augmentation | None = None,
) -> TrainingData:
    """Tokenise training documents, add notes on them to the task's, and let the reading learn from them.

    Of documents that stay in their file that is the first block, whatever the run resumes from.

    Args:
        bench: Workbench opened for training.
        documents: Training documents.
        seed: Seed of the run.
        augmentation: How documents change from epoch to epoch; None for not at all.

    Raises:
        UserError: The augmentation changes no token.
    """
    own = prepared(augmentation, documents, bench.task) if augmentation is not None and augmentation.share else None
    if isinstance(documents, StreamedDocuments):
        return _in_blocks(bench, documents, seed, own)
    return _in_memory(bench, documents, seed, own)


def _in_blocks(
    bench: Workbench, documents: StreamedDocuments, seed: int, augmentation: Augmentation | None
) -> TrainingData:
    """Read a large file in blocks; notes and what the reading learns are of the first one."""
    augmented = None if augmentation is None else Augmented(augmentation, bench, (), seed)
    stream = BlockStream(
        documents,
        lambda block: encode_now(bench.task, block, bench.tokenizer, bench.settings.num_workers),
        bench.strategy.reading.windows,
        resample=bench.task.resample,
        choose=_chooser(bench),
        tokens_per_step=bench.settings.tokens_per_step,
        seed=seed,
        change=None if augmented is None else augmented.block,
    )
    encoded, notes = stream.encoded(0), stream.notes
    what = f"the first {len(encoded):,} training documents that are read"
    bench.task.notes.extend(f"{note} (Of {what}.)" for note in notes)
    _learn(bench, encoded, what)
    return TrainingData(stream, stream.document_ids, augmented)


def _in_memory(
    bench: Workbench, documents: Sequence[Document], seed: int, augmentation: Augmentation | None
) -> TrainingData:
    """Tokenise all documents at once."""
    encoded, curriculum = bench.encode(documents), bench.strategy.curriculum
    augmented = None if augmentation is None else Augmented(augmentation, bench, documents, seed)
    if augmentation is not None:
        check_changes(augmentation, bench, documents, encoded=encoded, group="augment")
    _learn(bench, encoded, "the training documents")
    stream = Stream(
        encoded,
        lambda one, length: bench.task.training_windows(one, lambda part: bench.strategy.reading.windows(part, length)),
        resample=bench.task.resample,
        choose=_chooser(bench),
        tokens_per_step=bench.settings.tokens_per_step,
        seed=seed,
        sort_all=curriculum.sorts,
        difficulty=curriculum.difficulty if curriculum.selects else None,
        renew=None if augmented is None else augmented.encoded,
        shares=bench.task.shares,
    )
    return TrainingData(stream, [document.id for document in documents], augmented)


def _chooser(bench: Workbench) -> Choose:
    return window_chooser(bench.strategy, bench.task, generates=bench.target_place is not None)


def _learn(bench: Workbench, encoded: Sequence[Encoded], what: str) -> None:
    bench.task.notes.extend(known.notes(known_of(encoded), what))
    bench.strategy.reading.learn(encoded, bench.model)
