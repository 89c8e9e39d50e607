"""The groups of training documents, for an objective that compares them."""

from collections.abc import Sequence

from ctxlab.config.nearest import suggestion
from ctxlab.core.audit import record_of
from ctxlab.core.errors import UserError
from ctxlab.core.types import Document
from ctxlab.data.streamed import StreamedDocuments
from ctxlab.workbench.parts import Parts

LEAST_GROUPS = 2


def group(parts: Parts, task: str, documents: Sequence[Document] | StreamedDocuments) -> None:
    """Give the objective of a run the group of each training document, if it asks for them.

    Args:
        parts: The run to be trained.
        task: Its task.
        documents: Its training documents.

    Raises:
        UserError: No record has the field, it has fewer than two values, windows are split among processes, or the
            file is too large to be kept in memory.
    """
    field = parts.objective.group_field
    if field is None:
        return
    _check(parts, documents)
    records = parts.data.load(task, "train", parts.data_seed) or []
    known = sorted({name for record in records for name in record.fields})
    if field not in known:
        raise UserError(
            f"objective.field={field}: no training record has such a field{suggestion(field, known, 'fields')}"
        )
    values = {str(record.fields.get("id", record.origin)): record.fields.get(field) for record in records}
    own = [values.get(record_of(document)) for document in documents]
    groups = [str(value) if isinstance(value, str | int | float | bool) else None for value in own]
    if len({*groups} - {None}) < LEAST_GROUPS:
        raise UserError(
            f"objective.field={field} has {len({*groups} - {None})} different text or number in the training records, "
            f"and at least {LEAST_GROUPS} groups are compared: name the field with the group of each."
        )
    parts.objective.take_groups(groups)


def _check(parts: Parts, documents: Sequence[Document] | StreamedDocuments) -> None:
    """Refuse runs whose documents, windows or steps are not whole here."""
    part = parts.trainer.tokens_per_forward
    if part and part < parts.trainer.tokens_per_step:
        raise UserError(
            f"trainer.tokens_per_forward={part} divides a step, and this objective compares all documents of a step: "
            "leave it out, or lower trainer.tokens_per_step to as much."
        )
    if isinstance(documents, StreamedDocuments):
        raise UserError(
            f"objective.field={parts.objective.group_field}: the training file is too large to be kept in memory, and "
            "groups are read with it: give a smaller file, or use objective=standard."
        )
    if parts.trainer.context_parallel > 1:
        raise UserError(
            f"trainer.context_parallel={parts.trainer.context_parallel} splits windows, and this objective compares "
            "the losses of whole ones: use trainer.context_parallel=1, or objective=standard."
        )
