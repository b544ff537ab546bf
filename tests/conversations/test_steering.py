"""The strip: what the agent is doing, read from the rows that make it so, and a person's hand on it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from conversations import lifecycle, pause, replies, sending, steering, turns
from conversations.models import AgentVersion, Contact, Conversation, MediaAsset, Message, Number, Turn
from conversations.ports import Decision, MessageKind
from conversations.steering import Doing
from orgs.context import in_org
from orgs.models import AuditEntry, Due, Org, Person, Refused
from tests import fakes
from tests.conversations.conftest import arrive, incoming, make_number, ours, send, the_conversation, turn
from tests.conversations.test_pause import wait_for_a_lock

SignIn = Callable[[Person], Client]
ALWAYS = [["00:00", "24:00"]] * 7


@pytest.fixture(autouse=True)
def open_all_day(request: pytest.FixtureRequest) -> None:
    """The number's agent is open at any time, so that no test depends on when it runs."""
    if "number" in request.fixturenames:
        request.getfixturevalue("number")
        AgentVersion.objects.update(hours=ALWAYS, follow_ups=[{"after_minutes": 40}], batching_seconds=60)


def doing() -> steering.Strip | None:
    """The strip of the only conversation, as it is now."""
    return steering.of(Conversation.objects.with_inbox_data().get(), paused=pause.current())


def kind() -> Doing | None:
    strip = doing()
    return strip.doing if strip else None


def due(**fields: object) -> None:
    assert Due.objects.filter(kind="turn").update(**fields) == 1


def address(end: str) -> str:
    return f"/o/acme/inbox/{the_conversation().pk}/{end}"


def test_it_tells_a_whole_answer_from_the_first_word_to_the_follow_up(number: Number) -> None:
    arrive(number, incoming("Oi, quanto"))
    strip = doing()
    assert strip is not None
    assert (strip.doing, strip.may_stop, strip.may_hurry) == (Doing.WAITING, True, True)
    assert strip.until is not None
    assert timedelta(seconds=20) < strip.until - timezone.now() <= timedelta(seconds=60)
    due(lease_until=timezone.now() + timedelta(minutes=5), due_at=timezone.now())
    assert kind() is Doing.THINKING
    fakes.FakeBrain.script = ["Como fazem isso hoje?"]
    turn(the_conversation())
    Due.objects.filter(kind="turn").delete()
    assert kind() is Doing.QUEUED
    Message.objects.filter(author="ai").update(state=Message.State.SENDING)
    assert kind() is Doing.SENDING
    Message.objects.filter(author="ai").update(state=Message.State.QUEUED)
    send(the_conversation())
    strip = doing()
    assert strip is not None
    assert (strip.doing, strip.may_stop, strip.may_skip) == (Doing.FOLLOW_UP, False, True)


def test_a_keystroke_is_told(number: Number) -> None:
    arrive(number, incoming("Oi"))
    the_conversation().hold(timezone.now() + timedelta(minutes=5))
    assert kind() is Doing.HELD


def test_a_voice_note_on_its_way_to_words_is_told(number: Number, settings: Any) -> None:
    settings.SDR_TRANSCRIBER = "tests.fakes.FakeTranscriber"
    arrive(number, incoming("", kind=MessageKind.AUDIO))
    MediaAsset.objects.create(message=Message.objects.get(), state="stored", hearing="wanted", is_voice_note=True)
    strip = doing()
    assert strip is not None
    assert (strip.doing, strip.may_hurry) == (Doing.HEARING, False)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda: Number.objects.update(mode="off"), Doing.OFF),
        (lambda: Number.objects.update(mode="drafts"), Doing.DRAFTS),
        (lambda: Contact.objects.update(ignored_as="supplier"), Doing.IGNORED),
        (lambda: Contact.objects.update(opted_out_at=timezone.now()), None),
        (lambda: Conversation.objects.update(owner="nobody"), Doing.NOBODY),
        (lambda: Conversation.objects.update(owner="person"), Doing.PERSON),
        (lambda: Conversation.objects.update(lifecycle="closed"), None),
        (lambda: None, Doing.IDLE),
    ],
)
def test_rest_is_told_by_what_keeps_it(number: Number, change: Callable[[], object], expected: Doing | None) -> None:
    arrive(number, incoming("Oi"))
    turn(the_conversation())
    send(the_conversation())
    Due.objects.all().delete()
    change()
    assert kind() is expected


def test_the_clock_and_the_red_switch_are_told(number: Number, ana: Person) -> None:
    later = (timezone.now().weekday() + 3) % 7
    AgentVersion.objects.update(
        hours=[["00:00", "24:00"] if day == later else [] for day in range(7)], outside_hours="silent"
    )
    arrive(number, incoming("Oi"))
    turn(the_conversation())
    assert kind() is Doing.OPENING
    pause.pause_all(ana)
    assert kind() is Doing.PAUSED


def test_stopping_withdraws_what_is_queued_and_calls_a_person(number: Number, sign_in: SignIn, beto: Person) -> None:
    arrive(number, incoming("Oi"))
    turn(the_conversation())
    client = sign_in(beto)
    epoch = the_conversation().epoch
    for _ in range(2):  # a second press finds another epoch, and does nothing
        assert client.post(address("answer/end/"), {"epoch": epoch}).status_code == 302
    conversation = the_conversation()
    assert (ours(), conversation.owner, conversation.needs_reason) == ([("cancelled", "ok")], "ai", "stopped")
    assert AuditEntry.objects.filter(action="answer.stopped").count() == 1
    turn(conversation)  # late work that was under way finds nothing to answer
    send(conversation)
    assert (ours(), fakes.phone.sent) == ([("cancelled", "ok")], [])
    arrive(number, incoming("Alguém aí?"))
    turn(the_conversation())
    assert [state for state, _ in ours()] == ["cancelled", "queued"]
    assert the_conversation().needs_person_since is None


