"""Invented personal data of every kind, written in the usual ways, and sentences around it. No real person has it.

Check digits are computed here by brute force: the one of all digits that the published rule accepts.
"""

import random

SENTENCES = "the ship sailed north and nobody on board knew who had written a letter from the harbour that day"
WORDS, SURNAMES = SENTENCES.split(), ("miller", "okafor", "lindqvist", "tanaka", "moreau")

CARDS = [("4", 16), ("51", 16), ("2221", 16), ("37", 15), ("6011", 16), ("3528", 16), ("4", 13)]


def luhn_total(digits):
    doubled = [int(one) * (1 + (len(digits) - place) % 2) for place, one in enumerate(digits, 1)]
    return sum(value // 10 + value % 10 for value in doubled)


def digits(draw, count):
    return "".join(draw.choice("0123456789") for _ in range(count))


def card(draw):
    prefix, length = draw.choice(CARDS)
    begin = prefix + digits(draw, length - len(prefix) - 1)
    number = next(begin + last for last in "0123456789" if luhn_total(begin + last) % 10 == 0)
    gap = draw.choice(["", "", " ", "-"])
    sizes = (4, 6, 5) if length == 15 else (4, 4, 4, 4) if length == 16 else (13,)
    return grouped(number, sizes, gap)


def grouped(number, sizes, gap):
    parts, at = [], 0
    for size in sizes:
        parts.append(number[at : at + size])
        at += size
    return gap.join(parts)


def iban(draw):
    country, length = draw.choice([("DE", 22), ("GB", 22), ("FR", 27), ("NO", 15), ("MT", 31), ("NL", 18), ("PL", 28)])
    rest = digits(draw, length - 4) if country not in ("GB", "NL", "MT") else "ABCD" + digits(draw, length - 8)
    for check in range(2, 99):
        moved = rest + country + f"{check:02}"
        if int("".join(str(int(one, 36)) for one in moved)) % 97 == 1:
            break
    number = f"{country}{check:02}{rest}"
    return " ".join(number[at : at + 4] for at in range(0, length, 4)) if draw.random() < 0.5 else number


def email(draw):
    name = draw.choice(["{0}", "{0}.{1}", "{0}_{1}", "{0}+list", "{0}-{1}99"]).format(*draw.sample(SURNAMES, 2))
    return f"{name}@{draw.choice(['example.com', 'mail.example.org', 'post.example.co.uk', 'EXAMPLE.NET'])}"


def phone(draw):
    area, four = f"{draw.randint(2, 9)}{digits(draw, 2)}", digits(draw, 4)
    three = f"{draw.randint(2, 9)}{digits(draw, 2)}"
    pairs, seven = grouped(digits(draw, 8), (2,) * 4, " "), digits(draw, 7)
    return draw.choice([
        f"+49 30 {seven}", f"+1 ({area}) {three}-{four}", f"({area}) {three}-{four}", f"{area}-{three}-{four}",
        f"{area}.{three}.{four}", f"030 {seven}", f"0171/{seven}", f"01 {pairs}", f"+33 6 {pairs}",
        f"+44 (0)20 {digits(draw, 4)} {four}", f"0049 30 {seven}", f"1-800-{three}-{four}",
    ])  # fmt: skip


def ssn(draw):
    return f"{draw.randint(1, 665):03}-{draw.randint(1, 99):02}-{draw.randint(1, 9999):04}"


def ip(draw):
    if draw.random() < 0.5:
        return ".".join(str(draw.randint(0, 255)) for _ in range(4))
    groups = [f"{draw.randint(4096, 65535):x}" for _ in range(8)]
    groups[0] = "2001"
    return ":".join(groups) if draw.random() < 0.5 else ":".join([*groups[:3], "", *groups[5:]])


KINDS = {"EMAIL": email, "CARD": card, "IBAN": iban, "PHONE": phone, "SSN": ssn, "IP": ip}


def document(seed, count=40, words=12):
    """A text, and the kind and place of everything personal in it, between punctuation of all kinds."""
    draw = random.Random(seed)
    text, planted = "", []
    for _ in range(count):
        text += " ".join(draw.choices(WORDS, k=draw.randint(1, words)))
        kind = draw.choice(list(KINDS))
        before, after = draw.choice([(" ", " "), (": ", ". "), (" (", ") "), ("\n", "\n"), (' "', '", '), (", ", "; ")])
        value = KINDS[kind](draw)
        text += before
        planted.append((kind, len(text), len(text) + len(value)))
        text += value + after
    return text, planted
