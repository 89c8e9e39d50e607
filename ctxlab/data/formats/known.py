"""All formats of records, and the conversion of a file's records to a task's fields."""

from collections.abc import Iterable, Iterator

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.data.formats import (
    alpaca,
    benchmarks,
    chat,
    coqa,
    doccano,
    docred,
    field_names,
    funsd,
    hotpotqa,
    label_studio,
    language_pairs,
    mrqa,
    prodigy,
    spaced_words,
    spacy,
    squad,
    standoff,
    words_and_spans,
    yes_no,
)
from ctxlab.data.formats.base import Format
from ctxlab.data.readers.tally import Tally

FORMATS: tuple[Format, ...] = (
    mrqa.FORMAT,  # before SQuAD, as its questions have answers too
    squad.FORMAT,
    hotpotqa.FORMAT,
    coqa.FORMAT,
    docred.FORMAT,
    funsd.FORMAT,
    standoff.FORMAT,
    label_studio.FORMAT,
    spacy.FORMAT,
    prodigy.FORMAT,
    prodigy.CLASS,
    doccano.FORMAT,
    doccano.TEXTS,
    words_and_spans.SPERT,
    words_and_spans.DYGIE,
    spaced_words.FORMAT,
    language_pairs.FORMAT,
    chat.FORMAT,
    alpaca.FORMAT,
    yes_no.FORMAT,
    *field_names.FORMATS,
    *benchmarks.FORMATS,
)
"""Formats in the order in which they are tried; the first that recognises a record for the task converts it."""


INCOMPLETE = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError)
"""What a format raises for a record that has its fields with values of other types."""


def converted(records: Iterable[Record], task: str, tally: Tally) -> Iterator[Record]:
    """Yield records with the fields that ``task`` reads; records in no known format are unchanged.

    Raises:
        UserError: A record does not follow its format.
    """
    formats = [one for one in FORMATS if task in one.tasks]
    for record in records:
        name = "a record"
        try:
            for one in formats:
                name = one.name
                if one.recognises(record.fields):
                    yield from one.convert(record, task, tally)
                    break
            else:
                yield record
        except INCOMPLETE as error:
            raise UserError(
                f"{record.origin} looks like {name} but is incomplete ({type(error).__name__}: {error}): correct "
                f"the record, or write it with the fields of task={task}."
            ) from None