def test_what_was_thought_over_when_it_was_stopped_is_not_written(number: Number, beto: Person) -> None:
    arrive(number, incoming("Oi"))
    opened = turns.open_turn(the_conversation().pk)
    assert opened is not None
    steering.stop(the_conversation(), beto)
    assert not turns.apply(opened, Decision(bubbles=("tarde demais",)))
    assert (ours(), Turn.objects.get().state) == ([], "superseded")
    turn(the_conversation())
    assert ours() == []


def test_stopping_a_follow_up_calls_nobody(number: Number, beto: Person) -> None:
    arrive(number, incoming("Oi"))
    turn(the_conversation())
    send(the_conversation())
    Message.objects.create(
        conversation=the_conversation(), number=number, author="system", state="queued", seq=99, text="Oi de novo",
        extra={"sort": "follow_up"},
    )  # fmt: skip
    steering.stop(the_conversation(), beto)
    assert (ours()[-1], the_conversation().needs_person_since) == (("cancelled", "Oi de novo"), None)


def test_there_is_nothing_to_stop_or_hurry_at_rest(number: Number, beto: Person) -> None:
    arrive(number, incoming("Oi"))
    turn(the_conversation())
    send(the_conversation())
    before = (the_conversation().epoch, AuditEntry.objects.count())
    for verb in (steering.stop, steering.hurry):
        with pytest.raises(Refused):
            verb(the_conversation(), beto)
    assert (the_conversation().epoch, AuditEntry.objects.count()) == before


def test_answering_now_makes_the_turn_due(number: Number, sign_in: SignIn, beto: Person) -> None:
    arrive(number, incoming("Oi"))
    assert not Due.objects.filter(kind="turn", due_at__lte=timezone.now()).exists()
    for _ in range(2):
        sign_in(beto).post(address("answer/now/"), {"epoch": the_conversation().epoch})
    assert Due.objects.filter(kind="turn", due_at__lte=timezone.now()).count() == 1
    replies.take_over(the_conversation(), beto)
    with pytest.raises(Refused):
        steering.hurry(the_conversation(), beto)


def test_viewers_may_not(number: Number, sign_in: SignIn, vera: Person) -> None:
    arrive(number, incoming("Oi"))
    turn(the_conversation())
    client = sign_in(vera)
    for end in ("answer/end/", "answer/now/", "ai/pause/", "ignored/end/", "assignee/"):
        assert client.post(address(end)).status_code == 403
    assert client.get(address("menu/")).status_code == 403
    assert (ours(), the_conversation().owner) == ([("queued", "ok")], "ai")
    html = client.get(address("")).content.decode()
    assert ("answer-stop" in html, "-doing" in html) == (False, True)


def test_pausing_the_ai_here_leaves_it_to_nobody_until_it_is_given_back(
    number: Number, sign_in: SignIn, beto: Person
) -> None:
    arrive(number, incoming("Oi"))
    turn(the_conversation())
    client = sign_in(beto)
    for _ in range(2):
        client.post(address("ai/pause/"))
    assert (the_conversation().owner, the_conversation().epoch, ours()) == ("nobody", 1, [("cancelled", "ok")])
    arrive(number, incoming("Alguém?"))
    turn(the_conversation())
    assert (len(ours()), the_conversation().needs_reason) == (1, "owned_by_nobody")
    client.post(address("takeover/end/"))
    turn(the_conversation())
    assert (the_conversation().owner, [state for state, _ in ours()]) == ("ai", ["cancelled", "queued"])


def test_a_person_who_has_it_keeps_it_when_the_ai_is_paused(number: Number, beto: Person) -> None:
    arrive(number, incoming("Oi"))
    replies.take_over(the_conversation(), beto)
    lifecycle.pause_ai(the_conversation(), beto)
    assert the_conversation().owner_person_id == beto.pk


def test_a_send_that_was_first_is_on_the_wire_and_the_rest_is_stopped(committed: None) -> None:
    """The claim holds the conversation while the stop wants it: the stop waits, and sees what has left."""
    fakes.FakeBrain.script = ["um|dois"]
    with in_org(Org.objects.get(slug="acme")):
        AgentVersion.objects.all().delete()
        arrive(make_number(), incoming())
        AgentVersion.objects.update(hours=ALWAYS)
        turn(the_conversation())
        pk = the_conversation().pk
        person = Person.objects.get(email__startswith="beto")

        def stop() -> object:
            try:
                with in_org(Org.objects.get(slug="acme")):
                    return steering.stop(Conversation.objects.get(pk=pk), person).epoch
            finally:
                connection.close()

        with ThreadPoolExecutor(1) as pool:
            with transaction.atomic():
                assert isinstance(sending.claim_locked(pk), sending.Claim)
                stopped = pool.submit(stop)
                wait_for_a_lock()
            assert stopped.result(20) == 1
        assert [state for state, _ in ours()] == ["sending", "cancelled"]
