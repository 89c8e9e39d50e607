"""Addresses of the Internet Protocol, versions 4 and 6."""

import ipaddress
from collections.abc import Iterator

import regex

from ctxlab.core.privacy import Find

# Every quantifier is possessive or bounded, and no match begins within a run, so that reading is linear in the text.
VERSION_4 = regex.compile(
    r"(?=[0-9])(?<![\p{L}\p{N}_]|[0-9][.])[0-9]{1,3}+(?:\.[0-9]{1,3}+){3}(?![\p{L}\p{N}_]|\.[0-9])", regex.V1
)

VERSION_6 = regex.compile(
    r"(?=[0-9A-Fa-f:])(?<![\p{L}\p{N}_:.])[0-9A-Fa-f]{0,4}+:[0-9A-Fa-f:.]*+(?![\p{L}\p{N}_])", regex.V1
)

LONGEST = 45
"""Characters of the longest way to write an address of version 6."""

LEAST_GROUPS = 3
"""Groups that an address of version 6 must have, or ``a::b`` in code would be one."""

KIND = "IP"


def addresses(text: str) -> Iterator[Find]:
    """Yield the addresses of a text; a time of day, a version of three numbers or a name in code is none."""
    for match in VERSION_4.finditer(text):
        octets = [int(one) for one in match[0].split(".")]
        if max(octets) < 256:
            yield Find(match.start(), match.end(), KIND, ".".join(map(str, octets)))
    for match in VERSION_6.finditer(text):
        written = match[0].rstrip(".") if match[0].endswith("::") else match[0].rstrip(".:")
        value = _version_6(written)
        if value:
            yield Find(match.start(), match.start() + len(written), KIND, value)


def _version_6(written: str) -> str:
    groups = [group for group in written.split(":") if group]
    has_digit = any(map(str.isdigit, written))
    if len(written) > LONGEST or written.count(":") < 2 or not has_digit:
        return ""
    if len(groups) < LEAST_GROUPS and written != "::1":
        return ""
    try:
        return str(ipaddress.IPv6Address(written))
    except ValueError:
        return ""
