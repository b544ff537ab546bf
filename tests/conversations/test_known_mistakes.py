"""The mistakes that `make chaos CHAOS=--bugs` puts back do take the protection out of the product as it is today."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from conversations import rows, sending, turns
from conversations.models import Message, Number
from conversations.ports import Decision
from tests.chaos.bugs import BUGS
from tests.conversations.conftest import arrive, incoming, ours, the_conversation, turn


def put_back(name: str, monkeypatch: pytest.MonkeyPatch, *places: tuple[object, str]) -> None:
    """The mistake, until the test ends; `places` are what it replaces."""
    for owner, attribute in places:
        monkeypatch.setattr(owner, attribute, getattr(owner, attribute))
    BUGS[name].put_back()


@pytest.mark.parametrize("is_wrong", [False, True])
def test_the_watermark_by_timestamp_hides_what_came_late(
    number: Number, monkeypatch: pytest.MonkeyPatch, is_wrong: bool
) -> None:
    if is_wrong:
        places = ((turns, "newest_owed"), (turns, "newest_unanswered"))
        put_back("watermark_by_timestamp", monkeypatch, *places)
    arrive(number, incoming("segunda"))
    turn(the_conversation())
    arrive(number, incoming("primeira", sent_at=timezone.now() - timedelta(minutes=1)))
    turn(the_conversation())
    assert len(ours()) == (1 if is_wrong else 2)


@pytest.mark.parametrize("is_wrong", [False, True])
def test_the_epoch_without_lock_claims_without_locks(
    number: Number, monkeypatch: pytest.MonkeyPatch, is_wrong: bool
) -> None:
    if is_wrong:
        places = ((sending, "lock_share"), (sending, "claim_next"), (QuerySet, "select_for_update"), (rows, "fetch"))
        put_back("epoch_without_lock", monkeypatch, *places)
    arrive(number, incoming("Oi"))
    turn(the_conversation())
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert sending.claim_next(the_conversation().pk) is not None
    locks = [
        query["sql"] for query in asked if " FOR " in query["sql"] and "conversations_conversation" in query["sql"]
    ]
    assert bool(locks) is not is_wrong


@pytest.mark.parametrize("is_wrong", [False, True])
def test_the_retaken_turn_without_token_is_written_by_its_former_taker(
    number: Number, monkeypatch: pytest.MonkeyPatch, is_wrong: bool
) -> None:
    if is_wrong:
        put_back("retake_without_token", monkeypatch, (turns, "apply"))
    arrive(number, incoming("Oi"))
    opened = turns.open_turn(the_conversation().pk)
    assert opened is not None
    assert turns.apply(replace(opened, token=uuid4()), Decision(bubbles=("olá",))) is is_wrong
    assert Message.objects.filter(author="ai").exists() is is_wrong
