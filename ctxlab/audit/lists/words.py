"""Lists of words by group, those of ctxlab and the user's own.

A file has sections, separated by empty lines. A line of a section is ``group: word word word``; the words of a section
can stand for one another in a sentence, whatever their group. Lines that begin with ``#`` are comments. A word of
several parts is written with underscores (``New_Zealander``).

Three kinds of line have their names in parentheses. ``(control): they`` is a word that comes in where no other word of
the group could, and is itself never looked for. ``(not before): and or`` says that the words of the section are meant
only before a word that is none of these. ``(not in): 其他`` gives words inside which none is looked for.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from ctxlab.config.nearest import suggestion
from ctxlab.core.errors import UserError
from ctxlab.text.units import is_single, token_spans

FOLDER = Path(__file__).parent

TOXIC = "toxic"
"""Prefix of the lists that are not about groups."""

CONTROL, NOT_BEFORE, NOT_IN = "(control)", "(not before)", "(not in)"
"""Names of lines that are no groups."""

Units = tuple[str, ...]
"""A word as the units of a text: a single one, or one a character in scripts without blanks."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a list."""

    text: str
    group: str
    section: int

    @property
    def units(self) -> Units:
        """Return its units."""
        return tuple(self.text[start:end] for start, end in token_spans(self.text))


@dataclass(frozen=True)
class WordList:
    """Words by group."""

    name: str
    words: Sequence[Word]
    controls: Mapping[int, Sequence[Word]] = field(default_factory=dict)
    """Section → words of no group, which come in where no other word of the same group could."""
    not_before: Mapping[int, frozenset[str]] = field(default_factory=dict)
    """Section → words before which its words are not meant."""
    not_in: Sequence[Units] = ()
    """Words inside which none is looked for."""

    @property
    def groups(self) -> list[str]:
        """Return the names of the groups, in the order of the file."""
        return list(dict.fromkeys(word.group for word in self.words))

    @cached_property
    def _by_first(self) -> dict[str, list[tuple[Units, Word]]]:
        """First unit in small letters → the words that begin with it, the longest first."""
        found: dict[str, list[tuple[Units, Word]]] = {}
        for word in self.words:
            units = tuple(unit.lower() for unit in word.units)
            for form in {units, (word.text.lower(),)}:  # a token of a list of words may be a whole word
                found.setdefault(form[0], []).append((form, word))
        return {first: sorted(words, key=self._rank) for first, words in found.items()}

    def _rank(self, pair: tuple[Units, Word]) -> tuple[int, bool]:
        """Return what sorts longer words, and those that are meant in some places only, before others."""
        return -len(pair[0]), pair[1].section not in self.not_before

    def find(self, units: Sequence[str]) -> Iterator[tuple[int, int, Word]]:
        """Yield first unit, the one after the last, and word of each occurrence, none inside another."""
        small, at = [unit.lower() for unit in units], 0
        while at < len(small):
            spared = max((len(one) for one in self.not_in if tuple(small[at : at + len(one)]) == one), default=0)
            if spared:
                at += spared
                continue
            known = self._by_first.get(small[at], ())
            hit = next((pair for pair in known if self._is_at(pair, small, at)), None)
            if hit is None:
                at += 1
                continue
            yield at, at + len(hit[0]), hit[1]
            at += len(hit[0])

    def _is_at(self, pair: tuple[Units, Word], units: Sequence[str], at: int) -> bool:
        """Whether a word, in one of its forms, stands at a place of some units and is meant there."""
        form, word = pair
        end = at + len(form)
        if tuple(units[at:end]) != form:
            return False
        spared = self.not_before.get(word.section)
        return spared is None or (end < len(units) and units[end][:1].isalpha() and units[end] not in spared)

    def others(self, word: Word, group: str) -> Sequence[Word]:
        """Return the words of a group that can stand for ``word``, without it; where there is none, its controls."""
        found = [
            one for one in self.words if one.group == group and one.section == word.section and one.text != word.text
        ]
        return found or (self.controls.get(word.section, ()) if group == word.group else ())


def shipped() -> list[str]:
    """Return the names of the lists about groups."""
    return sorted(path.stem for path in FOLDER.glob("*.txt") if not path.stem.startswith(TOXIC))


def read_lists(names: Sequence[str] | None) -> list[WordList]:
    """Return lists by name or file; None for all of ctxlab's.

    Raises:
        UserError: One does not exist, or is not such a file.
    """
    return [read_list(name) for name in (shipped() if names is None else names)]


