"""``ctxlab predict run=… input=docs.jsonl output=tags.jsonl``: answers for whole documents of any length.

Without ``run`` it is the model as it is, for tasks whose head comes with the weights (``shots=0``, say).
"""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from omegaconf import DictConfig

from ctxlab.core.errors import UserError
from ctxlab.core.types import Document
from ctxlab.data.readers.read import read_file
from ctxlab.data.splits import parts
from ctxlab.evaluation.evaluator import predict
from ctxlab.tracking.console import ProgressDisplay, console
from ctxlab.workbench.trained import Trained, load_trained, load_untrained

_DOCUMENTS_AT_ONCE = 64


def run(cfg: DictConfig, run_dir: Path) -> None:
    """Write one line a document; the output appears only when it is whole."""
    if not cfg.input or not cfg.output:
        raise UserError("predict needs input=<file of documents> and output=<file to write>.")
    output = Path(cfg.output)
    if output.exists() and not cfg.overwrite:
        raise UserError(f"output={output} exists; choose another name or add overwrite=true.")
    if not output.parent.is_dir():
        raise UserError(f"output={output}: the folder {output.parent} does not exist; make it first.")
    records = read_file(Path(cfg.input), cfg.task.name)
    trained = load_trained(cfg) if cfg.run else load_untrained(cfg)
    task = trained.bench.task
    whole = [task.parse(record.fields, record.origin, gold=False) for record in records]
    documents = parts(task, whole)
    temporary = output.with_name(f".{output.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.writelines(_lines(trained, documents))
        temporary.replace(output)
    finally:
        temporary.unlink(missing_ok=True)
    screen = console()
    for note in task.notes:
        screen.print(f"note: {note}", soft_wrap=True)
    screen.print(f"{len(documents):,} documents → {output}", soft_wrap=True)


def _lines(trained: Trained, documents: Sequence[Document]) -> Iterator[str]:
    bench, finished = trained.bench, 0
    reader = bench.reader()
    with ProgressDisplay("predict") as display:
        for group in _groups(documents):
            for document, (answer, _) in zip(
                group, predict(reader, bench.task, group, bench.encode(group)), strict=True
            ):
                finished += 1
                display.update(finished / len(documents), f"{finished:,} documents")
                yield json.dumps(bench.task.record(document, answer), ensure_ascii=False) + "\n"


def _groups(documents: Sequence[Document]) -> Iterator[Sequence[Document]]:
    for start in range(0, len(documents), _DOCUMENTS_AT_ONCE):
        yield documents[start : start + _DOCUMENTS_AT_ONCE]
