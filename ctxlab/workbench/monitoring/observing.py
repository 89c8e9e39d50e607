"""Documents as a monitor sees them: what the run answers, how long they are, how sure it is."""

from collections.abc import Iterator, Sequence

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.core.monitoring import CONFIDENCE, LENGTH, UNKNOWN, Seen
from ctxlab.core.types import Document, Encoded, Merged
from ctxlab.data.readers.read import recognised
from ctxlab.evaluation.evaluator import predict
from ctxlab.workbench.bench import Workbench


def observed(bench: Workbench, records: Sequence[Record]) -> Iterator[tuple[Document, Seen]]:
    """Yield documents with what the run makes of them."""
    answerer = bench.answerer()
    notes: list[str] = []
    documents = answerer.documents(recognised(records, bench.task.name, records[0].origin, notes))
    encoded = answerer.encode(documents)
    found = predict(answerer.reader, bench.task, documents, encoded)
    for document, tokens, (answer, merged) in zip(documents, encoded, found, strict=True):
        record = answerer.record(document, answer)
        label = record.get("label")
        yield (
            document,
            Seen(
                id=document.id,
                number=0,
                figures=_figures(bench, document, tokens, merged),
                label=None if label is None else str(label),
                terms=tokens.input_ids.tolist(),
            ),
        )


def _figures(bench: Workbench, document: Document, tokens: Encoded, merged: Merged) -> dict[str, float]:
    found = {LENGTH: float(len(tokens)), UNKNOWN: tokens.num_unknown / max(tokens.num_characters, 1)}
    try:
        opinion = bench.task.opinion(document, tokens, merged)
    except UserError:  # such tasks have no probabilities
        return found
    if opinion.seen.any():
        found[CONFIDENCE] = float(opinion.probabilities[opinion.seen].max(axis=1).mean())
    return found
