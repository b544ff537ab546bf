"""A voice note's words come before its turn, in a bounded wait, and amend what was answered without (PRODUCT 2)."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django.utils import timezone

from conversations import erasure, invariants, media, replies, tasks, transcripts, turns
from conversations.models import AgentVersion, Contact, Conversation, MediaAsset, Message, ModelCall, Number
from conversations.ports import ChatAddress, Decision, Media, MessageKind, ModelError, ModelUse, Revoke, Transcript
from orgs.context import in_org
from orgs.models import Due, Org, Person
from orgs.models.queue import Claimed
from sdr.lib import jobs
from sdr.lib.errors import PortError
from tests import fakes
from tests.conversations.conftest import (
    Hands,
    arrive,
    at_once,
    drive,
    incoming,
    make_number,
    ours,
    send,
    the_conversation,
    turn,
)

OGG = b"OggS" + b"\0" * 32
LATE = 660.0  # seconds: longer than a turn waits, and no reason yet to call a person
USE = ModelUse(purpose="transcribe", model="ears", input_tokens=10, cost_usd=Decimal("0.002"))
TURN = "tests.conversations.test_transcripts"


class Ears:
    """Hears `script`, one after the other; `during` runs while it listens."""

    script: list[Transcript | Exception] = []
    during: Callable[[], None] | None = None
    heard: list[tuple[bytes, str, str]] = []

    async def transcribe(self, content: bytes, mime: str, *, language: str) -> Transcript:
        Ears.heard.append((content, mime, language))
        if Ears.during is not None:
            await asyncio.to_thread(Ears.during)
        said = Ears.script.pop(0)
        if isinstance(said, Exception):
            raise said
        return said


@pytest.fixture(autouse=True)
def ears(settings: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Ears]]:
    settings.MEDIA_ROOT = str(tmp_path)
    settings.SDR_TRANSCRIBER = f"{TURN}.Ears"
    monkeypatch.setattr(transcripts, "WAIT", timedelta(minutes=10))  # however slow this machine is
    Ears.script, Ears.during, Ears.heard = [], None, []
    yield Ears


def said(text: str) -> Transcript:
    return Transcript(text, "pt-br", use=USE)


def voice(number: Number, *, seconds: int | None = 7, ago: float = 0, **fields: Any) -> Message:
    """A lead's voice note, not stored yet."""
    note = Media(mime="audio/ogg; codecs=opus", seconds=seconds, is_voice_note=True)
    arrive(number, incoming("", kind=MessageKind.AUDIO, media=note, **fields))
    message = Message.objects.filter(kind="audio").latest("pk")
    if ago:
        at = timezone.now() - timedelta(seconds=ago)
        Message.objects.filter(pk=message.pk).update(created_at=at)
        Conversation.objects.update(last_lead_at=at)
    return message


def store(message: Message, content: bytes = OGG) -> None:
    """Its file has come."""
    asset = MediaAsset.objects.select_related("message").get(message=message)
    asset.path = default_storage.save(f"incoming/{message.pk}", ContentFile(content))
    MediaAsset.objects.filter(pk=asset.pk).update(path=asset.path)
    at_once(media.fetch(message.pk, attempt=1))


def hear(message: Message, *, attempt: int = 1) -> None:
    drive(lambda hands: transcripts.transcribe(message.pk, hands, attempt=attempt))


def hearing(message: Message) -> str:
    return str(MediaAsset.objects.get(message=message).hearing)


def turn_due() -> datetime | None:
    return Due.objects.filter(kind="turn").values_list("due_at", flat=True).first()


def told() -> list[str]:
    """What the brain was given as the lead's words, last time."""
    return [line.text for line in fakes.FakeBrain.contexts[-1].lines if line.author == "lead"]


