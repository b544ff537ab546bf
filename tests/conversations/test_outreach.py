"""A person writes first: to whom they may, for a reason that is kept, and the conversation is theirs."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from conversations import erasure, outreach, replies
from conversations.models import Consent, Contact, Conversation, Message, Number
from orgs.context import in_org
from orgs.models import AuditEntry, Membership, Org, Person
from tests import fakes
from tests.conversations.conftest import arrive, incoming, make_number, ours, send, the_conversation, turn

SignIn = Callable[[Person], Client]
URL = "/o/acme/inbox/new/"
PHONE = "5511999990001"  # whose the arriving messages are


def given(number: Number, /, **fields: Any) -> dict[str, Any]:
    return {
        "number": number.pk, "phone": "(11) 99999-0001", "name": "Maria", "basis": "agreed", "source": "Feira",
        "text": "Oi Maria, aqui é o Beto", "key": "6f1c1f5e-0000-4000-8000-000000000001",
    } | fields  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "digits"),
    [
        ("(11) 99999-0001", PHONE),
        ("011 99999 0001", PHONE),
        ("+55 11 99999-0001", PHONE),
        ("55 31 8888-0001", "5531988880001"),
        ("+351 912 345 678", "351912345678"),
        ("00 1 415 555 0100", "14155550100"),
        ("99999", None),
        ("Maria", None),
    ],
)
def test_a_phone_is_read_as_people_write_it(typed: str, digits: str | None) -> None:
    assert outreach.phone_in(typed) == digits


def test_the_first_words_leave_the_conversation_is_theirs_and_the_reason_is_kept(
    number: Number, sign_in: SignIn, beto: Person
) -> None:
    client = sign_in(beto)
    for _ in range(2):  # pressed twice: once
        answer = client.post(URL, given(number))
        conversation = the_conversation()
        assert answer.headers["Location"] == f"/o/acme/inbox/{conversation.pk}/"
    send(conversation)
    assert fakes.phone.sent == [(f"{PHONE}@s.whatsapp.net", "Oi Maria, aqui é o Beto")]
    assert (conversation.owner, conversation.owner_person_id) == ("person", beto.pk)
    assert (conversation.contact.name, conversation.contact.phone) == ("Maria", PHONE)
    (consent,) = Consent.objects.all()
    assert (consent.basis, consent.source, consent.person_id) == ("agreed", "Feira", beto.pk)
    (entry,) = AuditEntry.objects.filter(action="conversation.started")
    assert (entry.target, entry.data) == (f"conversation:{conversation.pk}", {"basis": "agreed"})
    arrive(number, incoming("Oi Beto"))
    turn(the_conversation())
    assert (len(ours()), the_conversation().needs_person_since is not None) == (1, True)


def test_who_is_known_is_opened_and_nothing_is_sent(number: Number, sign_in: SignIn, beto: Person) -> None:
    arrive(number, incoming())
    answer = sign_in(beto).post(URL, given(number))
    html = answer.content.decode()
    assert (answer.status_code, f'id="known" href="/o/acme/inbox/{the_conversation().pk}/"' in html) == (422, True)
    assert "Oi Maria, aqui é o Beto</textarea>" in html
    assert (ours(), Consent.objects.count(), the_conversation().owner) == ([], 0, "ai")


@pytest.mark.parametrize(
    "change",
    [{"opted_out_at": timezone.now()}, {"blocked_at": timezone.now()}, {"ignored_as": "spam"}, {"ignored_as": "team"}],
)
def test_who_may_not_be_written_to_is_not(
    number: Number, sign_in: SignIn, beto: Person, change: dict[str, object]
) -> None:
    arrive(number, incoming())
    Contact.objects.update(**change)
    other = make_number(name="Suporte", phone="5511988880001")
    assert sign_in(beto).post(URL, given(other)).status_code == 422
    assert (ours(), Conversation.objects.count(), Consent.objects.count()) == ([], 1, 0)


def test_who_was_erased_writes_first(number: Number, sign_in: SignIn, beto: Person) -> None:
    arrive(number, incoming())
    erasure.erase(Contact.objects.get())
    assert sign_in(beto).post(URL, given(number)).status_code == 422
    assert (Contact.objects.count(), Message.objects.count()) == (0, 0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"phone": "123"}, {"phone": "+55 11 98888-0000"}, {"text": "  "}, {"basis": "because"}, {"source": ""},
        {"number": "999"},
    ],
)  # fmt: skip
def test_what_is_missing_or_wrong_is_said_beside_the_field(
    number: Number, sign_in: SignIn, beto: Person, wrong: dict[str, str]
) -> None:
    answer = sign_in(beto).post(URL, given(number, **wrong))
    assert (answer.status_code, Contact.objects.count(), Consent.objects.count()) == (422, 0, 0)
    assert 'aria-invalid="true"' in answer.content.decode()


def test_viewers_may_not(number: Number, sign_in: SignIn, vera: Person) -> None:
    client = sign_in(vera)
    assert (client.get(URL).status_code, client.post(URL, given(number)).status_code) == (403, 403)
    assert Contact.objects.count() == 0
    assert 'id="outreach"' not in client.get("/o/acme/inbox/").content.decode()


def test_two_who_write_first_at_once_send_one_message(committed: None) -> None:
    with in_org(Org.objects.get(slug="acme")):
        number = make_number()
        members = list(Membership.objects.filter(org__slug="acme").select_related("person", "org"))[:2]

        def begin(member: Membership) -> bool:
            try:
                with in_org(Org.objects.get(slug="acme")):
                    outreach.start(number, member, to=PHONE, text="Oi", basis=Consent.Basis.ASKED, source="Site")
                return True
            except outreach.Known:
                return False
            finally:
                connection.close()

        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(begin, members)) == [False, True]
        assert (Conversation.objects.count(), Message.objects.count(), Consent.objects.count()) == (1, 1, 1)


def test_what_a_person_writes_later_asks_for_no_reason_again(number: Number, beto: Person) -> None:
    arrive(number, incoming())
    replies.reply(the_conversation(), beto, text="oi")
    assert Consent.objects.count() == 0
