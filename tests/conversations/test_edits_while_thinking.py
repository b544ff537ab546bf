"""What the lead changes or adds while the brain thinks is thought over again, once they are quiet, and never lost."""

from datetime import timedelta

import pytest
from django.utils import timezone

from conversations import invariants, turns
from conversations.models import AgentVersion, Message, Number, Turn
from conversations.ports import Decision, Edit, Revoke
from orgs.models import Due
from tests import fakes
from tests.conversations.conftest import arrive, incoming, ours, the_conversation, turn


def think(change: object, number: Number) -> turns.Opened:
    """Open the turn, let something arrive, try to apply."""
    opened = turns.open_turn(the_conversation().pk)
    assert opened is not None
    arrive(number, change)
    Due.objects.all().delete()
    assert not turns.apply(opened, Decision(("velha",)))
    return opened


@pytest.mark.parametrize("change", [Edit("A", "quanto custa o plano anual?", None), Revoke("B")])
def test_a_change_while_thinking_is_thought_over_again(number: Number, change: object) -> None:
    arrive(number, incoming("quanto custa?", pid="A"))
    arrive(number, incoming("ops", pid="B"))
    think(change, number)
    superseded = Turn.objects.get()
    assert (superseded.state, superseded.reason, ours()) == ("superseded", "message_changed", [])
    assert Due.objects.filter(kind="turn").exists()
    turn(the_conversation())
    assert ours() == [("queued", "ok")]
    said = [line.text for line in fakes.FakeBrain.contexts[-1].lines]
    assert ("quanto custa o plano anual?" in said) is isinstance(change, Edit)
    assert ("ops" in said) is isinstance(change, Edit)


def test_a_deleted_only_message_leaves_nothing_to_answer(number: Number) -> None:
    arrive(number, incoming("mensagem errada", pid="A"))
    think(Revoke("A"), number)
    turn(the_conversation())
    assert ours() == []
    assert not invariants.unanswered_without_turn()


def test_a_change_of_what_was_answered_long_ago_supersedes_too(number: Number) -> None:
    """The brain has read the former words in its context."""
    arrive(number, incoming("meu CPF é 123", pid="A"))
    turn(the_conversation())
    Message.objects.filter(author="ai").update(state="sent")
    arrive(number, incoming("e o preço?"))
    think(Revoke("A"), number)
    turn(the_conversation())
    assert ours() == [("sent", "ok"), ("queued", "ok")]
    assert "meu CPF é 123" not in [line.text for line in fakes.FakeBrain.contexts[-1].lines]


def test_what_another_message_changes_supersedes_nothing(number: Number) -> None:
    arrive(number, incoming("Oi", pid="A"))
    turn(the_conversation())
    Message.objects.filter(author="ai").update(state="sent", provider_id="OURS")
    arrive(number, incoming("e aí?"))
    opened = turns.open_turn(the_conversation().pk)
    assert opened is not None
    arrive(number, Edit("OURS", "corrigido no celular", timezone.now()))
    assert turns.apply(opened, Decision(("tudo bem",)))


@pytest.mark.parametrize(("text", "share"), [("quero saber o preço do plano.", 0.4), ("e", 1)])
def test_a_superseded_draft_waits_until_the_lead_is_quiet(number: Number, text: str, share: float) -> None:
    AgentVersion.objects.update(batching_seconds=20)
    arrive(number, incoming("Oi"))
    opened = turns.open_turn(the_conversation().pk)
    assert opened is not None
    arrive(number, incoming(text))
    newer = Message.objects.get(seq=2)
    assert not turns.apply(opened, Decision(("…",)))
    due = Due.objects.get(kind="turn")
    assert due.due_at == newer.created_at + timedelta(seconds=20 * share)


def test_but_never_beyond_the_cap(number: Number) -> None:
    AgentVersion.objects.update(batching_seconds=20)
    arrive(number, incoming("Oi"))
    opened = turns.open_turn(the_conversation().pk)
    assert opened is not None
    first = Message.objects.get()
    first.created_at -= timedelta(seconds=55)
    first.save()
    arrive(number, incoming("e"))
    assert not turns.apply(opened, Decision(("…",)))
    assert Due.objects.get(kind="turn").due_at == first.created_at + timedelta(seconds=60)


def test_an_edit_withdraws_a_draft_that_waits_for_approval(number: Number) -> None:
    Number.objects.update(mode=Number.Mode.DRAFTS)
    arrive(number, incoming("quanto custa?", pid="A"))
    turn(the_conversation())
    arrive(number, Edit("A", "quanto custa o anual?", timezone.now()))
    assert [state for state, _ in ours()] == ["cancelled"]
    assert the_conversation().needs_person_since is None
    turn(the_conversation())
    assert [state for state, _ in ours()] == ["cancelled", "draft"]
    assert the_conversation().needs_reason == "draft_waits"


def test_an_edit_of_what_was_answered_and_sent_rewinds_only_what_has_not_left(number: Number) -> None:
    arrive(number, incoming("primeira", pid="A"))
    turn(the_conversation())
    Message.objects.filter(author="ai").update(state="sent")
    arrive(number, incoming("segunda"))
    turn(the_conversation())
    arrive(number, Edit("A", "primeira, corrigida", timezone.now()))
    assert [state for state, _ in ours()] == ["sent", "cancelled"]
    assert the_conversation().watermark == 1
    turn(the_conversation())
    assert [state for state, _ in ours()] == ["sent", "cancelled", "queued"]
