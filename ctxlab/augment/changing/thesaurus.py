"""Synonyms by word: a small table of English words, or a thesaurus file in MyThes format.

A thesaurus in MyThes format (``th_en_US_v2.dat`` of the Debian package ``mythes-en-us``, and those of office programs
for other languages) has the encoding in its first line. Then each word has a line ``word|number of senses`` and a line
for each sense: ``(part of speech)|synonym|synonym (generic term)|…``.
"""

import codecs
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from ctxlab.core.errors import UserError
from ctxlab.text.units import words

TABLE = Path(__file__).parent / "english.txt"
"""The table of English words; words of a line stand for one another."""

OTHER_THAN = ("generic term", "related term", "antonym")
"""Remarks on an entry of a sense that is no synonym."""

_REMARK = re.compile(r"\s*\(([^()]*)\)\s*$")

Senses = Sequence[Sequence[str]]
"""The synonyms of a word in each of its senses."""

Thesaurus = Mapping[str, Senses]
"""Senses of a word in small letters; words without synonym are missing."""


@cache
def english() -> Thesaurus:
    """Return the table of English words, each of one part of speech and one sense."""
    found: dict[str, Senses] = {}
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            same = words(line.partition(": ")[2])
            found |= {word: [[other for other in same if other != word]] for word in same}
    return found


@cache
def mythes(file: str) -> Thesaurus:
    """Return the synonyms in a file in MyThes format.

    Left out are entries that are marked as generic or related terms or as antonyms, synonyms of several words, and
    words with senses of several parts of speech, between which only the sentence decides.

    Args:
        file: Path of the ``.dat`` file.

    Raises:
        UserError: It cannot be read, or a line is not of this format.
    """
    found: dict[str, Senses] = {}
    for word, senses in _entries(file, _lines(file)):
        if len({part for part, _ in senses}) == 1:
            each = [_synonyms(word, listed) for _, listed in senses]
            if any(each):
                found[word] = [synonyms for synonyms in each if synonyms]
    if not found:
        raise UserError(f"{file} has no synonyms that are single words: give a thesaurus in MyThes format (.dat).")
    return found


def _lines(file: str) -> list[str]:
    try:
        content = Path(file).expanduser().read_bytes()
        encoding = content.split(b"\n", 1)[0].strip().decode("ascii")
        codecs.lookup(encoding)
        return content.decode(encoding).splitlines()[1:]
    except OSError as error:
        raise UserError(
            f"The thesaurus {file} cannot be read ({error.strerror or error}): give another file."
        ) from None
    except (UnicodeDecodeError, LookupError):
        raise UserError(
            f"The thesaurus {file} does not name its encoding in its first line: give a file in MyThes format, such as "
            "th_en_US_v2.dat."
        ) from None


def _entries(file: str, lines: Sequence[str]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield each word in small letters with part of speech and rest of the line of each of its senses."""
    at = 0
    while at < len(lines):
        word, _, number = lines[at].rpartition("|")
        if not lines[at].strip():
            at += 1
            continue
        senses = lines[at + 1 : at + 1 + int(number)] if word and number.strip().isdecimal() else []
        if not senses or len(senses) < int(number) or not all("|" in sense for sense in senses):
            raise UserError(
                f"Line {at + 2} of the thesaurus {file} is {lines[at][:60]!r}, and a word with the number of its "
                "senses was expected: give a file in MyThes format, such as th_en_US_v2.dat."
            )
        parts = [sense.partition("|") for sense in senses]
        yield word.lower(), [(part.strip(), listed) for part, _, listed in parts]
        at += 1 + len(senses)


def _synonyms(word: str, listed: str) -> list[str]:
    """Return the synonyms of a sense, without the word itself, in the order of the file."""
    found: dict[str, None] = {}
    for entry in listed.split("|"):
        remark = _REMARK.search(entry)
        synonym = _REMARK.sub("", entry).strip()
        is_other = remark is not None and remark[1] in OTHER_THAN
        if synonym and not is_other and not re.search(r"\s", synonym) and synonym.lower() != word:
            found[synonym] = None
    return list(found)
