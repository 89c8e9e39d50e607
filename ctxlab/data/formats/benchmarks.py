"""Field names of benchmarks, most of them Chinese, and their names here.

CLUE (TNEWS, IFLYTEK, CMNLI, OCNLI, CLUENER; Xu et al. 2020, arXiv:2004.05986), CMRC 2018 and DRCD, LongBench (Bai et
al. 2023, arXiv:2308.14508), MSRA and Weibo entities, LCCC dialogues. A field with our name is never changed, and a
field that is read under another name is also kept.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ctxlab.core.data import Record
from ctxlab.data.formats.base import Fields, Format
from ctxlab.data.readers.tally import Tally

NAMES: dict[str, dict[str, tuple[str, ...]]] = {
    "classification": {"text": ("sentence", "content", "review", "text_a"), "label": ("label_desc", "label_des")},
    "nli": {"premise": ("text_a",), "hypothesis": ("text_b",)},
    "qa": {"context": ("context_text", "passage"), "question": ("query_text", "query", "input")},
    "translation": {"source": ("src",), "target": ("tgt",)},
    "ner": {"tokens": ("chars", "characters"), "tags": ("ner_tags", "labels")},
    "lm": {"text": ("content", "sentence", "article")},
    "mlm": {"text": ("content", "sentence", "article")},
    "dialogue": {"turns": ("conversation", "dialog", "dialogue")},
}
"""Task → our field name → other names, in the order in which they are tried."""


def with_our_names(task: str, fields: Fields) -> tuple[dict[str, Any], str]:
    """Return a record's fields with those of ``task`` under our names, and a note of the renamed ones (or "").

    Args:
        task: Name of the task.
        fields: Fields as the source returned them.
    """
    found, taken = dict(fields), list[str]()
    for ours, others in NAMES.get(task, {}).items():
        other = next((name for name in others if fields.get(name) is not None), None)
        if ours not in found and other is not None:
            found[ours] = fields[other]
            taken.append(f"'{other}' as '{ours}'")
    shape = SHAPES.get(task)
    if shape is not None and (note := shape(found)):
        taken.append(note)
    return found, f"Fields are read under other names: {', '.join(taken)}." if taken else ""


def _qa(fields: dict[str, Any]) -> str:
    """Convert CMRC's ``qas``, and locate answers that are texts without a position; changes ``fields``."""
    if "questions" not in fields and isinstance(fields.get("qas"), list) and "context" in fields:
        fields["questions"] = [
            {"id": one.get("query_id"), "question": one.get("query_text"), "answers": one.get("answers")}
            for one in fields["qas"]
            if isinstance(one, Mapping)
        ]
    asked = [fields]
    if isinstance(fields.get("questions"), list):
        asked = fields["questions"] = [dict(one) if isinstance(one, Mapping) else one for one in fields["questions"]]
    placed = [_placed(one, fields.get("context")) for one in asked if isinstance(one, dict)]
    return "answers without a position at the first occurrence of their text" if any(placed) else ""


def _placed(question: dict[str, Any], context: Any) -> bool:
    answers = question.get("answers")
    if not isinstance(context, str) or not isinstance(answers, list) or not answers:
        return False
    if not all(isinstance(answer, str) for answer in answers):
        return False
    inside = [answer for answer in dict.fromkeys(answers) if answer in context]
    question["answers"] = [{"text": answer, "answer_start": context.index(answer)} for answer in inside]
    if not inside:
        question["answers"] = [{"text": answers[0]}]  # the reader reports what is wrong with it
    return True


def _ner(fields: dict[str, Any]) -> str:
    """Convert CLUENER's mentions by type into one tag per character; changes ``fields``."""
    text, labels = fields.get("text"), fields.get("label")
    if "tokens" in fields or not isinstance(text, str) or not isinstance(labels, Mapping):
        return ""
    tags = ["O"] * len(text)
    for name, mentions in labels.items():
        for places in mentions.values():
            for first, last in places:  # the last one included
                if not 0 <= first <= last < len(text):
                    raise ValueError(f"characters {first} to {last} of {len(text)}")
                tags[first : last + 1] = [f"B-{name}", *[f"I-{name}"] * (last - first)]
    fields |= {"tokens": list(text), "tags": tags}
    return "mentions in 'label' as one tag per character"


def _dialogue(fields: dict[str, Any]) -> str:
    """Add alternating speakers to turns that are only texts; changes ``fields``."""
    turns = fields.get("turns")
    if not isinstance(turns, list) or not turns or not all(isinstance(turn, str) for turn in turns):
        return ""
    fields["turns"] = [{"speaker": "AB"[place % 2], "text": text} for place, text in enumerate(turns)]
    return "turns without a speaker as those of two alternating speakers"


SHAPES: dict[str, Callable[[dict[str, Any]], str]] = {"qa": _qa, "ner": _ner, "dialogue": _dialogue}
"""Task → conversion of fields that differ in more than their name; each returns a note or ""."""


def _format(task: str) -> Format:
    def convert(record: Record, task: str, tally: Tally) -> Iterator[Record]:
        fields, note = with_our_names(task, record.fields)
        tally.add(note)
        yield Record(fields, record.origin)

    return Format(
        "the field names of a benchmark",
        frozenset({task}),
        lambda fields: bool(with_our_names(task, fields)[1]),
        convert,
    )


FORMATS = tuple(_format(task) for task in NAMES)
