"""Spam, job seekers, customers, suppliers and our own people leave the funnel by one press, and come back."""

from collections.abc import Callable

import pytest
from django.test import Client

from conversations import lifecycle
from conversations.models import Contact, Conversation, Number
from orgs.models import Person
from tests.conversations.conftest import arrive, incoming, ours, the_conversation, turn
from tests.conversations.test_inbox_bulk import undo

SignIn = Callable[[Person], Client]


def address(end: str = "") -> str:
    return f"/o/acme/inbox/{the_conversation().pk}/{end}"


def standing() -> tuple[str, str, str]:
    conversation = the_conversation()
    return (conversation.lifecycle, conversation.closed_reason, conversation.contact.ignored_as)


@pytest.mark.parametrize("reason", [*lifecycle.MARKS])
def test_they_are_left_alone_also_when_they_write_again(
    number: Number, sign_in: SignIn, beto: Person, reason: str
) -> None:
    arrive(number, incoming("Mando meu currículo?"))
    turn(the_conversation())
    client = sign_in(beto)
    for _ in range(2):
        client.post(address("closure/"), {"reason": reason})
    assert (standing(), [state for state, _ in ours()]) == (("closed", reason, reason), ["cancelled"])
    arrive(number, incoming("Oi?"))
    turn(the_conversation())
    assert (standing(), len(ours()), the_conversation().needs_person_since) == (("open", "", reason), 1, None)


def test_it_can_be_undone_from_the_toast(number: Number, sign_in: SignIn, beto: Person) -> None:
    arrive(number, incoming())
    client = sign_in(beto)
    client.post(address("closure/"), {"reason": "spam"})
    undo(client, address())
    assert standing() == ("open", "", "")


@pytest.mark.parametrize("reason", ["done", "not_interested", "wrong_number"])
def test_who_was_a_lead_may_be_one_again(number: Number, sign_in: SignIn, beto: Person, reason: str) -> None:
    arrive(number, incoming())
    sign_in(beto).post(address("closure/"), {"reason": reason})
    assert standing() == ("closed", reason, "")


def test_a_closed_one_can_still_leave(number: Number, beto: Person) -> None:
    arrive(number, incoming())
    for reason in ("done", "supplier", "done"):
        lifecycle.close(the_conversation(), beto, reason=Conversation.Closing(reason))
    assert standing() == ("closed", "supplier", "supplier")


def test_a_person_takes_them_for_a_lead_again_and_the_ai_answers(number: Number, sign_in: SignIn, beto: Person) -> None:
    arrive(number, incoming())
    Contact.objects.update(ignored_as="customer")
    turn(the_conversation())
    assert ours() == []
    client = sign_in(beto)
    assert 'id="ignored-end"' in client.get(address()).content.decode()
    for _ in range(2):
        client.post(address("ignored/end/"))
    turn(the_conversation())
    assert (standing(), ours()) == (("open", "", ""), [("queued", "ok")])


def test_reopening_leaves_alone_what_was_marked_for_another_reason(number: Number, beto: Person) -> None:
    arrive(number, incoming())
    Contact.objects.update(ignored_as="own")
    lifecycle.close(the_conversation(), beto, reason=Conversation.Closing.DONE)
    lifecycle.reopen(the_conversation(), beto)
    assert standing() == ("open", "", "own")


def test_the_menu_offers_what_can_be_done_and_gives_a_lead_away(
    number: Number, sign_in: SignIn, beto: Person, davi: Person
) -> None:
    arrive(number, incoming())
    client = sign_in(beto)
    menu = client.get(address("menu/"), headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in menu
    for choice in (*lifecycle.MARKS, "done", "pause", "take", "assign", "sleep"):
        assert f'id="menu-{choice}"' in menu
    assert "<html" in client.get(address("menu/")).content.decode()
    client.post(address("assignee/"), {"person": davi.pk})
    assert (the_conversation().assignee_id, the_conversation().owner) == (davi.pk, "ai")
    client.post(address("assignee/"), {"person": "999999"})
    assert the_conversation().assignee_id == davi.pk
    client.post(address("assignee/"), {"person": ""})
    assert the_conversation().assignee_id is None


def test_an_answer_to_the_menu_touches_nothing_of_the_open_conversation(
    number: Number, sign_in: SignIn, beto: Person
) -> None:
    arrive(number, incoming())
    given = {"reason": "done", "from": "menu"}
    html = sign_in(beto).post(address("closure/"), given, headers={"HX-Request": "true"}).content.decode()
    assert ('id="flashes"' in html, "composer-note" in html, "-header" in html) == (True, False, False)
