"""Take over and give back, from the page."""

from collections.abc import Callable

import pytest
from django.test import Client

from conversations.models import Number, Takeover
from orgs.models import AuditEntry, Due, Person
from tests.conversations.conftest import arrive, incoming, ours, the_conversation, turn

SignIn = Callable[[Person], Client]


def address(end: str = "") -> str:
    return f"/o/acme/inbox/{the_conversation().pk}/{end}"


def actions() -> list[str]:
    return list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))


def test_taking_over_withdraws_what_the_ai_had_queued(number: Number, sign_in: SignIn, beto: Person) -> None:
    arrive(number, incoming())
    turn(the_conversation())
    answer = sign_in(beto).post(address("takeover/"))
    assert (answer.status_code, answer.headers["Location"]) == (302, address())
    conversation = the_conversation()
    assert (conversation.owner, conversation.owner_person_id, conversation.epoch) == ("person", beto.pk, 1)
    assert [state for state, _ in ours()] == ["cancelled"]
    assert Takeover.objects.get().source == "inbox"
    (entry,) = AuditEntry.objects.filter(action="conversation.taken_over")
    assert (entry.person_id, entry.target, entry.data) == (beto.pk, f"conversation:{conversation.pk}", {"from": "ai"})


def test_taking_over_twice_is_once(number: Number, sign_in: SignIn, beto: Person) -> None:
    arrive(number, incoming())
    client = sign_in(beto)
    for _ in range(2):
        client.post(address("takeover/"))
    assert (the_conversation().epoch, actions().count("conversation.taken_over")) == (1, 1)


def test_a_colleague_can_take_it_from_a_colleague(number: Number, sign_in: SignIn, beto: Person, davi: Person) -> None:
    arrive(number, incoming())
    for person in (beto, davi):
        sign_in(person).post(address("takeover/"))
    assert the_conversation().owner_person_id == davi.pk
    assert list(Takeover.objects.order_by("pk").values_list("person_id", "ended_by")) == [
        (beto.pk, davi.pk),
        (davi.pk, None),
    ]


def test_giving_back_lets_the_ai_answer_what_is_unanswered(number: Number, sign_in: SignIn, beto: Person) -> None:
    arrive(number, incoming())
    client = sign_in(beto)
    client.post(address("takeover/"))
    Due.objects.all().delete()
    client.post(address("takeover/end/"))
    assert the_conversation().owner == "ai"
    assert Due.objects.get().kind == "turn"
    turn(the_conversation())
    assert [state for state, _ in ours()] == ["queued"]
    client.post(address("takeover/end/"))
    assert actions().count("conversation.given_back") == 1


@pytest.mark.parametrize(("taken", "buttons"), [(False, (True, False)), (True, (False, True))])
def test_the_page_offers_what_can_be_done(
    number: Number, sign_in: SignIn, beto: Person, taken: bool, buttons: tuple[bool, bool]
) -> None:
    arrive(number, incoming())
    client = sign_in(beto)
    if taken:
        client.post(address("takeover/"))
    html = client.get(address()).content.decode()
    assert ('id="take-over"' in html, 'id="give-back"' in html) == buttons


def test_htmx_gets_the_thread_and_the_header(number: Number, sign_in: SignIn, beto: Person) -> None:
    arrive(number, incoming())
    answer = sign_in(beto).post(address("takeover/"), headers={"HX-Request": "true"})
    html = answer.content.decode()
    assert answer.status_code == 200
    assert html.lstrip().startswith('<div class="thread__messages"')
    assert ('id="give-back"' in html, 'id="flashes"' in html, "<textarea" in html) == (True, True, False)
