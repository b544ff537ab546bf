"""One turn for everything that came in, answered once."""

from datetime import timedelta

import pytest
from django.utils import timezone

from conversations import intake, turns
from conversations.models import Control, Conversation, Message, Number, Turn
from conversations.policy import Silence
from conversations.ports import Decision, Edit, Revoke
from orgs.models import Due
from tests import fakes
from tests.conversations.conftest import arrive, incoming, ours, send, the_conversation, turn


def test_one_turn_answers_all_that_came_in(number: Number) -> None:
    for text in ("Oi", "quanto custa?", "é pra empresa"):
        arrive(number, incoming(text))
    fakes.FakeBrain.script = ["Olá!|Quantas pessoas são?"]
    turn(the_conversation())
    send(the_conversation())
    assert fakes.phone.sent == [
        ("5511999990001@s.whatsapp.net", "Olá!"),
        ("5511999990001@s.whatsapp.net", "Quantas pessoas são?"),
    ]
    (context,) = fakes.FakeBrain.contexts
    assert [line.text for line in context.lines] == ["Oi", "quanto custa?", "é pra empresa"]
    assert the_conversation().watermark == 3


def test_nothing_is_answered_twice(number: Number) -> None:
    arrive(number, incoming())
    turn(the_conversation())
    turn(the_conversation())
    send(the_conversation())
    send(the_conversation())
    assert len(fakes.phone.sent) == 1


def test_a_message_during_the_thinking_supersedes_the_draft(number: Number) -> None:
    arrive(number, incoming("Oi"))
    fakes.FakeBrain.script = ["para Oi", "para tudo"]
    fakes.FakeBrain.during = lambda context: None
    opened = turns.open_turn(the_conversation().pk)
    assert opened is not None
    arrive(number, incoming("quero comprar"))
    assert not turns.apply(opened, Decision(("para Oi",)))
    assert Turn.objects.get().state == Turn.State.SUPERSEDED
    turn(the_conversation())
    send(the_conversation())
    assert [text for _, text in fakes.phone.sent] == ["para Oi"]
    assert [line.text for line in fakes.FakeBrain.contexts[-1].lines] == ["Oi", "quero comprar"]


def test_at_the_cap_it_answers_and_looks_again(number: Number) -> None:
    arrive(number, incoming("Oi"))
    Message.objects.update(created_at=timezone.now() - timedelta(seconds=60))
    opened = turns.open_turn(the_conversation().pk)
    assert opened is not None
    arrive(number, incoming("e mais uma coisa"))
    Due.objects.all().delete()
    assert turns.apply(opened, Decision(("já respondo",)))
    assert set(Due.objects.values_list("kind", flat=True)) == {"send", "turn"}


def test_a_retaken_turn_is_written_once(number: Number) -> None:
    arrive(number, incoming())
    frozen = turns.open_turn(the_conversation().pk)
    again = turns.open_turn(the_conversation().pk)
    assert frozen is not None
    assert again is not None
    assert turns.apply(again, Decision(("nova",)))
    assert not turns.apply(frozen, Decision(("velha",)))
    assert ours() == [("queued", "nova")]


def test_a_takeover_during_the_thinking_silences_the_ai(number: Number) -> None:
    arrive(number, incoming())
    opened = turns.open_turn(the_conversation().pk)
    assert opened is not None
    intake.take_over(the_conversation(), person_id=1, source="inbox")
    assert not turns.apply(opened, Decision(("tarde demais",)))
    assert ours() == []


def test_after_giving_back_it_answers_what_is_unanswered(number: Number) -> None:
    arrive(number, incoming("Oi"))
    intake.take_over(the_conversation(), person_id=1, source="inbox")
    arrive(number, incoming("alguém aí?"))
    intake.give_back(the_conversation(), person_id=1)
    turn(the_conversation())
    assert ours() == [("queued", "ok")]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"mode": Number.Mode.OFF}, Silence.OFF),
        ({"mode": Number.Mode.NEW, "mode_since": timezone.now() + timedelta(days=1)}, Silence.OLD_CONTACT),
    ],
)
def test_a_number_that_is_not_live_stays_silent_and_asks_for_a_person(
    number: Number, change: dict[str, object], why: Silence
) -> None:
    Number.objects.update(**change)
    arrive(number, incoming())
    turn(the_conversation())
    assert ours() == []
    assert (Turn.objects.get().reason, the_conversation().needs_reason) == (why, why)


def test_the_red_switch_stops_turns_and_sends(number: Number) -> None:
    arrive(number, incoming())
    turn(the_conversation())
    Control.objects.create(paused_at=timezone.now())
    send(the_conversation())
    assert fakes.phone.sent == []
    assert ours() == [("cancelled", "ok")]


def test_drafts_wait_for_a_person(number: Number) -> None:
    Number.objects.update(mode=Number.Mode.DRAFTS)
    arrive(number, incoming())
    turn(the_conversation())
    send(the_conversation())
    assert ours() == [("draft", "ok")]
    assert the_conversation().needs_reason == "draft_waits"


def test_who_asks_to_be_left_alone_is(number: Number) -> None:
    arrive(number, incoming("Oi"))
    turn(the_conversation())
    arrive(number, incoming("Pare de me mandar mensagem!"))
    send(the_conversation())
    turn(the_conversation())
    ((_, said),) = fakes.phone.sent
    assert "quero voltar" in said
    assert [state for state, _ in ours()] == ["cancelled", "sent"]
    assert the_conversation().needs_person_since is None


def test_two_bots_are_stopped(number: Number) -> None:
    arrive(number, incoming())
    Conversation.objects.update(ai_in_a_row=12)
    turn(the_conversation())
    assert the_conversation().owner == Conversation.Owner.PERSON
    assert Turn.objects.get().reason == Silence.LOOP


def test_an_edit_before_the_answer_is_what_gets_answered(number: Number) -> None:
    arrive(number, incoming("Oi", pid="A"))
    arrive(number, Edit("A", "Olá, tudo bem?", timezone.now()))
    turn(the_conversation())
    assert [line.text for line in fakes.FakeBrain.contexts[0].lines] == ["Olá, tudo bem?"]


def test_a_deleted_message_is_not_answered(number: Number) -> None:
    arrive(number, incoming("mensagem errada", pid="A"))
    arrive(number, Revoke("A"))
    turn(the_conversation())
    assert ours() == []
    assert Message.objects.get().text == ""


def test_a_failing_brain_leaves_the_turn_open(number: Number) -> None:
    arrive(number, incoming())
    fakes.FakeBrain.script = [RuntimeError("down"), "voltei"]
    with pytest.raises(RuntimeError):
        turn(the_conversation())
    turn(the_conversation())
    assert ours() == [("queued", "voltei")]
    assert Turn.objects.get().attempts == 2
