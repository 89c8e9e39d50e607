"""Checks that tell numbers of a kind from other numbers: Luhn's of cards, ISO 7064's of bank accounts."""

CARD_DIGITS = range(13, 20)
"""Digits of a payment card (ISO/IEC 7812)."""

ISSUERS = (
    (4, 4), (51, 55), (2221, 2720), (34, 34), (37, 37), (6011, 6011), (644, 649), (65, 65), (300, 305), (36, 36),
    (38, 39), (3528, 3589), (62, 62), (50, 50), (56, 58), (60, 60), (63, 63), (67, 69), (81, 81),
)  # fmt: skip
"""First digits of the networks: Visa, Mastercard, American Express, Discover, Diners, JCB, UnionPay, Maestro, RuPay."""

IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29,
    "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29,
    "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28,
    "HN": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20,
    "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19,
    "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29,
    "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24,
    "SM": 27, "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
    "YE": 30,
}  # fmt: skip
"""Characters of an IBAN by country (ISO 13616)."""


def is_card(digits: str) -> bool:
    """Whether digits are those of a payment card: an issuer's first ones, and Luhn's check digit last."""
    return len(digits) in CARD_DIGITS and _issued(digits) and luhn(digits)


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others (Luhn, US patent 2950048)."""
    total = 0
    for place, digit in enumerate(map(int, reversed(digits))):
        total += digit if place % 2 == 0 else 2 * digit - 9 * (digit > 4)
    return total % 10 == 0


def is_iban(value: str) -> bool:
    """Whether capital letters and digits without blanks are an IBAN: a country's length, and remainder 1 modulo 97."""
    if len(value) != IBAN_LENGTHS.get(value[:2], -1):
        return False
    return int("".join(str(int(one, 36)) for one in value[4:] + value[:4])) % 97 == 1


def _issued(digits: str) -> bool:
    return any(low <= int(digits[: len(str(low))]) <= high for low, high in ISSUERS)
