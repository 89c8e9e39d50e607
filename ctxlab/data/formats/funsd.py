"""FUNSD (Jaume et al. 2019, arXiv:1905.13538) and data like it: a form as labelled blocks of words with boxes.

A file is one page, an object with its blocks under ``form``.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.data.formats.base import Fields, Format, is_list_of
from ctxlab.data.formats.page_size import scaled
from ctxlab.data.readers.tally import Tally

NO_TYPE = "other"
"""Label of a block that is no entity."""

NO_SIZE = "{n} pages do not say how large they are: their boxes were scaled to the lowest and rightmost word."
EMPTY = "{n} words without a character were left out."


def recognises(fields: Fields) -> bool:
    """Return whether there are blocks with words."""
    return is_list_of(fields.get("form"), "words")


def convert(record: Record, task: str, tally: Tally) -> Iterator[Record]:
    """Yield words in the order of the blocks, their boxes from 0 to 1000, and BIO tags by the labels of the blocks.

    A page may say its size in pixels by ``width`` and ``height``. A page whose blocks have no label has no tags.
    """
    del task
    fields = record.fields
    found: dict[str, Any] = {"tokens": [], "boxes": [], "tags": [], "sentence_starts": []}
    for index, block in enumerate(fields["form"]):
        words = [word for word in enumerate(block["words"]) if _text(word, index, record.origin)]
        tally.add(EMPTY, len(block["words"]) - len(words))
        if words:
            found["sentence_starts"].append(len(found["tokens"]))
        for place, (number, word) in enumerate(words):
            found["tokens"].append(word["text"].strip())
            found["boxes"].append(_box(word, f"form[{index}].words[{number}].box", record.origin))
            found["tags"].append(_tag(block.get("label"), is_first=place == 0))
    if any("label" not in block for block in fields["form"]):
        del found["tags"]
    size = (fields.get("width"), fields.get("height"))
    if not all(isinstance(one, int | float) and one > 0 for one in size):
        size = None, None
        tally.add(NO_SIZE)
    found["boxes"] = scaled(found["boxes"], *size)
    more = {"id": fields["id"]} if fields.get("id") is not None else {}
    yield Record({**more, **found}, record.origin)


def _text(numbered: tuple[int, Any], block: int, origin: str) -> str:
    """Return the text of a word, empty where it has no character; raises UserError where it is no text."""
    number, word = numbered
    if not isinstance(word, Mapping) or not isinstance(word.get("text"), str):
        raise UserError(
            f"The field 'form[{block}].words[{number}]' of {origin} is {str(word)[:60]}: a word of FUNSD has 'text' "
            "and 'box'."
        )
    return str(word["text"]).strip()


def _box(word: Mapping[str, Any], where: str, origin: str) -> list[float]:
    box: Any = word.get("box")
    numbers = isinstance(box, list) and all(isinstance(one, int | float) and one >= 0 for one in box)
    if not numbers or len(box) != 4 or box[0] > box[2] or box[1] > box[3]:
        raise UserError(
            f"The field '{where}' of {origin} is {str(box)[:60]}: give left, top, right and bottom in pixels, in this "
            "order."
        )
    return [float(side) for side in box]


def _tag(label: Any, *, is_first: bool) -> str:
    if not label or label == NO_TYPE:
        return "O"
    return f"{'B' if is_first else 'I'}-{label}"


FORMAT = Format("FUNSD", frozenset({"ner"}), recognises, convert)
