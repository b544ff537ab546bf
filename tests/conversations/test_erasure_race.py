"""Erasing while the same contact is being worked on, on connections of their own: nothing is left, nothing hangs."""

import json
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from conversations import erasure, intake, sending, turns
from conversations.models import Alias, Contact, Conversation, Message, Number, Turn
from conversations.ports import ChatAddress, Decision, Sent
from orgs import ingest
from orgs.context import in_org
from orgs.models import ChannelAddress, Org, Received
from tests.conversations.conftest import incoming, make_number
from tests.conversations.test_ownership_race import together

ROUNDS = 20


@pytest.fixture
def number(committed: None) -> Number:
    with in_org(Org.objects.get(slug="acme")):
        return make_number(instance="acme")


def chat_of(place: int) -> ChatAddress:
    phone = f"55119{place:08}"
    return ChatAddress(f"{phone}@s.whatsapp.net", phone=phone)


def arrive(number: Number, message: object) -> None:
    with transaction.atomic():
        intake.handle(number, message, received_at=timezone.now())  # type: ignore[arg-type]


def rounds(number: Number, meanwhile: Callable[[int], list[Callable[[], object]]]) -> None:
    """Erase a contact who has just written, together with what `meanwhile` gives for that round."""
    org = Org.objects.get(slug="acme")
    with in_org(org):
        for place in range(ROUNDS):
            arrive(number, incoming("oi", chat=chat_of(place), sent_at=timezone.now() - timedelta(seconds=9)))
            contact = Contact.objects.get()
            together(org, lambda contact=contact: erasure.erase(contact), *meanwhile(place))  # type: ignore[misc]
            left = (Contact, Alias, Conversation, Message, Turn, Received)
            assert [model.__name__ for model in left if model._default_manager.exists()] == []


def test_late_webhooks_of_what_was_said_before(number: Number) -> None:
    def webhooks(place: int) -> list[Callable[[], object]]:
        before = timezone.now() - timedelta(seconds=5)
        messages = [incoming(f"tarde {n}", chat=chat_of(place), sent_at=before) for n in range(3)]
        return [lambda m=message: arrive(number, m) for message in messages]  # type: ignore[misc]

    rounds(number, webhooks)


def test_webhooks_that_are_being_read(number: Number) -> None:
    org = Org.objects.get(slug="acme")
    address = ChannelAddress.objects.create(
        org=org, number_id=number.pk, key="k" * 40, auth="token", secret="s" * 20, instance="acme"
    )

    def reading(place: int) -> list[Callable[[], object]]:
        jid = chat_of(place).jid
        for n in range(3):
            body = json.dumps({"data": {"key": {"remoteJid": jid}}})
            ingest.put_now(ingest.Arrival(org.pk, address.pk, number.pk, f"{place}/{n}", body, {}))
        before = timezone.now() - timedelta(seconds=5)

        def read(pk: int) -> None:
            with transaction.atomic():
                row = Received.objects.select_for_update().filter(pk=pk).first()
                if row is not None:
                    intake.handle(
                        number, incoming("lido", chat=chat_of(place), sent_at=before), received_at=timezone.now()
                    )
                    row.delete()

        return [lambda pk=pk: read(pk) for pk in Received.objects.values_list("pk", flat=True)]  # type: ignore[misc]

    rounds(number, reading)


def test_a_turn_that_is_being_written(number: Number) -> None:
    def writing(place: int) -> list[Callable[[], object]]:
        opened = turns.open_turn(Conversation.objects.get().pk)
        assert opened is not None
        return [lambda: turns.apply(opened, Decision(bubbles=("olá", "tudo bem?")))]

    rounds(number, writing)


def test_a_send_that_is_being_claimed_and_recorded(number: Number) -> None:
    def sends(place: int) -> list[Callable[[], object]]:
        conversation = Conversation.objects.get()
        opened = turns.open_turn(conversation.pk)
        assert opened is not None
        turns.apply(opened, Decision(bubbles=("olá",)))

        def one() -> None:
            claim = sending.claim_next(conversation.pk)
            if claim is not None:
                sending.mark_sent(claim, Sent(f"OUT{place}", chat_of(place).jid, timezone.now()))

        return [one]

    rounds(number, sends)


def test_two_who_erase_at_once(number: Number) -> None:
    lock = threading.Lock()
    found: list[int] = []

    def again(place: int) -> list[Callable[[], object]]:
        contact = Contact.objects.get()

        def erase() -> None:
            counts = erasure.erase(contact)
            with lock:
                found.append(counts["conversations.Contact"])

        return [erase, erase]

    rounds(number, again)
    assert sum(found) <= ROUNDS