def read_list(name: str) -> WordList:
    """Return a list of ctxlab by its name, or that of a file.

    Raises:
        UserError: There is none, or the file is not valid; names file and line.
    """
    own = FOLDER / f"{name}.txt"
    if own.parent == FOLDER and own.is_file():
        return parse(own.read_text(encoding="utf-8"), name, str(own))
    path = Path(name).expanduser()
    try:
        return parse(path.read_text(encoding="utf-8"), path.stem, str(path))
    except (OSError, UnicodeDecodeError):
        hint = suggestion(name, shipped(), "lists of ctxlab")
        raise UserError(f"There is no list of words '{name}', neither of ctxlab nor a readable file{hint}") from None


def parse(text: str, name: str, place: str) -> WordList:
    """Return the list that a text holds.

    Args:
        text: Content of the file.
        name: Name of the list in tables.
        place: The file, for messages.

    Raises:
        UserError: A line is not valid, or a group has a word alone in its section, which nothing could stand for.
    """
    every = list(_words(text, place))
    words = [word for word in every if word.group not in (CONTROL, NOT_BEFORE, NOT_IN)]
    found = WordList(
        name,
        words,
        controls=_by_section(every, CONTROL),
        not_before={
            section: frozenset(word.text.lower() for word in own)
            for section, own in _by_section(every, NOT_BEFORE).items()
        },
        not_in=[word.units for word in every if word.group == NOT_IN],
    )
    seen: dict[str, Word] = {}
    for word in words:
        known = seen.setdefault(word.text.lower(), word)
        if known is not word and not _are_told_apart(known, word, found):
            raise UserError(
                f"{place}: the word '{word.text}' is in '{known.group}' and in '{word.group}': keep it in one of them."
            )
    for section in sorted({word.section for word in words}):
        _check(section, found, place)
    if not words:
        raise UserError(f"{place} has no words: write lines such as 'female: Mary Susan'.")
    return found


def _by_section(words: Sequence[Word], group: str) -> dict[int, list[Word]]:
    found: dict[int, list[Word]] = {}
    for word in words:
        if word.group == group:
            found.setdefault(word.section, []).append(word)
    return found


def _are_told_apart(one: Word, other: Word, words: WordList) -> bool:
    """Whether the same word in two sections is of one group, and the word that follows says which of them is meant."""
    return one.group == other.group and (one.section in words.not_before) != (other.section in words.not_before)


def _words(text: str, place: str) -> Iterator[Word]:
    section, is_open = 0, False
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            section, is_open = section + is_open, False
            continue
        if line.startswith("#"):
            continue
        group, colon, rest = line.partition(":")
        if not (colon and group.strip() and rest.split()):
            raise UserError(
                f"{place} line {number} is {line[:60]!r}: write a group, a colon and words, such as 'female: Mary "
                "Susan'."
            )
        if group.strip().startswith("(") and group.strip() not in (CONTROL, NOT_BEFORE, NOT_IN):
            raise UserError(
                f"{place} line {number} begins with {group.strip()!r}, and only {CONTROL}, {NOT_BEFORE} and {NOT_IN} "
                "have a meaning in parentheses: give a group without them."
            )
        is_open = True
        yield from (Word(word.replace("_", " "), group.strip(), section) for word in rest.split())


def _check(section: int, words: WordList, place: str) -> None:
    sizes: dict[str, int] = {}
    for word in words.words:
        if word.section == section:
            sizes[word.group] = sizes.get(word.group, 0) + 1
    alone = next((group for group, size in sizes.items() if size < 2), None) if section not in words.controls else None
    if alone is not None or len(sizes) < 2:
        example = next(one.text for one in words.words if one.section == section)
        raise UserError(
            f"{place}: the section with '{example}' needs at least two groups with two words each, so that every word "
            f"has one of the same group beside those of another: add words, join sections, or give a word of no group "
            f"in a line {CONTROL}."
        )


def shaped(new: str, old: str) -> str:
    """Return a word with the capitals of the one that it stands for."""
    if not old or is_single(old[0]):
        return new
    if len(old) > 1 and old.isupper():
        return new.upper()
    return new[:1].upper() + new[1:] if old[0].isupper() else new.lower()


def counts(units: Sequence[str], words: WordList) -> Mapping[str, int]:
    """Return how often words of each group occur."""
    found = dict.fromkeys(words.groups, 0)
    for _, _, word in words.find(units):
        found[word.group] += 1
    return found
