"""Real connections at the same moment."""

from django.db import transaction
from django.utils import timezone

from conversations import intake
from conversations.models import Alias, Contact, Conversation, Message
from conversations.ports import ChatAddress
from orgs.context import in_org
from orgs.models import Org
from tests.conversations.conftest import incoming, make_number
from tests.conversations.test_ownership_race import together

ROUNDS = 25


def test_two_first_messages_of_one_lead_make_one_contact(committed: None) -> None:
    org = Org.objects.get(slug="acme")
    with in_org(org):
        number = make_number()
        for place in range(ROUNDS):
            phone, lid = f"55119{place:08}", f"2100000000{place:05}"
            first = incoming("um", chat=ChatAddress(f"{phone}@s.whatsapp.net", phone=phone))
            second = incoming("dois", chat=ChatAddress(f"{lid}@lid", phone=phone, lid=lid))
            third = incoming("três", chat=ChatAddress(f"{phone}@s.whatsapp.net", phone=phone))

            def receive(message: object) -> None:
                with transaction.atomic():
                    intake.handle(number, message, received_at=timezone.now())  # type: ignore[arg-type]

            together(org, *(lambda m=m: receive(m) for m in (first, second, third)))
            assert Contact.objects.filter(merged_into=None).count() == place + 1
            assert Conversation.objects.count() == place + 1
        assert Message.objects.count() == 3 * ROUNDS
        assert Alias.objects.count() == 2 * ROUNDS
        for conversation in Conversation.objects.all():
            assert sorted(conversation.messages.values_list("seq", flat=True)) == [1, 2, 3]


def test_one_message_delivered_by_many_at_once_is_stored_once(committed: None) -> None:
    org = Org.objects.get(slug="acme")
    with in_org(org):
        number = make_number()
        for place in range(ROUNDS):
            message = incoming("oi", pid=f"DUP{place}")

            def receive(message: object = message) -> None:
                with transaction.atomic():
                    intake.handle(number, message, received_at=timezone.now())  # type: ignore[arg-type]

            together(org, receive, receive, receive, receive)
        assert Message.objects.count() == ROUNDS
