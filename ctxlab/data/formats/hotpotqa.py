"""HotpotQA and similar data sets (2WikiMultihopQA, MuSiQue): a question over several titled paragraphs."""

from collections.abc import Iterator, Sequence
from typing import Any

from ctxlab.core.data import Record
from ctxlab.data.formats.base import Fields, Format, is_list_of, with_fields
from ctxlab.data.readers.tally import Tally

YES_NO = frozenset({"yes", "no"})


def recognises(fields: Fields) -> bool:
    """Return whether ``context`` is pairs of title and sentences, or one list of each, or this is MuSiQue's."""
    if is_list_of(fields.get("paragraphs"), "title", "paragraph_text"):
        return "question" in fields
    context = fields.get("context")
    if isinstance(context, dict):
        return context.keys() == {"title", "sentences"}
    return (
        "question" in fields
        and isinstance(context, list)
        and bool(context)
        and all(isinstance(pair, list) and len(pair) == 2 and isinstance(pair[1], list) for pair in context)
    )


def convert(record: Record, task: str, tally: Tally) -> Iterator[Record]:
    """Yield one text per paragraph, with its title above it; answers are located in supporting sentences first.

    Questions answered yes or no are left out, because such an answer does not occur in the texts.
    """
    del task
    fields = _of_musique(record.fields) if "paragraphs" in record.fields else record.fields
    answer = fields.get("answer")
    if isinstance(answer, str) and answer.strip().casefold() in YES_NO:
        tally.add(
            "{n} questions of HotpotQA have the answer yes or no, which does not occur in the texts, and were left out."
        )
        return
    paragraphs = _paragraphs(fields["context"])
    texts = [f"{title}\n{''.join(_spaced(sentences))}" for title, sentences in paragraphs]
    given = {"contexts": texts, "question": fields["question"], "id": fields.get("_id", fields.get("id"))}
    if fields.get("answerable") is False:
        given["answers"] = []
    elif answer is not None:
        place = _place(answer, paragraphs, texts, _supporting(fields.get("supporting_facts")))
        if place is None:
            tally.add("{n} questions of HotpotQA have an answer that does not occur in the texts, and were left out.")
            return
        given["answers"] = [{"text": answer, "context": place[0], "answer_start": place[1]}]
    kept = {name: value for name, value in record.fields.items() if name != "paragraphs"}
    yield with_fields(Record(kept, record.origin), **given)


def _of_musique(fields: Fields) -> dict[str, Any]:
    """Return the fields of MuSiQue, whose paragraphs are one text each, as those of HotpotQA."""
    pairs = [[one["title"], [one["paragraph_text"]]] for one in fields["paragraphs"]]
    facts = [[one["title"], 0] for one in fields["paragraphs"] if one.get("is_supporting")]
    rest = {name: value for name, value in fields.items() if name != "paragraphs"}
    return {**rest, "context": pairs, "supporting_facts": facts}


def _paragraphs(context: Any) -> list[tuple[str, list[str]]]:
    pairs = zip(context["title"], context["sentences"], strict=True) if isinstance(context, dict) else context
    return [(title, list(sentences)) for title, sentences in pairs]


def _spaced(sentences: Sequence[str]) -> list[str]:
    """Add a space between sentences where neither has one (some data sets include it, some do not)."""
    return [
        f" {text}" if place and text[:1].strip() and sentences[place - 1][-1:].strip() else text
        for place, text in enumerate(sentences)
    ]


def _supporting(facts: Any) -> set[tuple[str, int]]:
    if isinstance(facts, dict):
        return set(zip(facts["title"], facts["sent_id"], strict=True))
    return {(title, number) for title, number in facts or ()}


def _place(
    answer: str, paragraphs: Sequence[tuple[str, list[str]]], texts: Sequence[str], supporting: set[tuple[str, int]]
) -> tuple[int, int] | None:
    """Return text and character of the first occurrence of ``answer``, in a supporting sentence if possible."""
    for index, (title, sentences) in enumerate(paragraphs):
        start = len(title) + 1
        for number, sentence in enumerate(_spaced(sentences)):
            found = sentence.find(answer) if (title, number) in supporting else -1
            if found >= 0:
                return index, start + found
            start += len(sentence)
    for title_too in (False, True):
        for index, text in enumerate(texts):
            found = text.find(answer, 0 if title_too else len(paragraphs[index][0]) + 1)
            if found >= 0:
                return index, found
    return None


FORMAT = Format("HotpotQA", frozenset({"qa"}), recognises, convert)
