"""SQuAD's published format: articles of paragraphs with questions (also CMRC, XQuAD, MLQA, FQuAD)."""

from collections.abc import Iterator

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.data.formats.base import Fields, Format, is_list_of, with_fields
from ctxlab.data.readers.tally import Tally


def recognises(fields: Fields) -> bool:
    """Return whether this is an article with ``paragraphs``, or a paragraph with ``qas``."""
    paragraphs = fields.get("paragraphs")
    return is_list_of(paragraphs, "context") or is_list_of(paragraphs, "qas") or _is_paragraph(fields)


def convert(record: Record, task: str, tally: Tally) -> Iterator[Record]:
    """Yield one record per paragraph, with its questions unchanged in ``qas``."""
    del task, tally
    if _is_paragraph(record.fields):
        yield with_fields(record, questions=record.fields["qas"])
        return
    for index, paragraph in enumerate(record.fields["paragraphs"]):
        origin = f"{record.origin} paragraphs[{index}]"
        if not isinstance(paragraph.get("qas"), list) or "context" not in paragraph:
            raise UserError(
                f"{origin} has no 'context' or no list 'qas', as SQuAD's paragraphs have: correct the file."
            )
        if paragraph["qas"]:
            yield Record({"context": paragraph["context"], "questions": paragraph["qas"]}, origin)


def _is_paragraph(fields: Fields) -> bool:
    return "context" in fields and is_list_of(fields.get("qas"), "question", "answers")


FORMAT = Format("SQuAD", frozenset({"qa"}), recognises, convert)
