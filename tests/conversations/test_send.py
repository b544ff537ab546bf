"""A message leaves once or is parked with a reason; never twice."""

from concurrent.futures import Future
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from conversations import intake, sending
from conversations.models import Conversation, Message, Number
from conversations.ports import Ack, ChatAddress, LinkState, Sent, SentEcho, StatusUpdate, Uncertain
from orgs.models import Due
from sdr.lib.errors import PortError
from tests import fakes
from tests.conversations.conftest import JID, arrive, incoming, ours, reconcile, send, the_conversation, turn


@pytest.fixture
def queued(number: Number) -> Message:
    arrive(number, incoming())
    turn(the_conversation())
    return Message.objects.get(author="ai")


def outcome_of(sent: Sent | None) -> "Future[Sent | None]":
    outcome: Future[Sent | None] = Future()
    outcome.set_result(sent)
    return outcome


def past_verdict() -> None:
    Message.objects.filter(author="ai").update(claimed_at=timezone.now() - sending.VERDICT_AFTER)


def canary() -> None:
    """Another chat shows something newer than our call."""
    fakes.phone.accept("5511999990009@s.whatsapp.net", "outra conversa")


def test_a_sent_message_knows_its_id_and_its_ticks(number: Number, queued: Message) -> None:
    send(queued.conversation)
    arrive(number, StatusUpdate("OUT1", Ack.READ, from_us=True))
    arrive(number, StatusUpdate("OUT1", Ack.SERVER, from_us=True))
    message = Message.objects.get(pk=queued.pk)
    assert (message.state, message.provider_id, message.ack) == ("sent", "OUT1", Ack.READ.rank)
    assert the_conversation().lifecycle == Conversation.Lifecycle.WAITING_LEAD


def test_a_transient_error_is_retried(queued: Message) -> None:
    fakes.phone.script = [PortError("Connection Closed")]
    send(queued.conversation)
    assert ours() == [("queued", "ok")]
    assert Due.objects.get(kind="send").due_at > timezone.now() + timedelta(seconds=5)
    Message.objects.update(not_before=timezone.now())
    send(queued.conversation)
    assert len(fakes.phone.sent) == 1


def test_a_permanent_error_is_shown_to_a_person(queued: Message) -> None:
    fakes.phone.script = [PortError("The number is not on WhatsApp.", permanent=True)]
    send(queued.conversation)
    message = Message.objects.get(pk=queued.pk)
    assert (message.state, message.failure) == ("failed", "The number is not on WhatsApp.")
    assert the_conversation().needs_reason == "not_sent"


def test_an_uncertain_send_is_found_in_the_chat(queued: Message) -> None:
    def arrives_but_no_answer() -> None:
        fakes.phone.accept(JID, "ok")
        raise Uncertain("timeout")

    fakes.phone.script = [arrives_but_no_answer]
    send(queued.conversation)
    assert ours() == [("unknown", "ok")]
    reconcile(queued.pk)
    assert ours() == [("sent", "ok")]
    assert len(fakes.phone.sent) == 1


def test_an_uncertain_send_is_settled_by_its_echo(number: Number, queued: Message) -> None:
    fakes.phone.script = [Uncertain("timeout")]
    send(queued.conversation)
    arrive(number, SentEcho("ECHO", ChatAddress(JID, phone="5511999990001"), "ok", timezone.now()))
    message = Message.objects.get(pk=queued.pk)
    assert (message.state, message.provider_id) == ("sent", "ECHO")


def test_nothing_leaves_behind_an_uncertain_send(number: Number, queued: Message) -> None:
    fakes.phone.script = [Uncertain("timeout")]
    send(queued.conversation)
    arrive(number, incoming("e aí?"))
    turn(the_conversation())
    send(the_conversation())
    assert fakes.phone.sent == []


def test_no_verdict_before_its_time(queued: Message) -> None:
    fakes.phone.script = [Uncertain("timeout")]
    send(queued.conversation)
    canary()
    reconcile(queued.pk)
    assert Message.objects.get(pk=queued.pk).state == "unknown"


def test_no_verdict_without_a_canary(queued: Message) -> None:
    fakes.phone.script = [Uncertain("timeout")]
    send(queued.conversation)
    past_verdict()
    reconcile(queued.pk)
    assert Message.objects.get(pk=queued.pk).state == "unknown"


