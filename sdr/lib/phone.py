"""Phone numbers as digits: one canonical spelling per person, so that two ways to write a number find the same contact.

Only what WhatsApp and the CRMs disagree about is handled: punctuation, a leading `+` or `00`, and Brazil's ninth digit,
which WhatsApp leaves out for lines registered before it came (area codes from 31 on). Sources: contract
evolution.md 5.4; lengths: ITU-T E.164.
"""

import re

SHORTEST = 7  # digits with the country's; the shortest in use (Saint Helena: 290 and four or five more)
LONGEST = 15  # ITU-T E.164, 6.2.1
INTERNATIONAL_PREFIX = "00"
BRAZIL_WITHOUT_NINTH = re.compile(r"55([1-9][1-9])([6-9]\d{7})")
BRAZIL_MOBILE = re.compile(r"55([1-9][1-9])9([6-9]\d{7})")
PUNCTUATION = re.compile(r"[\s().+/‐-―-]")


def canonical(text: str) -> str | None:
    """The one spelling of a number that carries its country code: ASCII digits only, Brazil's ninth digit added.

    In: digits, perhaps with `+`, `00`, spaces, brackets, dots, dashes or slashes. Out: None when it cannot be a number
    (a letter, fewer than 7 or more than 15 digits, a leading zero). Landlines (subscriber part 2 to 5) stay as is.
    """
    digits = PUNCTUATION.sub("", text).removeprefix(INTERNATIONAL_PREFIX)
    if not (digits.isascii() and digits.isdigit()) or not SHORTEST <= len(digits) <= LONGEST or digits.startswith("0"):
        return None
    old = BRAZIL_WITHOUT_NINTH.fullmatch(digits)
    return f"55{old[1]}9{old[2]}" if old else digits


def spellings(phone: str) -> tuple[str, ...]:
    """All spellings under which `phone` (canonical digits) may be known elsewhere, the canonical one first."""
    mobile = BRAZIL_MOBILE.fullmatch(phone)
    return (phone, f"55{mobile[1]}{mobile[2]}") if mobile else (phone,)
