"""The documents that are asked, and the passages that they are cut into."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from ctxlab.core.errors import UserError
from ctxlab.data.readers.read import read_file
from ctxlab.tasks.text.structure import sentence_places
from ctxlab.text.units import num_words, word_spans

PLAIN = (".txt", ".md", ".text", ".rst")
"""Extensions of plain text, one document a file."""

LINES = (".jsonl", ".ndjson")
"""Extensions of files with a document a line."""


@dataclass(frozen=True, slots=True)
class Manual:
    """One document."""

    id: str
    """Its path in the folder, or the id of its record."""
    text: str


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of a document that is retrieved as one."""

    manual: int
    """Index of its document."""
    start: int
    """First character."""
    end: int
    """Index after the last one."""


@dataclass(frozen=True, eq=False)
class Library:
    """Documents and their passages, in the order of the documents."""

    manuals: Sequence[Manual]
    passages: Sequence[Passage]

    def text(self, passage: Passage) -> str:
        """Return the text of a passage."""
        return self.manuals[passage.manual].text[passage.start : passage.end]

    @cached_property
    def num_characters(self) -> int:
        """Return the characters of all documents without white space."""
        return sum(visible(manual.text) for manual in self.manuals)


def visible(text: str) -> int:
    """Return the number of characters that are no white space."""
    return sum(not character.isspace() for character in text)


def open_library(named: str, passage_words: int) -> Library:
    """Read a folder or file of documents and cut them into passages.

    Raises:
        UserError: There is no document, or a file is no text; names it.
    """
    manuals = list(_read(Path(named).expanduser(), named))
    if not manuals:
        raise UserError(
            f"input={named} has no document: give a folder with files of {', '.join((*PLAIN, *LINES))}, or such a file."
        )
    cut = [passage for place, one in enumerate(manuals) for passage in passages_of(place, one.text, passage_words)]
    return Library(manuals, cut)


def passages_of(manual: int, text: str, passage_words: int) -> Iterator[Passage]:
    """Cut a text into runs of sentences that end once they have ``passage_words`` words; all together are the text."""
    start, count = 0, 0
    for first, end in sentence_places(text):
        for piece in _short(text, first, end, passage_words):
            count += num_words(text[slice(*piece)])
            if count >= passage_words:
                yield Passage(manual, start, piece[1])
                start, count = piece[1], 0
    if text[start:].strip():
        yield Passage(manual, start, len(text))


def _short(text: str, first: int, end: int, words: int) -> Iterator[tuple[int, int]]:
    """Yield a sentence, or of one of more than twice ``words`` (a table, a text without full stops) pieces so long."""
    most = 2 * words
    places = [first + start for start, _ in word_spans(text[first:end])][most::most]
    yield from pairwise([first, *places, end])


def merged(passages: Sequence[Passage]) -> list[Passage]:
    """Return passages with adjacent ones joined, in the order of the first that was given of each."""
    rank = {(one.manual, one.start): place for place, one in enumerate(passages)}
    runs: list[list[Passage]] = []
    for one in sorted(passages, key=lambda p: (p.manual, p.start)):
        if runs and runs[-1][-1].manual == one.manual and runs[-1][-1].end == one.start:
            runs[-1].append(one)
        else:
            runs.append([one])
    runs.sort(key=lambda run: min(rank[one.manual, one.start] for one in run))
    return [Passage(run[0].manual, run[0].start, run[-1].end) for run in runs]


def sentence_at(text: str, start: int, end: int, within: Passage) -> tuple[int, int]:
    """Return first and last character (not included) of the sentences of a passage that an answer is in.

    Args:
        text: The document.
        start: First character of the answer.
        end: Index after its last one.
        within: The passage.
    """
    part = text[within.start : within.end]
    touched = [
        (first, last)
        for first, last in sentence_places(part)
        if first < end - within.start and last > start - within.start
    ]
    if not touched:
        return start, end
    first, last = touched[0][0], touched[-1][1]
    kept = part[first:last]
    first += len(kept) - len(kept.lstrip())
    return within.start + first, within.start + first + len(kept.strip())


def read_questions(named: str) -> list[tuple[str, str]]:
    """Return id and text of the questions in a file of JSON lines; a line without an id has its number.

    Raises:
        UserError: The file cannot be read, or a line has no question; names file, line and field.
    """
    try:
        lines = Path(named).expanduser().read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise UserError(f"questions={named} cannot be read ({reason}): give a file of JSON lines.") from None
    found = dict[str, str]()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        origin = f"{named} line {number}"
        try:
            record = json.loads(line)
        except ValueError:
            raise UserError(f'{origin} is no JSON: write {{"id": …, "question": …}} in every line.') from None
        question = record.get("question") if isinstance(record, dict) else None
        if not isinstance(question, str) or not question.strip():
            raise UserError(f"The field 'question' of {origin} is missing or no text: give the question there.")
        name = str(record.get("id", number))
        if name in found:
            raise UserError(f"The id '{name}' of {origin} is that of an earlier question: give each its own.")
        found[name] = question
    if not found:
        raise UserError(f"questions={named} has no question: write one a line.")
    return list(found.items())


def _read(path: Path, named: str) -> Iterator[Manual]:
    if not path.exists():
        raise UserError(f"input={named} does not exist: give a folder of documents, or a file.")
    if not path.is_dir():
        yield from _file(path, path.name)
        return
    for file in sorted(p for p in path.rglob("*") if p.is_file()):
        name = file.relative_to(path).as_posix()
        if not any(part.startswith(".") for part in file.relative_to(path).parts):
            yield from _file(file, name)


def _file(path: Path, name: str) -> Iterator[Manual]:
    if path.suffix.lower() in LINES:
        yield from _records(path)
        return
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): check its permissions.") from None
    if "\0" in text or path.suffix.lower() not in PLAIN:
        raise UserError(
            f"{path} is no text that can be read: give plain UTF-8 files of {', '.join((*PLAIN, *LINES))}, and take it "
            "out of the folder."
        )
    if text.strip():
        yield Manual(name, text)


def _records(path: Path) -> Iterator[Manual]:
    for record in read_file(path, "lm"):
        text = record.fields.get("text")
        if not isinstance(text, str):
            raise UserError(f"The field 'text' of {record.origin} is missing or no text: give the document there.")
        if text.strip():
            yield Manual(str(record.fields.get("id", record.origin)), text)
