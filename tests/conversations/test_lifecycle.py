"""Closing, reopening and snoozing: by people, by the clock, and by the lead's next word."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from conversations import invariants, lifecycle, turns
from conversations.models import AgentVersion, Conversation, Event, Message, Number
from conversations.ports import Decision
from orgs.models import AuditEntry, Due, Later, Person, Refused
from tests import fakes
from tests.conversations.conftest import arrive, incoming, ours, send, the_conversation, turn

SignIn = Callable[[Person], Client]
Closing = Conversation.Closing
DAYS = timedelta(days=14)


def address(end: str) -> str:
    return f"/o/acme/inbox/{the_conversation().pk}/{end}"


def standing() -> tuple[str, str]:
    conversation = the_conversation()
    return conversation.lifecycle, conversation.closed_reason


def lifecycles() -> list[str]:
    return [event.data["lifecycle"] for event in Event.objects.filter(name="session.updated.v1").order_by("sequence")]


def test_closing_from_the_page_withdraws_what_waits(number: Number, sign_in: SignIn, beto: Person) -> None:
    arrive(number, incoming("compre seguidores"))
    turn(the_conversation())
    client = sign_in(beto)
    assert b'id="close"' in client.get(address("")).content
    for _ in range(2):
        answer = client.post(address("closure/"), {"reason": "spam", "seen": the_conversation().seq})
        assert (answer.status_code, answer.headers["Location"]) == (302, address(""))
    send(the_conversation())
    assert (standing(), fakes.phone.sent, lifecycles()) == (("closed", "spam"), [], ["closed"])
    assert [state for state, _ in ours()] == ["cancelled"]
    (entry,) = AuditEntry.objects.filter(action="conversation.closed")
    assert (entry.person_id, entry.data) == (beto.pk, {"reason": "spam"})
    assert b'id="reopen"' in client.get(address("")).content


def test_a_lead_who_has_just_written_is_not_closed_away(number: Number, sign_in: SignIn, beto: Person) -> None:
    arrive(number, incoming("Oi"))
    seen = the_conversation().seq
    arrive(number, incoming("quero comprar"))
    answer = sign_in(beto).post(address("closure/"), {"reason": "done", "seen": seen}, follow=True)
    assert "acabou de escrever" in answer.content.decode()
    assert standing() == ("open", "")
    assert not AuditEntry.objects.filter(action="conversation.closed").exists()


@pytest.mark.parametrize("reason", ["", "silence", "whatever"])
def test_only_a_reason_of_ours_closes(number: Number, sign_in: SignIn, beto: Person, reason: str) -> None:
    arrive(number, incoming("Oi"))
    sign_in(beto).post(address("closure/"), {"reason": reason})
    assert (standing(), lifecycles()) == (("open", ""), [])


def test_a_viewer_closes_nothing(number: Number, sign_in: SignIn, vera: Person) -> None:
    arrive(number, incoming("Oi"))
    client = sign_in(vera)
    for end, data in (("closure/", {"reason": "spam"}), ("closure/end/", {}), ("snooze/", {"hours": "4"})):
        assert client.post(address(end), data).status_code == 403
    assert (standing(), lifecycles()) == (("open", ""), [])
    assert b'id="close"' not in client.get(address("")).content


def test_the_leads_next_word_reopens_and_is_answered(number: Number, beto: Person) -> None:
    arrive(number, incoming("Oi"))
    lifecycle.close(the_conversation(), beto, reason=Closing.DONE)
    turn(the_conversation())
    assert ours() == []
    assert not invariants.unanswered_without_turn()
    arrive(number, incoming("mudei de ideia"))
    turn(the_conversation())
    assert (standing(), ours()) == (("open", ""), [("queued", "ok")])
    (context,) = fakes.FakeBrain.contexts
    assert [line.text for line in context.lines] == ["Oi", "mudei de ideia"]


def test_a_turn_that_is_being_thought_over_is_not_written_after_closing(number: Number, beto: Person) -> None:
    arrive(number, incoming("Oi"))
    opened = turns.open_turn(the_conversation().pk)
    assert opened is not None
    lifecycle.close(the_conversation(), beto, reason=Closing.WRONG_NUMBER)
    assert not turns.apply(opened, Decision(("tarde demais",)))
    assert ours() == []


def test_reopening_by_a_person_owes_the_lead_nothing(number: Number, sign_in: SignIn, beto: Person) -> None:
    arrive(number, incoming("Oi"))
    lifecycle.close(the_conversation(), beto, reason=Closing.DONE)
    client = sign_in(beto)
    for _ in range(2):
        client.post(address("closure/end/"))
    turn(the_conversation())
    assert (standing(), ours(), lifecycles()) == (("open", ""), [], ["closed", "open"])
    assert AuditEntry.objects.filter(action="conversation.reopened").count() == 1


def test_long_silence_closes(number: Number) -> None:
    arrive(number, incoming("Oi"))
    turn(the_conversation())
    send(the_conversation())
    assert abs(Later.objects.get(kind="tend").due_at - timezone.now() - DAYS) < timedelta(minutes=1)
    lifecycle.tend(the_conversation().pk)
    assert standing() == ("waiting_lead", "")
    Conversation.objects.update(last_message_at=timezone.now() - DAYS)
    for _ in range(2):
        lifecycle.tend(the_conversation().pk)
    assert (standing(), lifecycles().count("closed")) == (("closed", "silence"), 1)


@pytest.mark.parametrize("why", ["needed", "switched off", "newer"])
def test_silence_does_not_close_what_waits_for_somebody(number: Number, why: str) -> None:
    arrive(number, incoming("Oi"))
    Conversation.objects.update(last_message_at=timezone.now() - DAYS)
    match why:
        case "needed":
            Conversation.objects.update(needs_person_since=timezone.now(), needs_reason="handoff")
        case "switched off":
            AgentVersion.objects.update(close_after_days=None)
        case "newer":
            arrive(number, incoming("ainda aqui"))
    lifecycle.tend(the_conversation().pk)
    assert standing() == ("open", "")


def test_a_reopened_conversation_is_closed_by_silence_again(number: Number, beto: Person) -> None:
    arrive(number, incoming("Oi"))
    lifecycle.close(the_conversation(), beto, reason=Closing.DONE)
    Later.objects.all().delete()
    arrive(number, incoming("voltei"))
    assert Later.objects.filter(kind="tend", ref=str(the_conversation().pk)).exists()


def test_a_snooze_ends_by_itself_and_calls_a_person(number: Number, sign_in: SignIn, beto: Person) -> None:
    arrive(number, incoming("me chama na segunda"))
    client = sign_in(beto)
    client.post(address("snooze/"), {"hours": "24"})
    conversation = the_conversation()
    assert (conversation.lifecycle, conversation.needs_person_since) == ("snoozed", None)
    assert Later.objects.get(kind="tend").due_at == conversation.snoozed_until
    assert "standing" in client.get(address("")).content.decode()
    lifecycle.tend(conversation.pk)
    assert standing()[0] == "snoozed"
    Conversation.objects.update(snoozed_until=timezone.now() - timedelta(seconds=1))
    for _ in range(2):
        lifecycle.tend(conversation.pk)
    assert (standing()[0], the_conversation().needs_reason) == ("open", "snooze_over")
    assert lifecycles() == ["snoozed", "open"]


def test_the_lead_ends_a_snooze(number: Number, beto: Person) -> None:
    arrive(number, incoming("Oi"))
    lifecycle.snooze(the_conversation(), beto, until=timezone.now() + timedelta(days=3))
    arrive(number, incoming("já pode"))
    conversation = the_conversation()
    assert (conversation.lifecycle, conversation.snoozed_until) == ("open", None)


@pytest.mark.parametrize("until", [timedelta(seconds=-1), timedelta(days=366)])
def test_a_snooze_has_an_end_within_a_year(number: Number, beto: Person, until: timedelta) -> None:
    arrive(number, incoming("Oi"))
    with pytest.raises(Refused):
        lifecycle.snooze(the_conversation(), beto, until=timezone.now() + until)
    assert (standing(), lifecycles()) == (("open", ""), [])


def test_a_conversation_that_is_gone_is_tended_by_nobody(number: Number) -> None:
    lifecycle.tend(10**6)
    assert not Message.objects.exists()
    assert not Due.objects.exists()
