"""Invented names, each of which belongs to exactly one split."""

import hashlib
from functools import cache
from itertools import product

from ctxlab.corpora.grammar.draw import SPLITS

_FIRST = (
    "Bal Bran Cal Cor Dar Del Dor Dran El Ev Fal Fen Gal Gor Hal Har Il Is Jor Kal Kel Kor Lan Lor Mal Mar Mel Mor "
    "Nal Nev Ol Or Pel Quin Ral Rov Sal Sel Stor Tal Ter Tor Ul Val Vel Vor Wen Wil Yor Zan Bex Drus Gren Hask Jut "
    "Kest Nask Pral Rusk Tremb"
)
_MIDDLE = "a e i o u an ar el en il in on or ul em av ev ad ed ak"
_LAST = (
    "bar bek dan dar den dor dra fan gan gar gil kan kar ken kor lan lek len lis lo lun ma mar mek mer mon na nak ner "
    "nis no ra rak ran rek ren ria ril ris ro ros sa sar sel sen sha ska son ta tan tar tel ter tha tin tor va vak van "
    "ver vik vin za"
)

# Upper bounds of hash values below 100: 60 % of the names for training, 20 % for each of the others.
_BOUNDS = {"train": 60, "validation": 80, "test": 100}


def split_of(name: str) -> str:
    """Return the split of a name, determined by a hash of its letters."""
    value = hashlib.sha256(name.encode()).digest()[0] * 100 // 256
    return next(split for split in SPLITS if value < _BOUNDS[split])


def names(split: str) -> tuple[str, ...]:
    """Return all names of a split, in a fixed order."""
    return _names_by_split()[split]


@cache
def _names_by_split() -> dict[str, tuple[str, ...]]:
    middles = ("", *_MIDDLE.split())
    found: dict[str, list[str]] = {split: [] for split in SPLITS}
    for name in sorted({"".join(parts) for parts in product(_FIRST.split(), middles, _LAST.split())}):
        found[split_of(name)].append(name)
    return {split: tuple(some) for split, some in found.items()}
