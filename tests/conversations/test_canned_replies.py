"""Canned replies: kept by administrators, filled in for the lead at hand, never sent with a gap."""

from collections.abc import Callable

import pytest
from django.test import Client

from conversations import canned
from conversations.models import CannedReply, Contact, Conversation, Fact, Message, Number
from orgs.models import AuditEntry, Person, Refused
from tests.conversations.conftest import arrive, incoming, ours, the_conversation

SignIn = Callable[[Person], Client]
PAGE = "/o/acme/canned-replies/"
TEXT = "Oi {{first_name}}, aqui é {{my_name}}, da {{our_company}}. E a {{company}}?"


@pytest.fixture
def talk(number: Number) -> Conversation:
    arrive(number, incoming("Oi", sender_name="Maria das Dores"))
    CannedReply.objects.create(shortcut="oi", text=TEXT)
    return the_conversation()


def know_company(talk: Conversation, value: str) -> None:
    message = Message.objects.get(author="lead")
    Fact.objects.create(
        contact_id=talk.contact_id, conversation=talk, message=message, key="company", value=value, quote="Oi"
    )


def address(end: str = "") -> str:
    return f"/o/acme/inbox/{the_conversation().pk}/{end}"


# --- Filling in -------------------------------------------------------------------------------------------------------
def test_variables_are_filled_from_the_lead_and_who_writes(talk: Conversation, beto: Person) -> None:
    know_company(talk, "Padaria {{first_name}}")
    filled = canned.filled(TEXT, canned.values_for(talk, beto))
    mine, org = beto.get_short_name(), "Acme"
    assert filled == canned.Filled(f"Oi Maria, aqui é {mine}, da {org}. E a Padaria {{{{first_name}}}}?", ())


def test_what_is_not_known_stays_and_is_named_once(talk: Conversation, beto: Person) -> None:
    Contact.objects.update(name="")
    talk.contact.refresh_from_db()
    filled = canned.filled("{{first_name}} {{ first_name }} {{company}} { {x} }", canned.values_for(talk, beto))
    assert filled == canned.Filled("{{first_name}} {{ first_name }} {{company}} { {x} }", ("first_name", "company"))


def test_a_reply_with_a_gap_comes_back_and_is_not_sent(talk: Conversation, sign_in: SignIn, beto: Person) -> None:
    for headers in ({}, {"HX-Request": "true"}):
        answer = sign_in(beto).post(address("replies/"), {"text": TEXT}, headers=headers)
        html = answer.content.decode()
        assert (answer.status_code, "{{company}}" in html.split('id="id_text_error"')[1]) == (422, True)
        assert "Oi {{first_name}}, aqui" in html  # as typed
    assert ours() == []
    assert the_conversation().owner == "ai"
    know_company(talk, "Padaria Sol")
    assert sign_in(beto).post(address("replies/"), {"text": TEXT}).status_code == 302
    assert ours()[0][1].endswith("E a Padaria Sol?")


def test_a_text_grown_too_long_by_its_variables_is_not_sent(talk: Conversation, sign_in: SignIn, beto: Person) -> None:
    answer = sign_in(beto).post(address("replies/"), {"text": "{{our_company}}" * 20 + "x" * 3_790})
    assert answer.status_code == 302
    know_company(talk, "P" * 400)
    assert sign_in(beto).post(address("replies/"), {"text": "{{company}}" * 11}).status_code == 422
    assert len(ours()) == 1


# --- Choosing one -----------------------------------------------------------------------------------------------------
def test_the_choices_are_filled_in(talk: Conversation, sign_in: SignIn, beto: Person, vera: Person) -> None:
    html = sign_in(beto).get(address("canned/")).content.decode()
    assert 'role="option" data-text="Oi Maria, aqui é' in html
    assert "/oi" in html
    assert sign_in(vera).get(address("canned/")).status_code == 403


def test_without_scripts_one_is_chosen_on_a_page_that_keeps_what_was_typed(
    talk: Conversation, sign_in: SignIn, beto: Person
) -> None:
    client = sign_in(beto)
    typed = {"text": "Bom dia!\nTudo bem?", "quoted": ""}
    html = client.post(address("canned/"), typed).content.decode()
    assert 'name="text" value="Bom dia!\nTudo bem?"' in html
    chosen = CannedReply.objects.get()
    html = client.post(address("canned/"), {**typed, "canned": str(chosen.pk)}).content.decode()
    area = html.split("</textarea>")[0].split("<textarea")[1]
    assert "Bom dia!\nTudo bem?\nOi Maria, aqui é" in area
    assert client.post(address("canned/"), {"canned": "999"}).status_code == 404
    assert ours() == []


# --- Keeping them -----------------------------------------------------------------------------------------------------
def test_administrators_keep_them_and_it_is_audited(talk: Conversation, sign_in: SignIn, ana: Person) -> None:
    client = sign_in(ana)
    assert client.post(f"{PAGE}new/", {"shortcut": "/Preco", "text": " É {{first_name}} "}).status_code == 302
    reply = CannedReply.objects.get(shortcut="preco")
    assert (reply.text, reply.changed_by) == ("É {{first_name}}", ana.pk)
    assert "/preco" in client.get(PAGE).content.decode()
    assert client.post(f"{PAGE}{reply.pk}/", {"shortcut": "preco", "text": "Outro"}).status_code == 302
    assert "/preco" in client.get(f"{PAGE}{reply.pk}/removal/").content.decode()
    for _ in range(2):
        client.post(f"{PAGE}{reply.pk}/removal/")
    assert not CannedReply.objects.filter(shortcut="preco").exists()
    actions = list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))
    assert actions[-3:] == ["canned_reply.added", "canned_reply.changed", "canned_reply.removed"]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"shortcut": "oi", "text": "x"}, "shortcut"),  # taken
        ({"shortcut": "dois nomes", "text": "x"}, "shortcut"),
        ({"shortcut": "ok", "text": "{{frist_name}}"}, "text"),
        ({"shortcut": "ok", "text": " "}, "text"),
    ],
)
def test_what_makes_no_sense_comes_back_beside_its_field(
    talk: Conversation, sign_in: SignIn, ana: Person, given: dict[str, str], field: str
) -> None:
    answer = sign_in(ana).post(f"{PAGE}new/", given)
    assert (answer.status_code, f'id="id_{field}_error"' in answer.content.decode()) == (422, True)
    assert CannedReply.objects.count() == 1


def test_others_look_and_change_nothing(talk: Conversation, sign_in: SignIn, beto: Person, vera: Person) -> None:
    reply = CannedReply.objects.get()
    for person in (beto, vera):
        client = sign_in(person)
        html = client.get(PAGE).content.decode()
        assert "/oi" in html
        assert f"{PAGE}new/" not in html
        assert client.post(f"{PAGE}new/", {"shortcut": "a", "text": "b"}).status_code == 403
        assert client.post(f"{PAGE}{reply.pk}/", {"shortcut": "a", "text": "b"}).status_code == 403
        assert client.post(f"{PAGE}{reply.pk}/removal/").status_code == 403
    assert list(CannedReply.objects.values_list("shortcut", "text")) == [("oi", TEXT)]


def test_there_is_a_bound(talk: Conversation, ana: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canned, "AT_MOST", 1)
    with pytest.raises(Refused) as refused:
        canned.keep(None, ana, shortcut="mais", text="x")
    assert refused.value.code == "too_many"
    assert CannedReply.objects.count() == 1
