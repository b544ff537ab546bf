"""What the provider has and nobody told us of is found, stored once, and treated as if it had come in time."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from conversations import gaps, sending
from conversations.models import Conversation, Event, EventName, Message, Number
from conversations.ports import Ack, ChatAddress, Incoming, LinkState, LinkUpdate, ReadBack, StatusUpdate
from conversations.rhythm import HOURS, Rhythm
from integrations import quarantine, tasks
from integrations.models import Quarantine
from orgs.models import ChannelAddress, Due, Org, Received
from sdr.lib.errors import PortError
from tests import fakes

from .conftest import JID, arrive, drive, incoming, make_number, ours, the_conversation, turn

MINUTE = timedelta(minutes=1)


def look(number: Number) -> None:
    """One look, as if the last one had been a while ago."""
    Number.objects.filter(pk=number.pk).update(looked_at=None)
    drive(lambda hands: gaps.look(number.pk, hands))


def due(kind: str, ref: object) -> Due | None:
    return Due.objects.filter(kind=kind, ref=str(ref)).first()


@pytest.fixture
def number(in_acme: Org) -> Number:
    now = timezone.now()
    return make_number(instance="acme", created_at=now - timedelta(days=1), read_until=now - 5 * MINUTE)


def said(text: str, *, ago: timedelta = 2 * MINUTE, **fields: Any) -> Incoming:
    """Something that the provider has stored."""
    message = incoming(text, sent_at=timezone.now() - ago, **fields)
    fakes.phone.log.append(message)
    return message


def by_hand(text: str, *, ago: timedelta = MINUTE, **fields: Any) -> Incoming:
    return said(text, ago=ago, from_us=True, sender_name="", **fields)


def test_it_finds_a_message_whose_webhook_was_lost(number: Number) -> None:
    lost = said("alguém aí?")
    look(number)
    message = Message.objects.get()
    assert (message.provider_id, message.text, message.is_recovered) == (lost.provider_id, "alguém aí?", True)
    event = Event.objects.get(name=EventName.MESSAGE_RECEIVED)
    assert (event.message_id, event.data["recovered"]) == (message.pk, True)
    turn(the_conversation())
    assert ours() == [("queued", "ok")]


def test_it_stores_nothing_twice(number: Number) -> None:
    arrive(number, said("oi"))
    said("perdida")
    for _ in range(3):
        look(number)
    assert sorted(Message.objects.values_list("text", "is_recovered")) == [("oi", False), ("perdida", True)]


def test_it_leaves_what_may_still_come_by_itself(number: Number) -> None:
    said("agora", ago=timedelta(seconds=5))
    look(number)
    assert not Message.objects.exists()


def test_it_takes_a_late_webhook_for_the_same_message(number: Number) -> None:
    lost = said("oi")
    look(number)
    arrive(number, lost)
    assert Message.objects.count() == 1
    assert the_conversation().unread == 1


def test_it_answers_nothing_that_is_too_old_and_calls_a_person(number: Number) -> None:
    Number.objects.filter(pk=number.pk).update(read_until=timezone.now() - timedelta(hours=5))
    said("de manhã", ago=timedelta(hours=4))
    look(number)
    conversation = the_conversation()
    assert Message.objects.get().is_backlog
    assert conversation.needs_reason == "backlog"
    assert due("turn", conversation.pk) is None


def test_nobody_is_called_where_a_person_has_answered_on_the_phone(number: Number) -> None:
    Number.objects.filter(pk=number.pk).update(read_until=timezone.now() - timedelta(hours=5))
    said("de manhã", ago=timedelta(hours=4))
    by_hand("respondido", ago=timedelta(hours=3))
    look(number)
    conversation = the_conversation()
    assert (conversation.needs_person_since, conversation.needs_reason) == (None, "")
    assert list(conversation.messages.order_by("seq").values_list("author", flat=True)) == ["lead", "person"]
    assert due("turn", conversation.pk) is None


def test_a_reply_on_the_phone_that_was_lost_is_a_takeover(number: Number) -> None:
    said("oi", ago=3 * MINUTE)
    by_hand("aqui é a Ana", ago=2 * MINUTE)
    look(number)
    conversation = the_conversation()
    assert conversation.owner == Conversation.Owner.PERSON
    assert conversation.needs_reason == ""
    turn(conversation)
    assert ours() == [("sent", "aqui é a Ana")]


def test_a_lead_s_message_lost_before_a_known_reply_on_the_phone_is_not_answered_again(number: Number) -> None:
    arrive(number, by_hand("aqui é a Ana", ago=MINUTE))
    said("oi", ago=3 * MINUTE)
    look(number)
    conversation = the_conversation()
    assert (conversation.owner, conversation.needs_reason) == (Conversation.Owner.PERSON, "")


def in_flight(number: Number, state: Message.State) -> Message:
    """An answer of ours that reached the phone, while we do not know that it did."""
    arrive(number, said("oi", ago=4 * MINUTE))
    turn(the_conversation())
    message = Message.objects.get(author="ai")
    sent_at = timezone.now() - 2 * MINUTE
    echo = Incoming("OUT9", ChatAddress(JID, phone="5511999990001"), True, sent_at, message_kind(message), message.text)
    fakes.phone.log.append(echo)
    Message.objects.filter(pk=message.pk).update(state=state, claimed_at=sent_at, attempts=1)
    return message


def message_kind(message: Message) -> Any:
    from conversations.ports import MessageKind

    return MessageKind(message.kind)


@pytest.mark.parametrize("state", [Message.State.SENDING, Message.State.UNKNOWN])
def test_it_settles_a_send_of_ours_that_it_meets(number: Number, state: Message.State) -> None:
    message = in_flight(number, state)
    look(number)
    message.refresh_from_db()
    assert (message.state, message.provider_id) == (Message.State.SENT, "OUT9")
    assert the_conversation().owner == Conversation.Owner.AI


def test_it_waits_while_what_it_found_may_be_a_send_of_ours(number: Number, settings: Any) -> None:
    settings.SDR_GAP_SECONDS = 8  # so that it looks at what is two seconds old
    message = in_flight(number, Message.State.SENDING)
    fakes.phone.log.pop()
    Message.objects.filter(pk=message.pk).update(claimed_at=timezone.now())
    by_hand("outra coisa", ago=timedelta(seconds=4))
    look(number)
    conversation = the_conversation()
    assert conversation.owner == Conversation.Owner.AI
    assert conversation.is_held
    waiting = due(gaps.KIND, number.pk)
    assert waiting is not None
    assert waiting.due_at < timezone.now() + timedelta(seconds=5)


def test_a_try_that_was_given_up_and_went_out_after_all_is_no_takeover(number: Number) -> None:
    message = in_flight(number, Message.State.CANCELLED)
    Message.objects.filter(pk=message.pk).update(failure="not_sent_and_outdated")
    look(number)
    message.refresh_from_db()
    assert (message.state, message.provider_id, message.failure) == (Message.State.SENT, "OUT9", "")
    assert the_conversation().owner == Conversation.Owner.AI


def test_a_try_that_went_out_after_all_is_not_sent_again(number: Number) -> None:
    message = in_flight(number, Message.State.QUEUED)
    Message.objects.filter(pk=message.pk).update(resent=True)
    look(number)
    assert ours() == [("sent", "ok")]


def test_the_same_words_by_hand_after_a_withdrawal_are_a_takeover(number: Number) -> None:
    message = in_flight(number, Message.State.CANCELLED)
    Message.objects.filter(pk=message.pk).update(failure="lead_changed_message", claimed_at=None, attempts=0)
    look(number)
    assert the_conversation().owner == Conversation.Owner.PERSON


def test_what_whatsapp_refused_is_no_message_of_anybody(number: Number) -> None:
    refused = by_hand("recusada", ago=2 * MINUTE)
    fakes.phone.ticks.append(StatusUpdate(refused.provider_id, Ack.ERROR, from_us=True))
    look(number)
    assert not Message.objects.exists()


def test_it_brings_back_ticks_and_failures_that_were_lost(number: Number) -> None:
    arrive(number, incoming("oi"))
    turn(the_conversation())
    message = Message.objects.get(author="ai")
    Message.objects.filter(pk=message.pk).update(state="sent", provider_id="OUT1", ack=1)
    fakes.phone.ticks += [StatusUpdate("OUT1", ack, from_us=True) for ack in (Ack.READ, Ack.SERVER, Ack.DELIVERED)]
    look(number)
    message.refresh_from_db()
    assert message.ack == Ack.READ.rank
    fakes.phone.ticks.append(StatusUpdate("OUT1", Ack.ERROR, from_us=True))
    look(number)
    message.refresh_from_db()
    assert message.state == Message.State.FAILED


def test_it_honours_a_deletion_whose_news_was_lost(number: Number) -> None:
    arrive(number, known := said("minha senha é 1234"))
    lost = said("e o pin 99")
    fakes.phone.ticks += [StatusUpdate(one.provider_id, Ack.DELETED, from_us=False) for one in (known, lost)]
    look(number)
    assert [(one.text, one.deleted_at is not None) for one in Message.objects.all()] == [("", True), ("", True)]


def test_it_reads_from_where_it_was_and_goes_on_from_there(number: Number) -> None:
    before = number.read_until
    look(number)
    [(since, until)] = fakes.phone.readings
    assert before is not None
    assert since == before - gaps.OVERLAP
    assert until > timezone.now()
    number.refresh_from_db()
    assert timezone.now() - number.read_until < timedelta(seconds=5)  # type: ignore[operator]


def test_an_outage_is_read_whole_when_the_number_is_open_again(number: Number) -> None:
    long_ago = timezone.now() - timedelta(hours=7)
    Number.objects.filter(pk=number.pk).update(read_until=long_ago, state=LinkState.CONNECTING)
    look(number)
    assert fakes.phone.readings == []
    number.refresh_from_db()
    assert number.read_until == long_ago
    said("durante a queda", ago=timedelta(minutes=50))
    Number.objects.filter(pk=number.pk).update(state=LinkState.OPEN, opened_at=timezone.now())
    look(number)
    assert Message.objects.get().text == "durante a queda"
    number.refresh_from_db()
    assert number.read_until == long_ago  # WhatsApp may still be handing over what it had kept
    Number.objects.filter(pk=number.pk).update(opened_at=timezone.now() - 6 * MINUTE)
    look(number)
    number.refresh_from_db()
    assert number.read_until != long_ago


def test_it_leaves_alone_what_was_said_before_the_number_was_ours(number: Number) -> None:
    now = timezone.now()
    Number.objects.filter(pk=number.pk).update(read_until=None, created_at=now - 9 * MINUTE, opened_at=now - 6 * MINUTE)
    said("antes", ago=8 * MINUTE)
    said("depois", ago=2 * MINUTE)
    for _ in range(2):
        look(number)
    assert Message.objects.get().text == "depois"


def test_the_first_look_reads_from_the_first_connection_although_there_was_another(number: Number) -> None:
    Number.objects.filter(pk=number.pk).update(read_until=None, state=LinkState.CONNECTING, opened_at=None)
    arrive(number, LinkUpdate(LinkState.OPEN))
    number.refresh_from_db()
    assert number.opened_at is not None
    first = number.opened_at - 9 * MINUTE  # as if all that had been then
    assert number.read_until is not None
    Number.objects.filter(pk=number.pk).update(read_until=number.read_until - 9 * MINUTE, opened_at=first)
    said("between", ago=8 * MINUTE)
    for state in (LinkState.CONNECTING, LinkState.OPEN):
        number.refresh_from_db()
        arrive(number, LinkUpdate(state))
    look(number)
    assert Message.objects.get().text == "between"


def test_a_message_lost_before_the_news_of_the_first_connection_came_is_found(number: Number) -> None:
    Number.objects.filter(pk=number.pk).update(
        read_until=None, state=LinkState.CONNECTING, state_at=timezone.now() - 3 * MINUTE, opened_at=None
    )
    said("antes de conectar", ago=9 * MINUTE)
    said("conectado, e ninguém sabia", ago=2 * MINUTE)
    number.refresh_from_db()
    arrive(number, LinkUpdate(LinkState.OPEN))
    look(number)
    assert Message.objects.get().text == "conectado, e ninguém sabia"


def test_the_first_connection_is_searched_for_no_longer_than_usual(number: Number) -> None:
    Number.objects.filter(pk=number.pk).update(
        read_until=None, state=LinkState.CLOSED, state_at=timezone.now() - timedelta(days=1), opened_at=None
    )
    said("conversa de antes", ago=gaps.OVERLAP + 2 * MINUTE)
    number.refresh_from_db()
    arrive(number, LinkUpdate(LinkState.OPEN))
    look(number)
    assert not Message.objects.exists()


def test_a_look_before_the_first_connection_does_not_decide_from_where_to_read(number: Number) -> None:
    Number.objects.filter(pk=number.pk).update(
        read_until=None, state=LinkState.CLOSED, state_at=timezone.now() - timedelta(days=1), opened_at=None
    )
    look(number)
    number.refresh_from_db()
    assert number.read_until is None
    said("conversa de antes", ago=gaps.OVERLAP + 2 * MINUTE)
    arrive(number, LinkUpdate(LinkState.OPEN))
    look(number)
    assert not Message.objects.exists()


def test_it_halves_a_span_that_holds_too_much(number: Number, monkeypatch: pytest.MonkeyPatch) -> None:
    for minute in range(1, 5):
        said(f"há {minute} minutos", ago=minute * MINUTE)
    whole = fakes.FakeTransport.read_back

    def two_at_most(self: Any, *, since: Any, until: Any) -> ReadBack:
        reading = whole(self, since=since, until=until)
        return ReadBack(reading.messages[-2:], reading.ticks, is_whole=len(reading.messages) <= 2)

    monkeypatch.setattr(fakes.FakeTransport, "read_back", two_at_most)
    look(number)
    assert list(Message.objects.order_by("seq").values_list("text", flat=True)) == [
        "há 4 minutos", "há 3 minutos", "há 2 minutos", "há 1 minutos",
    ]  # fmt: skip


def test_it_looks_again_soon_when_something_was_missing(number: Number) -> None:
    said("perdida")
    look(number)
    row = due(gaps.KIND, number.pk)
    assert row is not None
    assert gaps.at_least() - timedelta(seconds=5) < row.due_at - timezone.now() <= gaps.at_least()
    look(number)
    row = due(gaps.KIND, number.pk)
    assert row is not None
    assert gaps.every() - timedelta(seconds=5) < row.due_at - timezone.now() <= gaps.every()


def test_it_looks_when_silence_becomes_odd(number: Number) -> None:
    busy = Rhythm(tuple([200.0] * HOURS), until=timezone.now())  # one message in 18 seconds
    Number.objects.filter(pk=number.pk).update(rhythm=busy.as_json(), heard_at=timezone.now())
    look(number)
    row = due(gaps.KIND, number.pk)
    assert row is not None
    assert timedelta(minutes=1.9) < row.due_at - timezone.now() < timedelta(minutes=2.2)


def test_it_asks_after_the_connection_of_a_number_that_is_oddly_silent(number: Number) -> None:
    busy = Rhythm(tuple([200.0] * HOURS), until=timezone.now())
    Number.objects.filter(pk=number.pk).update(rhythm=busy.as_json(), heard_at=timezone.now() - 9 * MINUTE)
    look(number)
    assert due("look", number.pk) is not None


def test_it_learns_from_what_it_reads(number: Number) -> None:
    start = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    rhythm = Rhythm(until=start)
    Number.objects.filter(pk=number.pk).update(rhythm=rhythm.as_json(), read_until=start)
    for minute in range(30):
        arrive(number, said("oi", ago=timezone.now() - start - minute * MINUTE))
    by_hand("não conta", ago=timezone.now() - start - MINUTE)
    look(number)
    number.refresh_from_db()
    assert [rate for rate in Rhythm.from_json(number.rhythm).rates if rate is not None] == [30]


def test_two_looks_never_follow_one_another_closely(number: Number) -> None:
    look(number)
    drive(lambda hands: gaps.look(number.pk, hands))
    assert len(fakes.phone.readings) == 1
    row = due(gaps.KIND, number.pk)
    assert row is not None
    assert row.due_at <= timezone.now() + gaps.at_least()


def test_a_provider_that_does_not_answer_is_asked_again(number: Number, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Any, **span: Any) -> ReadBack:
        raise PortError("away")

    monkeypatch.setattr(fakes.FakeTransport, "read_back", fail)
    before = number.read_until
    look(number)
    number.refresh_from_db()
    assert number.read_until == before
    assert due(gaps.KIND, number.pk) is not None


def test_one_message_nobody_can_store_does_not_hide_the_others(number: Number, monkeypatch: pytest.MonkeyPatch) -> None:
    said("mágica", ago=3 * MINUTE)
    said("normal", ago=2 * MINUTE)
    recover = gaps.recover

    def poisoned(number: Number, found: Incoming, **options: Any) -> Message | None:
        if found.text == "mágica":
            raise ValueError("a mistake of ours")
        return recover(number, found, **options)

    monkeypatch.setattr(gaps, "recover", poisoned)
    look(number)
    assert Message.objects.get().text == "normal"
    look(number)  # it is read back again, and kept once
    kept = Quarantine.objects.get()
    assert (kept.number_id, kept.reason) == (number.pk, Quarantine.Reason.FAILED)
    assert b"a-secret" not in bytes(kept.body)

    monkeypatch.setattr(gaps, "recover", recover)
    acme = Org.objects.get(slug="acme")
    ChannelAddress.objects.create(org=acme, number_id=number.pk, key="k" * 20, auth="token", secret="s" * 20)
    assert quarantine.replay(acme, pk=kept.pk).queued == 1
    received = Received.objects.get()
    tasks.apply(received, attempt=1)
    assert set(Message.objects.values_list("text", flat=True)) == {"normal", "mágica"}


def test_becoming_open_calls_for_a_look(number: Number) -> None:
    from conversations.ports import LinkUpdate

    Number.objects.filter(pk=number.pk).update(state=LinkState.CONNECTING, opened_at=None)
    number.refresh_from_db()
    arrive(number, LinkUpdate(LinkState.OPEN))
    row = due(gaps.KIND, number.pk)
    assert row is not None
    assert row.due_at <= timezone.now()


def test_every_number_with_an_instance_has_its_row(number: Number, in_acme: Org) -> None:
    silent = make_number(name="só recebe")
    for one in (number, silent):
        ChannelAddress.objects.create(
            org=in_acme, number_id=one.pk, key=f"key{one.pk}" * 5, auth="token", secret="s" * 20, instance=one.instance
        )
    gaps.ensure()
    assert due(gaps.KIND, number.pk) is not None
    assert due(gaps.KIND, silent.pk) is None
    Due.objects.filter(kind=gaps.KIND).update(dead_at=timezone.now())
    gaps.ensure()
    row = due(gaps.KIND, number.pk)
    assert row is not None
    assert (row.dead_at, row.generation) == (None, 2)
    gaps.ensure()
    assert Due.objects.get(pk=row.pk).generation == 2


def test_a_removed_number_is_left_alone(number: Number) -> None:
    Number.objects.filter(pk=number.pk).update(removed_at=timezone.now())
    said("perdida")
    look(number)
    assert fakes.phone.readings == []
    assert due(gaps.KIND, number.pk) is None


def test_the_settings_that_judge_late_tries_agree() -> None:
    assert gaps.LATE_TRY >= sending.VERDICT_AFTER