# --- In time --------------------------------------------------------------------------------------------------------
def test_a_turn_waits_for_the_words_and_answers_them(number: Number) -> None:
    message = voice(number)
    turn(the_conversation())
    assert (ours(), fakes.FakeBrain.contexts) == ([], [])
    due = turn_due()
    assert due is not None
    assert abs(due - message.created_at - transcripts.WAIT) < timedelta(seconds=1)
    store(message)
    assert Due.objects.filter(kind="transcribe", ref=str(message.pk)).exists()
    turn(the_conversation())
    assert ours() == []  # stored, and not heard yet
    Ears.script = [said("quero saber o preço")]
    hear(message)
    assert Ears.heard == [(OGG, "audio/ogg; codecs=opus", "pt-br")]
    due = turn_due()
    assert due is not None
    assert due < message.created_at + transcripts.WAIT
    turn(the_conversation())
    assert told() == ["quero saber o preço"]
    assert ours() == [("queued", "ok")]
    assert hearing(message) == "heard"


def test_what_it_cost_is_in_the_ledger(number: Number) -> None:
    message = voice(number)
    store(message)
    Ears.script = [said("oi")]
    hear(message)
    (call,) = ModelCall.objects.all()
    assert (call.purpose, call.message_id, call.cost_usd) == ("transcribe", message.pk, Decimal("0.002"))


def test_the_wait_has_an_end(number: Number) -> None:
    message = voice(number, ago=LATE)
    store(message)
    turn(the_conversation())
    assert ours() == [("queued", "ok")]
    assert told() == [""]


def test_newer_words_do_not_push_the_wait(number: Number) -> None:
    voice(number, ago=LATE)
    arrive(number, incoming("alô?"))
    turn(the_conversation())
    assert ours() == [("queued", "ok")]


def test_text_waits_for_the_voice_note_before_it(number: Number) -> None:
    voice(number)
    arrive(number, incoming("ouviu?"))
    turn(the_conversation())
    assert ours() == []


@pytest.mark.parametrize("state", [MediaAsset.State.FAILED, MediaAsset.State.REFUSED])
def test_a_file_that_does_not_come_is_not_waited_for(number: Number, state: MediaAsset.State) -> None:
    message = voice(number)
    turn(the_conversation())
    Due.objects.filter(kind="turn").delete()
    media.settle(MediaAsset.objects.get(message=message), state, "gone")
    assert turn_due() is not None
    turn(the_conversation())
    assert ours() == [("queued", "ok")]


def test_nobody_is_waited_for_where_nobody_transcribes(number: Number, settings: Any) -> None:
    settings.SDR_TRANSCRIBER = ""
    message = voice(number)
    turn(the_conversation())
    assert ours() == [("queued", "ok")]
    store(message)
    assert hearing(message) == ""
    assert not Due.objects.filter(kind="transcribe").exists()


def test_late_work_hears_it(number: Number) -> None:
    message = voice(number)
    store(message)
    Ears.script = [said("oi"), said("tarde")]
    row = Claimed(1, 1, transcripts.KIND, str(message.pk), uuid4(), 1, 1, timezone.now(), timezone.now(), {})

    async def work(hands: Hands) -> None:
        async def in_org(org_id: int, function: Any, *args: Any, **kwargs: Any) -> Any:
            return await hands.run(function, *args, **kwargs)

        await tasks.transcribe(jobs.Work(row, in_org, in_org))

    drive(work)
    tasks.transcribe_died(jobs.Work(row, None, None), "too late to matter")  # type: ignore[arg-type]
    assert hearing(message) == "heard"
    assert jobs.registry.kinds[transcripts.KIND].on_dead is tasks.transcribe_died


# --- Not heard ------------------------------------------------------------------------------------------------------
def test_a_failure_is_tried_again_and_then_goes_on_without(number: Number) -> None:
    message = voice(number)
    store(message)
    Ears.script = [PortError("busy")] * transcripts.TRIES
    for attempt in range(1, transcripts.TRIES):
        with pytest.raises(PortError):
            hear(message, attempt=attempt)
        assert hearing(message) == "wanted"
    hear(message, attempt=transcripts.TRIES)
    assert hearing(message) == "failed"
    turn(the_conversation())
    assert ours() == [("queued", "ok")]


def test_a_failure_for_good_is_not_tried_again_and_its_cost_is_kept(number: Number) -> None:
    message = voice(number)
    store(message)
    Ears.script = [ModelError("no", reason="blocked", permanent=True, uses=(USE,))]
    hear(message)
    assert (hearing(message), ModelCall.objects.count()) == ("failed", 1)
    hear(message)
    assert len(Ears.heard) == 1


