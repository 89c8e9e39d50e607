"""Words of a group replaced by words of another group, or by others of their own, in a whole document."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import regex

from ctxlab.audit.lists.words import Word, WordList, shaped
from ctxlab.augment.changing.passage import Edit, Passage, read, write
from ctxlab.core.augmentation import Draw
from ctxlab.core.task import Task
from ctxlab.core.types import Document
from ctxlab.text.units import find_words, token_spans

MASK = "\N{REPLACEMENT CHARACTER}"
"""Stands for a swapped word where two answers are compared."""


@dataclass(frozen=True, slots=True)
class Swapped:
    """A document with words replaced twice: by words of another group, and by words of the same one."""

    document: Document
    across: Document
    within: Document
    directions: tuple[tuple[str, str], ...]
    """Group of the words, and the one that they were replaced by, in order of occurrence."""
    words: frozenset[str]
    """All words that were replaced or came in."""


@dataclass(frozen=True, slots=True)
class _Chosen:
    across: Word
    within: Word


def swap(document: Document, task: Task, words: WordList, draw: Draw) -> Swapped | None:
    """Swap all words of a list in a document, each in all of its places; None where none can be.

    Both forms change the same places. Words stay that occur in a gold answer, or in a text beside the document such as
    a question, which would no longer fit it. Labels and spans stay with their places.

    Args:
        document: As the task parsed it.
        task: Says where it has its text.
        words: The list.
        draw: Source of all random choices.
    """
    assert task.shape is not None
    passage = read(document, task)
    places = [one for one in words.find(passage.units) if not _is_fixed(one, passage, task)]
    beside = _beside(document, task)
    found = list(dict.fromkeys(word for _, _, word in places if not any(find_words(t, word.text) for t in beside)))
    targets = _targets(words, found, draw)
    chosen = _choices(words, found, targets, passage=passage, draw=draw)
    if not chosen:
        return None
    across = {word: one.across for word, one in chosen.items()}
    within = {word: one.within for word, one in chosen.items()}
    return Swapped(
        document,
        across=_edited(document, task, passage, places=places, new=across),
        within=_edited(document, task, passage, places=places, new=within),
        directions=tuple(dict.fromkeys((word.group, targets[word.group]) for word in chosen)),
        words=frozenset(text for word, one in chosen.items() for text in (word.text, one.across.text, one.within.text)),
    )


def _is_fixed(place: tuple[int, int, Word], passage: Passage, task: Task) -> bool:
    """Whether a place is in the text of a gold answer, or across the border of a labelled part."""
    start, end, _ = place
    assert task.shape is not None
    inside = [index in passage.labelled for index in range(start, end)]
    return (task.shape.fixed and any(inside)) or (any(inside) and not all(inside))


def _beside(document: Document, task: Task) -> list[str]:
    """Return all texts of a document besides the one that is changed."""
    assert task.shape is not None
    left_out = {task.shape.text, task.shape.tags, "language", "group", *task.shape.derived}
    return [text for name, value in document.fields.items() if name not in left_out for text in _texts(value)]


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for one in value.values() for text in _texts(one)]
    return [text for one in value for text in _texts(one)] if isinstance(value, list | tuple) else []


def _targets(words: WordList, found: Sequence[Word], draw: Draw) -> dict[str, str]:
    """Return the group that each group's words are replaced by in this document."""
    targets = {}
    for group in dict.fromkeys(word.group for word in found):
        others = [one for one in words.groups if one != group]
        targets[group] = others[int(draw.integers(len(others)))]
    return targets


def _choices(
    words: WordList, found: Sequence[Word], targets: Mapping[str, str], passage: Passage, draw: Draw
) -> dict[Word, _Chosen]:
    """Return what each word is replaced by; words for which one of the two does not exist are left out.

    Args:
        words: The list.
        found: Words of the document.
        targets: Group of the words → the other group.
        passage: The document's units, whose tags need replacements of as many units.
        draw: Source of all random choices.
    """
    chosen: dict[Word, _Chosen] = {}
    used = set(found)
    for word in found:
        picked = []
        for group in (targets[word.group], word.group):
            able = words.others(word, group)
            if passage.tags:
                able = [one for one in able if len(one.units) == len(word.units)]
            fresh = [one for one in able if one not in used] or able
            if fresh:
                picked.append(fresh[int(draw.integers(len(fresh)))])
        if len(picked) == 2:  # both exist
            chosen[word] = _Chosen(*picked)
            used |= set(picked)
    return chosen


def _edited(
    document: Document,
    task: Task,
    passage: Passage,
    places: Sequence[tuple[int, int, Word]],
    new: Mapping[Word, Word],
) -> Document:
    """Return the document with words replaced; ``new`` maps a word to its replacement."""
    assert task.shape is not None
    edits = []
    for start, end, word in places:
        if word in new:
            text = shaped(new[word].text, passage.units[start])
            whole = end - start == 1 and not passage.is_text
            units = (text,) if whole else tuple(text[first:last] for first, last in token_spans(text))
            edits.append(Edit(start, end, units))
    return task.renew(write(document, task.shape, passage, edits))


def outcome(line: Mapping[str, Any], document: Document, task: Task, words: frozenset[str]) -> Any:
    """Return what an answer says, without numbers, without its document, and with swapped words masked but in labels.

    Args:
        line: The answer as ``ctxlab predict`` writes it.
        document: What was answered.
        task: Says where it has its text.
        words: Words that are masked.
    """
    text = None if task.shape is None else document.fields.get(task.shape.text)
    kept = {name: value for name, value in line.items() if name != "id" and value != text}
    pattern = None
    if words:
        either = "|".join(regex.escape(word) for word in sorted(words, key=len, reverse=True))
        pattern = regex.compile(either, regex.IGNORECASE)
    return _said(kept, pattern, frozenset(task.labels))


def _said(value: Any, pattern: Any, labels: frozenset[str]) -> Any:
    if isinstance(value, str):
        return value if pattern is None or value in labels else pattern.sub(MASK, value)
    if isinstance(value, Mapping):
        return {name: said for name, one in value.items() if (said := _said(one, pattern, labels)) is not None}
    if isinstance(value, list | tuple):
        return [_said(one, pattern, labels) for one in value]
    return None


def change(before: Any, after: Any) -> float:
    """Return how much an answer changed: 0 or 1; of tags the fraction of the tagged words that changed."""
    old, new = (one.get("tags") if isinstance(one, Mapping) else None for one in (before, after))
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        tagged = [pair for pair in zip(old, new, strict=True) if pair != ("O", "O")]
        return sum(one != other for one, other in tagged) / len(tagged) if tagged else 0.0
    return float(before != after)
