"""One spelling per person: canonical phone numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdr.lib.phone import canonical, spellings


@pytest.mark.parametrize(
    ("written", "phone"),
    [
        ("553187654321", "5531987654321"),  # an old line without the ninth digit
        ("5531987654321", "5531987654321"),
        ("+55 (31) 98765-4321", "5531987654321"),
        ("0055 31 8765.4321", "5531987654321"),
        ("551133334444", "551133334444"),  # a landline has no ninth digit
        ("551159999999", "551159999999"),
        ("551169999999", "5511969999999"),
        ("550187654321", "550187654321"),  # no such area code: left alone
        ("5511999990001", "5511999990001"),
        ("+1 415 555 0100", "14155550100"),
        ("351912345678", "351912345678"),
        ("2907123", "2907123"),
    ],
)
def test_it_finds_the_canonical_spelling(written: str, phone: str) -> None:
    assert canonical(written) == phone


@pytest.mark.parametrize(
    "text", ["", "+", "123456", "1234567890123456", "0311987654321", "Maria", "55319876x4321", "²³⁴⁵⁶⁷⁸⁹", "٥٥١١٩٩٩٩٩"]
)
def test_it_refuses_what_is_no_number(text: str) -> None:
    assert canonical(text) is None


@given(st.from_regex(r"[1-9][0-9]{6,14}", fullmatch=True))
def test_a_canonical_number_stays_as_it_is(digits: str) -> None:
    phone = canonical(digits)
    assert phone is not None
    assert canonical(phone) == phone
    assert phone in spellings(phone)


@given(st.from_regex(r"55[1-9][1-9]9[6-9][0-9]{7}", fullmatch=True))
def test_both_spellings_of_a_brazilian_mobile_are_one_person(phone: str) -> None:
    assert len(spellings(phone)) == 2
    assert {canonical(one) for one in spellings(phone)} == {phone}