def test_the_unintelligible_is_said_so_and_asked_for_again(number: Number) -> None:
    message = voice(number)
    store(message)
    Ears.script = [Transcript("", is_unintelligible=True, use=USE)]
    hear(message)
    assert hearing(message) == "unclear"
    turn(the_conversation())
    line = fakes.FakeBrain.contexts[-1].lines[-1]
    assert (line.text, line.kind, line.hearing) == ("", "audio", "unclear")


def test_too_long_a_note_is_heard_by_people(number: Number) -> None:
    message = voice(number, seconds=601)
    store(message)
    assert hearing(message) == "too_long"
    turn(the_conversation())
    assert (ours(), Ears.heard) == ([("queued", "ok")], [])


def test_too_large_a_file_is_heard_by_people(number: Number, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcripts, "LARGEST_BYTES", len(OGG) - 1)
    message = voice(number)
    store(message)
    assert (hearing(message), Ears.heard) == ("too_long", [])


def test_when_the_months_money_is_spent_nobody_is_asked(number: Number) -> None:
    AgentVersion.objects.update(monthly_budget_usd=Decimal("0.01"))
    ModelCall.objects.create(purpose="reply", model="m", cost_usd=Decimal("0.01"))
    message = voice(number)
    store(message)
    hear(message)
    assert (hearing(message), Ears.heard) == ("no_budget", [])
    turn(the_conversation())
    assert ours() == [("queued", "ok")]


def test_a_file_that_is_gone_goes_on_without(number: Number) -> None:
    message = voice(number)
    store(message)
    default_storage.delete(MediaAsset.objects.get(message=message).path)
    hear(message)
    assert (hearing(message), Ears.heard) == ("failed", [])


def test_given_up_late_work_goes_on_without(number: Number) -> None:
    message = voice(number)
    store(message)
    turn(the_conversation())
    Due.objects.filter(kind="turn").delete()
    for _ in range(2):
        transcripts.died(message.pk, "gave up")
    assert hearing(message) == "failed"
    assert turn_due() is not None


@pytest.mark.parametrize(
    "fields",
    [{"from_us": True, "sender_name": ""}, {"sent_at": datetime.fromisoformat("2020-01-01T00:00:00+00:00")}],
    ids=["our own", "old"],
)
def test_what_the_ai_does_not_answer_is_not_transcribed(number: Number, fields: dict[str, Any]) -> None:
    message = voice(number, **fields)
    store(message)
    assert hearing(message) == ""


# --- Late -----------------------------------------------------------------------------------------------------------
def unheard_answer(number: Number) -> Message:
    """A voice note that was answered before it was heard."""
    message = voice(number, ago=LATE)
    store(message)
    fakes.FakeBrain.script = ["Não ouvi ainda. Pode escrever?"]
    turn(the_conversation())
    return message


def test_late_words_are_answered_after_all(number: Number) -> None:
    message = unheard_answer(number)
    send(the_conversation())
    Due.objects.filter(kind="turn").delete()
    Ears.script = [said("quero comprar hoje")]
    hear(message)
    assert turn_due() is not None
    assert not invariants.unanswered_without_turn()
    turn(the_conversation())
    send(the_conversation())
    assert [state for state, _ in ours()] == ["sent", "sent"]
    assert told() == ["quero comprar hoje"]
    hear(message)
    turn(the_conversation())
    assert len(ours()) == 2


def test_an_answer_that_has_not_left_is_withdrawn_for_the_words(number: Number) -> None:
    message = unheard_answer(number)
    Ears.script = [said("quero comprar hoje")]
    hear(message)
    turn(the_conversation())
    send(the_conversation())
    assert ours() == [("cancelled", "Não ouvi ainda. Pode escrever?"), ("sent", "ok")]
    assert Message.objects.get(state="cancelled").failure == "heard_late"


