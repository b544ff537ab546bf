"""From the panel: a lead is left alone or written to again with a proof, gets what we keep, and is erased."""

import json
from collections.abc import Callable

import pytest
from django.test import Client

from conversations import privacy
from conversations.models import Contact, Message, Number, OptOut
from orgs.models import AuditEntry, Person
from tests.conversations.conftest import arrive, incoming, ours, the_conversation, turn

SignIn = Callable[[Person], Client]


@pytest.fixture
def lead(number: Number) -> Contact:
    arrive(number, incoming("Oi, sou a Maria"))
    return Contact.objects.get()


def address(end: str = "") -> str:
    return f"/o/acme/inbox/{the_conversation().pk}/{end}"


def test_a_person_says_that_they_want_to_be_left_alone(lead: Contact, sign_in: SignIn, beto: Person) -> None:
    turn(the_conversation())
    client = sign_in(beto)
    for _ in range(2):  # the second changes nothing
        assert client.post(address("opt-out/"), {"note": " Por telefone,  na segunda "}).status_code == 302
    kept = OptOut.objects.get()
    assert (kept.is_out, kept.person_id, kept.note) == (True, beto.pk, "Por telefone, na segunda")
    assert [state for state, _ in ours()] == ["cancelled"]
    page = client.get(address()).content.decode()
    assert "“Por telefone, na segunda”" in page
    assert "/opt-out/end/" in page
    assert client.post(address("opt-out/end/"), {"note": "Pediu no balcão"}).status_code == 302
    assert Contact.objects.get().opted_out_at is None
    assert list(OptOut.objects.order_by("pk").values_list("is_out", "note")) == [
        (True, "Por telefone, na segunda"), (False, "Pediu no balcão"),
    ]  # fmt: skip
    entries = AuditEntry.objects.filter(action__startswith="contact.").order_by("pk")
    assert [(entry.action, entry.data) for entry in entries] == [
        ("contact.opted_out", {}), ("contact.opted_back", {}),
    ]  # fmt: skip


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
def test_it_needs_a_proof(lead: Contact, sign_in: SignIn, beto: Person, headers: dict[str, str]) -> None:
    answer = sign_in(beto).post(address("opt-out/"), {"note": "  "}, headers=headers)
    assert answer.status_code == 422
    assert 'id="opt_out-error"' in answer.content.decode()
    assert Contact.objects.get().opted_out_at is None
    assert not OptOut.objects.exists()


def test_an_administrator_exports_everything(lead: Contact, sign_in: SignIn, davi: Person) -> None:
    answer = sign_in(davi).post(address("export/"))
    kept = json.loads(answer.content)
    assert kept["data"]["conversations.Message"][0]["text"] == "Oi, sou a Maria"
    assert "attachment" in answer["Content-Disposition"]
    assert AuditEntry.objects.get(action="contact.exported").target == f"contact:{lead.pk}"


def test_an_administrator_erases_after_a_question(lead: Contact, sign_in: SignIn, davi: Person) -> None:
    client, where = sign_in(davi), address("erasure/")
    assert "Maria" in client.get(where).content.decode()
    assert Message.objects.exists()
    assert client.post(where).headers["Location"] == "/o/acme/inbox/"
    assert not Contact.objects.exists()
    assert client.post(where).status_code == 404
    assert AuditEntry.objects.filter(action="contact.erased").count() == 1


def test_sellers_erase_and_export_nothing_and_viewers_switch_nothing(
    lead: Contact, sign_in: SignIn, beto: Person, vera: Person
) -> None:
    client = sign_in(beto)
    page = client.get(address()).content.decode()
    assert "/opt-out/" in page
    assert "/erasure/" not in page
    assert [client.post(address(end)).status_code for end in ("export/", "erasure/")] == [403, 403]
    assert sign_in(vera).post(address("opt-out/"), {"note": "x"}).status_code == 403
    assert Contact.objects.get().opted_out_at is None
    assert not AuditEntry.objects.filter(action__startswith="contact.").exists()


def test_switching_at_once_is_one_switch(lead: Contact, ana: Person) -> None:
    stale = Contact.objects.get()
    assert privacy.opt_out(lead, "Por telefone", ana)
    assert not privacy.opt_out(stale, "Por e-mail", ana)  # asks the row, not what was read before
    assert OptOut.objects.get().note == "Por telefone"