def test_one_proof_serves_all_doubts_about_a_number(number: Number, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of sends nobody answered, of one number: each chat is read, the proof is asked for once a minute."""
    for lead in range(5):
        arrive(number, incoming(jid=f"551199999100{lead}@s.whatsapp.net"))
    fakes.phone.script = [Uncertain("timeout")] * 5
    for conversation in Conversation.objects.all():
        turn(conversation)
        send(conversation)
    past_verdict()
    asked: list[int] = []
    real = fakes.FakeTransport.chats

    def chats(self: fakes.FakeTransport, *, limit: int) -> list[str]:
        asked.append(limit)
        return real(self, limit=limit)

    monkeypatch.setattr(fakes.FakeTransport, "chats", chats)
    for message in Message.objects.filter(author="ai"):  # nothing newer than the calls is there yet
        reconcile(message.pk)
    assert [state for state, _ in ours()] == ["unknown"] * 5
    assert len(asked) == 5
    canary()
    for message in Message.objects.filter(author="ai"):
        reconcile(message.pk)
    assert [state for state, _ in ours()] == ["queued"] * 5
    assert len(asked) == 6


def test_an_old_proof_proves_nothing_about_a_later_call(queued: Message) -> None:
    canary()
    fakes.phone.script = [Uncertain("timeout")]
    send(queued.conversation)
    past_verdict()
    reconcile(queued.pk)
    assert Message.objects.get(pk=queued.pk).state == "queued"  # that one is newer than the claim put into the past
    Message.objects.filter(pk=queued.pk).update(state="unknown", resent=False, claimed_at=timezone.now())
    message = Message.objects.select_related("number").get(pk=queued.pk)
    assert message.claimed_at is not None
    question = sending.Question(message, JID, message.claimed_at, timezone.now(), queued.conversation.pk)
    assert not sending.has_canary(question, [])


@pytest.mark.parametrize(
    ("age", "pause"),
    [
        (timedelta(seconds=30), timedelta(seconds=15)),
        (timedelta(minutes=10), timedelta(minutes=1)),
        (timedelta(minutes=29), timedelta(minutes=2)),
    ],
)
def test_an_old_doubt_is_looked_at_more_seldom(age: timedelta, pause: timedelta) -> None:
    now = timezone.now()
    assert sending.next_look(now - age, now) == now + pause


def test_what_was_not_sent_is_sent_once_more_and_then_parked(queued: Message) -> None:
    for expected in ("queued", "failed"):
        fakes.phone.script = [Uncertain("timeout")]
        send(the_conversation())
        past_verdict()
        canary()
        reconcile(queued.pk)
        assert Message.objects.get(pk=queued.pk).state == expected
    assert Message.objects.get(pk=queued.pk).failure == "not_sent_twice"
    assert [jid for jid, _ in fakes.phone.sent if jid == JID] == []


def test_a_newer_message_makes_the_turn_anew_instead_of_a_resend(number: Number, queued: Message) -> None:
    fakes.phone.script = [Uncertain("timeout")]
    send(queued.conversation)
    arrive(number, incoming("mudei de ideia"))
    past_verdict()
    canary()
    Due.objects.all().delete()
    reconcile(queued.pk)
    assert Message.objects.get(pk=queued.pk).state == "cancelled"
    assert "turn" in Due.objects.values_list("kind", flat=True)


def test_whoever_was_frozen_before_the_call_does_not_make_it(queued: Message, monkeypatch: pytest.MonkeyPatch) -> None:
    parcel = sending.next_parcel(queued.conversation_id)
    assert parcel is not None
    with monkeypatch.context() as later:
        later.setattr("conversations.sending.time.monotonic", lambda: parcel.claim.claimed_at + 20)
        assert sending.call(parcel) is None
    sending.note(parcel.claim, outcome_of(None))
    assert fakes.phone.sent == []
    assert ours() == [("queued", "ok")]


def test_a_worker_that_lost_its_message_records_nothing(queued: Message) -> None:
    stale = sending.claim_next(queued.conversation_id)
    assert stale is not None
    Message.objects.filter(pk=queued.pk).update(state="queued")
    fresh = sending.claim_next(queued.conversation_id)
    assert fresh is not None
    sending.mark_unknown(stale, "late")
    assert Message.objects.get(pk=queued.pk).state == "sending"


def test_nothing_leaves_while_the_number_is_not_connected(queued: Message) -> None:
    Number.objects.update(state=LinkState.CLOSED)
    send(queued.conversation)
    assert fakes.phone.sent == []
    assert ours() == [("queued", "ok")]


def test_a_keystroke_holds_the_ai_for_a_while(queued: Message) -> None:
    queued.conversation.hold(timezone.now() + timedelta(seconds=20))
    send(queued.conversation)
    assert fakes.phone.sent == []
    Conversation.objects.update(hold_until=timezone.now() - timedelta(seconds=1))
    send(queued.conversation)
    assert len(fakes.phone.sent) == 1


def test_the_companys_phone_takes_over_and_cancels_what_waits(number: Number, queued: Message) -> None:
    arrive(number, incoming("deixa comigo", from_us=True, sender_name=""))
    send(the_conversation())
    assert fakes.phone.sent == []
    assert ours() == [("cancelled", "ok"), ("sent", "deixa comigo")]
    assert the_conversation().owner == Conversation.Owner.PERSON


def test_our_own_echo_takes_nothing_over(number: Number, queued: Message) -> None:
    send(queued.conversation)
    arrive(number, incoming("ok", pid="OUT1", from_us=True))
    assert the_conversation().owner == Conversation.Owner.AI
    assert len(ours()) == 1


def test_a_message_of_our_side_waits_while_a_send_is_under_way(number: Number, queued: Message) -> None:
    fakes.phone.script = [Uncertain("timeout")]
    send(queued.conversation)
    foreign = incoming("outra coisa", from_us=True)
    now = timezone.now()
    with pytest.raises(intake.Parked), transaction.atomic():
        intake.handle(number, foreign, received_at=now)
    arrive(number, foreign, at=now - intake.PARK_LONGEST)
    assert the_conversation().owner == Conversation.Owner.PERSON


def test_the_bucket_and_the_daily_cap_slow_a_number_down(number: Number, queued: Message, settings: object) -> None:
    settings.SDR_PACING = True  # type: ignore[attr-defined]
    Number.objects.update(daily_cap=0)
    send(queued.conversation)
    assert fakes.phone.sent == []
    Number.objects.update(daily_cap=5)
    send(queued.conversation)
    assert len(fakes.phone.sent) == 1
    assert Number.objects.get().sent_today == 1
