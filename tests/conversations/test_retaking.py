"""Once the AI may speak again it answers what waits, unless somebody has, or it is too old: then a person is called."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from conversations import intake, pause, policy, replies, turns
from conversations.models import Contact, Control, Conversation, Message, Number, OptOut, Turn
from orgs.context import in_org
from orgs.models import Due, Org, Person
from tests import fakes
from tests.conversations.conftest import arrive, incoming, make_number, ours, send, the_conversation, turn
from tests.conversations.test_pause import wait_for_a_lock

Switch = Callable[[Number, Person], None]


def paused(number: Number, person: Person) -> None:
    pause.pause_all(person)


def resumed(number: Number, person: Person) -> None:
    pause.resume(person)


def off(number: Number, person: Person) -> None:
    with transaction.atomic():
        pause.set_mode(number, Number.Mode.OFF)


def on(number: Number, person: Person) -> None:
    with transaction.atomic():
        pause.set_mode(number, Number.Mode.ALL)


def taken(number: Number, person: Person) -> None:
    replies.take_over(the_conversation(), person)


def given_back(number: Number, person: Person) -> None:
    replies.give_back(the_conversation(), person)


def opted_out(number: Number, person: Person) -> None:
    with transaction.atomic():
        intake.opt_out(Contact.objects.select_for_update().get(), None, person_id=person.pk)


def opted_back(number: Number, person: Person) -> None:
    with transaction.atomic():
        intake.opt_back(Contact.objects.select_for_update().get(), None, person_id=person.pk)


SWITCHES = pytest.mark.parametrize(
    ("switch_off", "switch_on"),
    [(paused, resumed), (off, on), (taken, given_back), (opted_out, opted_back)],
    ids=["pause", "mode", "takeover", "opt-out"],
)


def run_due_turn() -> None:
    """Work what is due, as a shift would: only when a row says so."""
    assert Due.objects.filter(kind="turn", ref=str(the_conversation().pk), due_at__lte=timezone.now()).exists()
    turn(the_conversation())


@SWITCHES
def test_what_came_in_meanwhile_is_answered(
    number: Number, beto: Person, switch_off: Switch, switch_on: Switch
) -> None:
    arrive(number, incoming("Oi"))
    switch_off(number, beto)
    turn(the_conversation())
    assert ours() == []
    Due.objects.all().delete()
    switch_on(number, beto)
    run_due_turn()
    assert ours() == [("queued", "ok")]
    assert (the_conversation().needs_person_since, the_conversation().needs_reason) == (None, "")


@SWITCHES
def test_an_answer_that_was_withdrawn_is_made_anew(
    number: Number, beto: Person, switch_off: Switch, switch_on: Switch
) -> None:
    arrive(number, incoming("Oi"))
    turn(the_conversation())
    switch_off(number, beto)
    send(the_conversation())
    turn(the_conversation())
    assert [state for state, _ in ours()] == ["cancelled"]
    Due.objects.all().delete()
    switch_on(number, beto)
    run_due_turn()
    send(the_conversation())
    assert [state for state, _ in ours()] == ["cancelled", "sent"]
    assert len(fakes.phone.sent) == 1


@SWITCHES
def test_what_waited_too_long_is_a_persons(number: Number, beto: Person, switch_off: Switch, switch_on: Switch) -> None:
    arrive(number, incoming("Oi"))
    switch_off(number, beto)
    turn(the_conversation())
    Message.objects.update(created_at=timezone.now() - timedelta(minutes=61))
    switch_on(number, beto)
    run_due_turn()
    assert ours() == []
    assert the_conversation().needs_reason == policy.Silence.STALE
    assert Turn.objects.order_by("-pk")[0].reason == policy.Silence.STALE


@SWITCHES
def test_what_a_person_answered_is_left_alone(
    number: Number, beto: Person, switch_off: Switch, switch_on: Switch
) -> None:
    arrive(number, incoming("Oi"))
    switch_off(number, beto)
    turn(the_conversation())
    replies.reply(the_conversation(), beto, text="Oi, sou o Beto")
    send(the_conversation())
    replies.give_back(the_conversation(), beto)
    switch_on(number, beto)
    turn(the_conversation())
    assert ours() == [("sent", "Oi, sou o Beto")]


def test_what_a_person_discarded_stays_discarded(number: Number, beto: Person) -> None:
    Number.objects.update(mode=Number.Mode.DRAFTS)
    arrive(number, incoming("Oi"))
    turn(the_conversation())
    replies.discard(Message.objects.get(author="ai"), beto)
    taken(number, beto)
    given_back(number, beto)
    turn(the_conversation())
    assert ours() == [("cancelled", "ok")]


def test_a_half_sent_answer_is_not_made_anew(number: Number, beto: Person) -> None:
    fakes.FakeBrain.script = ["um|dois"]
    arrive(number, incoming("Oi"))
    turn(the_conversation())
    Message.objects.filter(bubble=0).update(state="sent")
    taken(number, beto)
    given_back(number, beto)
    turn(the_conversation())
    assert ours() == [("sent", "um"), ("cancelled", "dois")]


def test_many_are_retaken_newest_first_and_paced(number: Number, beto: Person) -> None:
    for lead in range(30):
        arrive(number, incoming(jid=f"55119999{lead:05}@s.whatsapp.net"), at=timezone.now() + timedelta(seconds=lead))
    pause.pause_all(beto)
    for conversation in Conversation.objects.all():
        turn(conversation)
    Due.objects.all().delete()
    pause.resume(beto)
    due = list(Due.objects.filter(kind="turn").order_by("due_at").values_list("ref", "due_at"))
    assert [int(ref) for ref, _ in due] == list(
        Conversation.objects.order_by("-last_lead_at").values_list("pk", flat=True)
    )
    assert due[-1][1] - due[0][1] == timedelta(seconds=29 / turns.RETAKEN_A_SECOND)


def test_whoever_wrote_after_opting_out_gets_a_person_until_they_ask_to_come_back(number: Number) -> None:
    arrive(number, incoming("pare"))
    turn(the_conversation())
    assert the_conversation().needs_person_since is None
    arrive(number, incoming("oi"))
    turn(the_conversation())
    assert the_conversation().needs_reason == policy.Silence.OPTED_OUT
    assert [text for state, text in ours() if state != "cancelled" and text == "ok"] == []
    arrive(number, incoming("Quero voltar!"))
    turn(the_conversation())
    assert ours()[-1] == ("queued", "ok")
    assert list(OptOut.objects.order_by("pk").values_list("is_out", flat=True)) == [True, False]
    assert the_conversation().needs_person_since is None


@pytest.mark.parametrize("behind", [True, False], ids=["as built", "read without the lock"])
def test_a_turn_that_reads_paused_while_it_is_lifted_is_not_forgotten(
    committed: None, behind: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The turn has read "paused"; the switch is lifted and looks for skipped turns; then the turn is skipped.

    The second case decides by what was read without the lock, and must be caught: nothing would be due any more.
    """
    acme = Org.objects.get(slug="acme")
    beto = Person.objects.get(email="beto@example.com")
    read, go_on = threading.Event(), threading.Event()
    real = policy.silence

    def slow(situation: policy.Situation, now: object) -> policy.Silence | None:
        why = real(situation, now)  # type: ignore[arg-type]
        if not read.is_set():
            read.set()
            go_on.wait(10)
            if not behind:
                monkeypatch.setattr(policy, "silence", lambda *_: why)
        return why

    with in_org(acme):
        arrive(make_number(), incoming())
        pause.pause_all(beto)
        pk = the_conversation().pk
        Due.objects.all().delete()
    monkeypatch.setattr(policy, "silence", slow)

    def take() -> bool:
        try:
            with in_org(acme):
                return turns.open_turn(pk) is not None
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool, in_org(acme):
        taking = pool.submit(take)
        assert read.wait(10)
        pause.resume(beto)
        go_on.set()
        spoke = taking.result(20)
        is_due = Due.objects.filter(kind="turn").exists()
        assert (spoke or is_due) is behind


def test_lifting_the_pause_waits_for_a_turn_that_is_just_being_skipped(committed: None) -> None:
    acme = Org.objects.get(slug="acme")
    beto = Person.objects.get(email="beto@example.com")
    with in_org(acme):
        arrive(make_number(), incoming())
        pause.pause_all(beto)
        pk = the_conversation().pk

    def lift() -> None:
        try:
            with in_org(acme):
                pause.resume(beto)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool, in_org(acme):
        with transaction.atomic():
            assert turns.open_turn(pk) is None
            lifting = pool.submit(lift)
            wait_for_a_lock()
            Due.objects.all().delete()
        lifting.result(20)
        assert Control.objects.get().paused_at is None
        assert Due.objects.filter(kind="turn", ref=str(pk)).exists()