def test_the_words_are_still_owed_an_answer_after_a_takeover_and_a_hand_back(number: Number, ana: Person) -> None:
    message = unheard_answer(number)
    Ears.script = [said("quero comprar hoje")]
    hear(message)
    turn(the_conversation())
    replies.take_over(the_conversation(), ana)
    send(the_conversation())
    replies.give_back(the_conversation(), ana)
    turn(the_conversation())
    send(the_conversation())
    assert [state for state, _ in ours()] == ["cancelled", "cancelled", "sent"]
    assert told() == ["quero comprar hoje"]


def test_a_draft_that_waits_is_withdrawn_for_the_words(number: Number) -> None:
    Number.objects.update(mode=Number.Mode.DRAFTS)
    message = unheard_answer(number)
    Ears.script = [said("quero comprar hoje")]
    hear(message)
    turn(the_conversation())
    assert [state for state, _ in ours()] == ["cancelled", "draft"]


def test_words_that_come_while_it_is_thought_over_supersede_the_draft(number: Number) -> None:
    message = voice(number, ago=LATE)
    store(message)
    opened = turns.open_turn(the_conversation().pk)
    assert opened is not None
    Ears.script = [said("quero comprar hoje")]
    hear(message)
    assert not turns.apply(opened, Decision(("tarde demais",)))
    turn(the_conversation())
    assert (ours(), told()) == ([("queued", "ok")], ["quero comprar hoje"])


def test_late_words_of_a_talk_that_went_on_are_only_kept(number: Number) -> None:
    message = unheard_answer(number)
    send(the_conversation())
    arrive(number, incoming("quero comprar"))
    turn(the_conversation())
    send(the_conversation())
    Due.objects.filter(kind="turn").delete()
    Ears.script = [said("quero comprar hoje")]
    hear(message)
    assert (turn_due(), the_conversation().watermark) == (None, 3)
    message.refresh_from_db()
    assert message.transcript == "quero comprar hoje"


def test_late_words_are_no_reason_to_speak_over_a_person(number: Number) -> None:
    message = unheard_answer(number)
    send(the_conversation())
    arrive(number, incoming("deixa comigo", from_us=True, sender_name=""))
    Due.objects.filter(kind="turn").delete()
    Ears.script = [said("quero comprar hoje")]
    hear(message)
    turn(the_conversation())
    assert turn_due() is None
    assert [text for _, text in fakes.phone.sent] == ["Não ouvi ainda. Pode escrever?"]


@pytest.mark.parametrize("text", ["", "   "])
def test_late_nothing_changes_nothing(number: Number, text: str) -> None:
    message = unheard_answer(number)
    Due.objects.filter(kind="turn").delete()
    Ears.script = [Transcript(text, is_unintelligible=not text, use=USE)]
    hear(message)
    assert (hearing(message), turn_due(), the_conversation().revision) == ("unclear", None, 0)


def test_words_of_a_deleted_voice_note_are_not_kept(number: Number) -> None:
    message = voice(number, pid="V1")
    store(message)
    Ears.during = lambda: None
    Ears.script = [said("segredo")]
    arrive(number, Revoke("V1"))
    hear(message)
    message.refresh_from_db()
    assert (message.transcript, Ears.heard) == ("", [])


def test_deleting_a_heard_voice_note_deletes_its_words(number: Number) -> None:
    message = voice(number, pid="V1")
    store(message)
    Ears.script = [said("segredo")]
    hear(message)
    arrive(number, Revoke("V1"))
    message.refresh_from_db()
    assert message.transcript == ""


def test_an_erased_lead_is_not_heard(number: Number) -> None:
    message = voice(number)
    store(message)
    erasure.erase(Contact.objects.get())
    hear(message)
    assert not transcripts.write(message.pk, said("segredo"))
    assert not Message.objects.exists()


def test_the_thread_shows_what_was_said_and_what_was_not(number: Number, sign_in: Any, beto: Person) -> None:
    message = voice(number)
    store(message)
    address = f"/o/acme/inbox/{the_conversation().pk}/"
    assert "transcri" in sign_in(beto).get(address).content.decode()
    Ears.script = [said("quero <b>comprar</b>")]
    hear(message)
    assert "quero &lt;b&gt;comprar&lt;/b&gt;" in sign_in(beto).get(address).content.decode()


