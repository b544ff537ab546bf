"""A slot is taken only when the lead took it (evals/README, `slots.jsonl`)."""

import json
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations.playbook import slots
from conversations.playbook.dates import Part
from conversations.playbook.slots import AskedTime, Outcome
from conversations.ports import Slot

SAO_PAULO = ZoneInfo("America/Sao_Paulo")
MONDAY = datetime(2026, 11, 23, 10, 12, tzinfo=SAO_PAULO)
EVALS = Path(__file__).parent.parent / "evals"


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=SAO_PAULO)


OFFERED = [Slot(1, at(24, 9)), Slot(2, at(25, 14)), Slot(3, at(26, 16, 30))]


@pytest.mark.parametrize("file", ["slots.jsonl", "more/slots.jsonl"])
def test_it_reads_the_labelled_answers(file: str) -> None:
    rows = [json.loads(line) for line in (EVALS / file).read_text().splitlines()]
    right = asked = 0
    for row in rows:
        now = datetime.fromisoformat(row["now"]).astimezone(ZoneInfo(row["timezone"]))
        offered = [Slot(one["n"], datetime.fromisoformat(one["start"])) for one in row["slots"]]
        answer = slots.read(row["text"], offered, now=now)
        label = row["expect"]
        assert answer.number in {None, label.get("slot_choice")}, f"booked what was not taken: {row['text']}"
        right += answer.number == label.get("slot_choice")
        asked += shown(answer) == label.get("asked_time")
    assert right / len(rows) >= 0.95
    assert asked / len(rows) >= 0.90


def shown(answer: slots.SlotAnswer) -> dict[str, Any] | None:
    if not answer.asked or answer.outcome is Outcome.TAKES:
        return None
    return {
        "date": answer.asked.day and answer.asked.day.isoformat(),
        "part": answer.asked.part,
        "time": answer.asked.time and "{:02d}:{:02d}".format(*answer.asked.time),
    }


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("quero a opção 2", 2),
        ("a primeira, por favor", 1),
        ("na quarta fechou", 2),
        ("quinta-feira às quatro e meia", 3),
        ("não, terça não. pode ser quarta", 2),
        ("terça... digo, quinta", 3),
        ("the last one works for me", 3),
        ("miércoles a las 2 de la tarde", 2),
        ("14h", 2),
        ("depois de amanhã", 2),
    ],
)
def test_it_takes_what_is_plainly_taken(text: str, number: int) -> None:
    assert slots.read(text, OFFERED, now=MONDAY) == slots.SlotAnswer(Outcome.TAKES, number)


@pytest.mark.parametrize(
    "text",
    [
        "terça ou quinta, tanto faz",
        "somos 2 sócios e 14 funcionários na empresa",
        "quarta eu levo meu filho no médico às 14h",
        "vou ver se quinta dá e te aviso",
        "a 1 e a 3",
        "talvez quarta",
        "trabalho das 9 às 14 horas todo dia na loja",
        "quanto custa o plano de 3 meses?",
    ],
)
def test_it_never_books_on_a_guess(text: str) -> None:
    assert slots.read(text, OFFERED, now=MONDAY).number is None


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("só consigo sexta às 10h", AskedTime(date(2026, 11, 27), Part.MORNING, (10, 0))),
        ("tem no dia 30 à tarde?", AskedTime(date(2026, 11, 30), Part.AFTERNOON, None)),
        ("could we do thursday evening instead?", AskedTime(date(2026, 11, 26), Part.EVENING, None)),
        ("mejor el viernes por la mañana", AskedTime(date(2026, 11, 27), Part.MORNING, None)),
    ],
)
def test_it_hears_another_time(text: str, asked: AskedTime) -> None:
    assert slots.read(text, OFFERED, now=MONDAY) == slots.SlotAnswer(Outcome.ASKS_OTHER, asked=asked)


@given(
    hours=st.lists(st.integers(0, 24 * 6), min_size=2, max_size=3, unique=True),
    say=st.sampled_from(
        ["{weekday}", "{weekday} {part}", "{hour}h", "às {hour}", "pode ser {weekday}", "{part}", "sim"]
    ),
    which=st.integers(0, 2),
)
def test_it_never_books_where_two_fit(hours: list[int], say: str, which: int) -> None:
    """Whatever is taken is the only slot of its day, part or hour, if that is all the lead said."""
    offered = [
        Slot(n, MONDAY.replace(minute=0) + timedelta(days=1, hours=hour)) for n, hour in enumerate(hours, start=1)
    ]
    meant = offered[which % len(offered)].starts_at
    weekday = ["segunda-feira", "terça", "quarta", "quinta", "sexta", "sábado", "domingo"][meant.weekday()]
    part = "de manhã" if meant.hour < 12 else "à tarde" if meant.hour < 18 else "à noite"
    text = say.format(weekday=weekday, part=part, hour=meant.hour)
    answer = slots.read(text, offered, now=MONDAY)
    if answer.number is None:
        return
    taken = offered[answer.number - 1].starts_at
    others = [slot.starts_at for slot in offered if slot.starts_at != taken]
    if "{weekday}" in say:
        assert taken.weekday() == meant.weekday()
        if "{part}" not in say:
            assert all(other.date() != taken.date() for other in others)
    elif "{hour}" in say:
        assert all((other.hour, other.minute) != (taken.hour, taken.minute) for other in others)
    else:
        assert say == "{part}"
