"""Numbers, amounts and shares are read in figures and in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations.playbook.money import amounts, level, numbers, shares


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("três mil e setecentos", [3700]),
        ("cinquenta e quatro", [54]),
        ("uns 1.250,00", [1250]),
        ("$2,450.75", [2450.75]),
        ("8 ou 9", [8, 9]),
        ("entre 4 e 6 mil", [4, 6000]),
        ("thirty-seven", [37]),
        ("four hundred and five", [405]),
        ("doscientos treinta y uno", [231]),
        ("duas dúzias", [24]),
        ("half a dozen", [6]),
        ("2,3 milhões", [2_300_000]),
    ],
)
def test_it_reads_numbers(text: str, values: list[float]) -> None:
    assert [number.value for number in numbers(level(text))] == values


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("fica em R$ 1.890,50 por mês", [(1890.5, "R$ 1.890,50")]),
        ("son ochenta euros", [(80, "ochenta euros")]),
        ("30 contos", [(30, "30 contos")]),
        ("a visita é gratuita", [(0, "gratuita")]),
        ("tenho 40 alunos", []),
    ],
)
def test_it_reads_amounts_of_money(text: str, found: list[tuple[float, str]]) -> None:
    assert [(amount.value, text[amount.start : amount.end]) for amount in amounts(level(text))] == found


@pytest.mark.parametrize(("text", "found"), [("15% off", [15]), ("oitenta por cento", [80]), ("15 dias", [])])
def test_it_reads_shares(text: str, found: list[float]) -> None:
    assert [share.value for share in shares(level(text))] == found


@given(st.text(max_size=80))
def test_it_keeps_every_character_in_its_place(text: str) -> None:
    plain = level(text)
    assert len(plain) == len(text)
    assert all(0 <= number.start < number.end <= len(text) for number in numbers(plain))
