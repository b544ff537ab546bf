"""A webhook that was only late, and the gap detective, at the same moment on connections of their own."""

from concurrent.futures import Future
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from conversations import gaps, intake, sending
from conversations.models import Contact, Conversation, Event, Message
from conversations.ports import ChatAddress, MessageKind, ReadBack
from orgs.context import in_org
from orgs.models import Org
from tests.conversations.conftest import incoming, make_number
from tests.conversations.test_ownership_race import together

ROUNDS = 30


def read(*messages: object) -> "Future[ReadBack]":
    asked: Future[ReadBack] = Future()
    asked.set_result(ReadBack(messages=messages))  # type: ignore[arg-type]
    return asked


def test_a_late_webhook_and_reading_back_store_one_message(committed: None) -> None:
    org = Org.objects.get(slug="acme")
    with in_org(org):
        number = make_number(instance="acme")
        now = timezone.now()
        plan = gaps.Plan(number.pk, sending.transport_of(number), since=now - timedelta(hours=1), until=now)
        for place in range(ROUNDS):
            phone = f"55119{place:08}"
            message = incoming(
                "oi",
                pid=f"LATE{place}",
                sent_at=now - timedelta(minutes=2),
                chat=ChatAddress(f"{phone}@s.whatsapp.net", phone=phone),
            )

            def webhook(message: object = message) -> None:
                with transaction.atomic():
                    intake.handle(number, message, received_at=timezone.now())  # type: ignore[arg-type]

            def reading(message: object = message) -> None:
                gaps.compare(plan, plan.since, plan.until, read(message))

            together(org, webhook, reading, webhook, reading)
            assert Contact.objects.count() == Conversation.objects.count() == place + 1
        assert Message.objects.count() == ROUNDS
        assert Event.objects.count() == ROUNDS
        assert set(Conversation.objects.values_list("unread", flat=True)) == {1}


def test_a_send_that_is_recorded_while_it_is_read_back_is_nobody_s_takeover(committed: None) -> None:
    org = Org.objects.get(slug="acme")
    with in_org(org):
        number = make_number(instance="acme")
        now = timezone.now()
        plan = gaps.Plan(number.pk, sending.transport_of(number), since=now - timedelta(hours=1), until=now)
        for place in range(ROUNDS):
            phone = f"55119{place:08}"
            chat = ChatAddress(f"{phone}@s.whatsapp.net", phone=phone)
            with transaction.atomic():
                intake.handle(number, incoming("oi", chat=chat), received_at=now)
            conversation = Conversation.objects.get(contact__phone=phone)
            ours = Message.objects.create(
                conversation=conversation, number=number, author=Message.Author.AI, state=Message.State.SENDING,
                seq=2, text="olá", attempts=1, claimed_at=now - timedelta(minutes=2),
            )  # fmt: skip
            Conversation.objects.filter(pk=conversation.pk).update(seq=2)
            echo = incoming(
                "olá", pid=f"OUT{place}", chat=chat, from_us=True, sent_at=now - timedelta(minutes=2),
                kind=MessageKind.TEXT,
            )  # fmt: skip

            def record(pk: int = ours.pk, provider_id: str = echo.provider_id) -> None:
                with transaction.atomic():
                    known = Message.objects.get(pk=pk)
                    intake.locked(known.conversation_id)
                    message = Message.objects.select_for_update().get(pk=pk)
                    if message.state != Message.State.SENT:
                        intake.settle(message, provider_id=provider_id, sent_at=None)

            def reading(echo: object = echo) -> None:
                gaps.compare(plan, plan.since, plan.until, read(echo))

            together(org, record, reading, reading)
        assert set(Conversation.objects.values_list("owner", flat=True)) == {Conversation.Owner.AI}
        assert Message.objects.filter(author=Message.Author.AI, state=Message.State.SENT).count() == ROUNDS
        assert Message.objects.count() == 2 * ROUNDS


def test_reading_back_locks_in_the_order_of_everybody(committed: None) -> None:
    org = Org.objects.get(slug="acme")
    with in_org(org):
        number = make_number(instance="acme")
        now = timezone.now()
        plan = gaps.Plan(number.pk, sending.transport_of(number), since=now - timedelta(hours=1), until=now)
        chat = ChatAddress("5511970000000@s.whatsapp.net", phone="5511970000000")
        with transaction.atomic():
            intake.handle(number, incoming("oi", chat=chat), received_at=now)
        for place in range(ROUNDS):
            sent_at = now - timedelta(minutes=2)
            found = [
                incoming(str(n), pid=f"FOUND{place}-{n}", chat=chat, from_us=True, sent_at=sent_at) for n in range(3)
            ]
            told = incoming("told", pid=f"TOLD{place}", chat=chat, from_us=True, sent_at=sent_at)

            def webhook(message: object = told) -> None:
                with transaction.atomic():
                    intake.handle(number, message, received_at=timezone.now())  # type: ignore[arg-type]

            def reading(messages: object = found) -> None:
                gaps.compare(plan, plan.since, plan.until, read(*messages))  # type: ignore[misc]

            together(org, webhook, reading, webhook, reading)  # a deadlock would raise
        assert Message.objects.filter(author=Message.Author.PERSON).count() == ROUNDS * 4
