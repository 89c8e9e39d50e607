"""Numbers that name a person: payment cards, bank accounts, American social security numbers.

Every quantifier is possessive or bounded, and candidates begin at the border of a word, so that reading is linear in
the text whatever it is.
"""

from collections.abc import Iterator

import regex

from ctxlab.core.privacy import Find
from ctxlab.privacy.finding.checksums import CARD_DIGITS, IBAN_LENGTHS, is_card, is_iban
from ctxlab.privacy.finding.digits import BLANK, HYPHEN, digits_of

GROUPS = regex.compile(r"\p{Nd}++", regex.V1)
BETWEEN = regex.compile(rf"{BLANK}|{HYPHEN}", regex.V1)

CARD_GROUPS = frozenset(
    {
        *((size,) for size in CARD_DIGITS), (4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3), (4, 4, 4, 1), (6, 13),
        (4, 4, 4, 4, 1), (4, 4, 4, 4, 2), (4, 4, 5), (4, 4, 4, 3), (4, 4, 4, 2),
    }
)  # fmt: skip
"""Sizes of the groups that the digits of cards are written in."""

MOST_GROUPS = max(map(len, CARD_GROUPS))

IBAN = regex.compile(r"[0-9]{2}(?<=(?<![\p{L}\p{N}_])[A-Za-z]{2}[0-9]{2})", regex.V1)
"""The check digits after the letters of a country."""
IBAN_SIGN = regex.compile(rf"(?:{BLANK}|{HYPHEN})?+([A-Za-z0-9])", regex.V1)
WORD = regex.compile(r"[\p{L}\p{N}]", regex.V1)

SECURITY = regex.compile(
    rf"(?=\p{{Nd}})(?<![\p{{L}}\p{{N}}_]|\p{{N}}[.,\-])(\p{{Nd}}{{3}})({HYPHEN}|{BLANK}?+)(\p{{Nd}}{{2}})({HYPHEN}|{BLANK}?+)(\p{{Nd}}{{4}})"
    r"(?![\p{L}\p{N}_]|[.,\-]\p{N})",
    regex.V1,
)
SECURITY_WORD = regex.compile(r"ssn|social[ -]security", regex.V1 | regex.IGNORECASE)
WORD_REACH = 40
"""Characters before a number within which a word says what it is."""


def cards(text: str) -> Iterator[Find]:
    """Yield the numbers of payment cards: one group of digits, or those of usual sizes, whose check digit is right."""
    groups = [match.span() for match in GROUPS.finditer(text)]
    index = 0
    while index < len(groups):
        count = _card_at(text, groups, index)
        if count:
            start, end = groups[index][0], groups[index + count - 1][1]
            yield Find(start, end, "CARD", digits_of(text[start:end]))
        index += count or 1


def _card_at(text: str, groups: list[tuple[int, int]], index: int) -> int:
    """Return how many groups from ``index`` on are a card; 0 if none are."""
    first = groups[index][0]
    if first and WORD.match(text, first - 1):
        return 0
    sizes: list[int] = []
    best = 0
    for at in range(index, min(index + MOST_GROUPS, len(groups))):
        start, end = groups[at]
        if at > index and not BETWEEN.fullmatch(text, groups[at - 1][1], start):
            break
        sizes.append(end - start)
        if sum(sizes) > CARD_DIGITS[-1]:
            break
        if tuple(sizes) in CARD_GROUPS and not WORD.match(text, end) and is_card(digits_of(text[first:end])):
            best = len(sizes)
    return best


def ibans(text: str) -> Iterator[Find]:
    """Yield international bank account numbers: in groups or not, of the length of their country, checked modulo 97."""
    for match in IBAN.finditer(text):
        start, end = match.start() - 2, match.end()
        signs = list(text[start:end])
        for _ in range(IBAN_LENGTHS.get(text[start : start + 2].upper(), 0) - len(signs)):
            sign = IBAN_SIGN.match(text, end)
            if sign is None:
                break
            signs.append(sign[1])
            end = sign.end()
        value = "".join(signs).upper()
        if is_iban(value) and not WORD.match(text, end):
            yield Find(start, end, "IBAN", value)


def security_numbers(text: str) -> Iterator[Find]:
    """Yield American social security numbers: with hyphens, or in another way where a word before them says so.

    Numbers that are never issued are none: 000, 666 and 900 to 999 first, 00 in the middle, 0000 at the end.
    """
    for match in SECURITY.finditer(text):
        area, group, serial = (digits_of(match[place]) for place in (1, 3, 5))
        if area in ("000", "666") or area[0] == "9" or group == "00" or serial == "0000":
            continue
        hyphens = all(match[place].strip() for place in (2, 4))
        if hyphens or SECURITY_WORD.search(text, max(match.start() - WORD_REACH, 0), match.start()):
            yield Find(match.start(), match.end(), "SSN", area + group + serial)