# --- At once --------------------------------------------------------------------------------------------------------
@pytest.fixture
def acme_number(committed: None) -> Iterator[tuple[Org, Number]]:
    acme = Org.objects.get(slug="acme")
    with in_org(acme):
        yield acme, make_number()


class RealHands:
    """Database work on threads with connections of their own, as late work does it."""

    def __init__(self, org: Org, pool: ThreadPoolExecutor) -> None:
        self.org, self.pool = org, pool

    async def run(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        def work() -> Any:
            try:
                with in_org(self.org):
                    return function(*args, **kwargs)
            finally:
                connection.close()

        return await asyncio.get_running_loop().run_in_executor(self.pool, work)


def test_two_who_hear_at_once_write_once_and_pay_twice(acme_number: tuple[Org, Number]) -> None:
    acme, number = acme_number
    message = voice(number, ago=LATE)
    store(message)
    turn(the_conversation())
    send(the_conversation())
    both = threading.Barrier(2)

    def wait_for_both() -> None:  # both have loaded it before either writes
        both.wait(30)

    Ears.during = wait_for_both
    Ears.script = [said("quero comprar"), said("quero comprar hoje")]

    async def race(hands: RealHands) -> None:
        await asyncio.gather(*(transcripts.transcribe(message.pk, hands, attempt=1) for _ in range(2)))

    with ThreadPoolExecutor(4) as pool:
        asyncio.run(race(RealHands(acme, pool)))
    conversation = the_conversation()
    assert (conversation.revision, conversation.watermark, hearing(message)) == (1, message.seq - 1, "heard")
    assert ModelCall.objects.count() == 2
    turn(conversation)
    send(the_conversation())
    assert len(fakes.phone.sent) == 2


def test_a_lost_lease_writes_nothing_over_what_was_written(number: Number) -> None:
    message = voice(number)
    store(message)
    Ears.during = lambda: None
    assert transcripts.write(message.pk, said("o que foi dito"))
    assert not transcripts.write(message.pk, said("de novo"))
    transcripts.note_failure(message.pk, (), is_last=True)
    message.refresh_from_db()
    assert (message.transcript, hearing(message), the_conversation().revision) == ("o que foi dito", "heard", 1)


def test_a_turn_and_the_words_at_once_end_with_the_words_answered(acme_number: tuple[Org, Number]) -> None:
    acme, number = acme_number
    message = voice(number, ago=LATE)
    store(message)
    pk = the_conversation().pk
    start = threading.Barrier(2)

    def in_thread(function: Callable[[], object]) -> None:
        try:
            with in_org(acme):
                start.wait(30)
                function()
        finally:
            connection.close()

    def move() -> None:
        opened = turns.open_turn(pk)
        assert opened is not None
        turns.apply(opened, Decision((told_in(opened),)))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(in_thread, [move, lambda: transcripts.write(message.pk, said("quero comprar"))]))
    for _ in range(2):
        turn(the_conversation())
    send(the_conversation())
    answered = Message.objects.filter(author="ai", state="sent")
    assert answered.count() == 1
    assert (hearing(message), the_conversation().watermark) == ("heard", message.seq)
    if answered.get().text == "ok":
        assert told() == ["quero comprar"]
    else:
        assert answered.get().text == "quero comprar"


def told_in(opened: turns.Opened) -> str:
    return "|".join(line.text for line in opened.context.lines) or "nada"


def test_another_org_hears_nothing_of_it(number: Number, globex: Org) -> None:
    message = voice(number)
    store(message)
    Ears.script = [said("segredo")]
    with in_org(globex):
        other = make_number()
        theirs = voice(other, chat=ChatAddress("5511999990009@s.whatsapp.net", phone="5511999990009"))
        assert not transcripts.write(message.pk + 1000, said("segredo"))
        assert not Message.objects.exclude(transcript="").exists()
        assert MediaAsset.objects.get(message=theirs).hearing == ""
    hear(message)
    with in_org(globex):
        assert not Message.objects.exclude(transcript="").exists()
