"""Drafts: nothing of the AI's leaves before a person approves it, and then only while the AI may speak."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import timezone

from conversations import pause, replies, sending
from conversations.models import Contact, Conversation, Message, Number
from orgs.models import AuditEntry, Person, Refused
from tests import fakes
from tests.conversations.conftest import JID, arrive, incoming, make_number, ours, send, the_conversation, turn

SignIn = Callable[[Person], Client]


@pytest.fixture
def draft(in_acme: object) -> Message:
    number = make_number(mode=Number.Mode.DRAFTS)
    arrive(number, incoming())
    fakes.FakeBrain.script = ["Olá! Quantas pessoas são?"]
    turn(the_conversation())
    return Message.objects.get(author="ai")


def post(client: Client, message: Message, verb: str) -> int:
    address = f"/o/acme/inbox/{message.conversation_id}/messages/{message.pk}/{verb}/"
    return client.post(address).status_code


def test_an_approved_draft_leaves(draft: Message, sign_in: SignIn, beto: Person) -> None:
    send(the_conversation())
    assert fakes.phone.sent == []
    assert the_conversation().needs_reason == "draft_waits"
    assert post(sign_in(beto), draft, "approval") == 302
    send(the_conversation())
    assert fakes.phone.sent == [(JID, "Olá! Quantas pessoas são?")]
    conversation = the_conversation()
    assert (conversation.owner, conversation.needs_reason, conversation.needs_person_since) == ("ai", "", None)
    assert AuditEntry.objects.get(action="draft.approved").data == {"id": draft.pk}


def test_approving_twice_sends_once(draft: Message, sign_in: SignIn, beto: Person, davi: Person) -> None:
    for person in (beto, davi):
        assert post(sign_in(person), draft, "approval") == 302
    send(the_conversation())
    assert len(fakes.phone.sent) == 1
    assert AuditEntry.objects.filter(action="draft.approved").count() == 1


def test_a_discarded_draft_never_leaves(draft: Message, sign_in: SignIn, beto: Person) -> None:
    client = sign_in(beto)
    assert post(client, draft, "discard") == 302
    assert post(client, draft, "approval") == 302
    send(the_conversation())
    assert (fakes.phone.sent, [state for state, _ in ours()]) == ([], ["cancelled"])
    assert the_conversation().needs_reason == ""


def test_a_draft_written_before_the_lead_changed_a_message_can_still_be_approved(draft: Message, beto: Person) -> None:
    Conversation.objects.update(epoch=5)
    replies.approve(draft, beto)
    send(the_conversation())
    assert len(fakes.phone.sent) == 1


def test_a_person_still_decides_about_the_other_draft(draft: Message, beto: Person) -> None:
    conversation = the_conversation()
    Message.objects.create(
        conversation=conversation, number_id=conversation.number_id, author="ai", state="draft", seq=99, text="e mais"
    )
    replies.approve(draft, beto)
    assert the_conversation().needs_reason == "draft_waits"


@pytest.mark.parametrize("why", ["no_draft", "silenced", "paused"])
def test_it_is_not_approved_where_the_ai_may_not_speak(draft: Message, beto: Person, why: str) -> None:
    if why == "no_draft":
        replies.take_over(the_conversation(), beto)
    elif why == "silenced":
        Contact.objects.update(blocked_at=timezone.now())
    else:
        pause.pause_all(beto)
    before = list(Message.objects.values())
    with pytest.raises(Refused) as refused:
        replies.approve(draft, beto)
    assert (refused.value.code, list(Message.objects.values())) == (why, before)


def test_a_refusal_is_told(draft: Message, sign_in: SignIn, beto: Person) -> None:
    replies.take_over(the_conversation(), beto)
    address = f"/o/acme/inbox/{draft.conversation_id}/messages/{draft.pk}/approval/"
    answer = sign_in(beto).post(address, headers={"HX-Request": "true"})
    html = answer.content.decode()
    assert 'role="alert"' in html
    assert "flash--error" in html or "flash" in html.split('id="flashes-urgent"')[1].split("</div>")[0]


def test_a_message_of_another_conversation_is_not_found(draft: Message, sign_in: SignIn, beto: Person) -> None:
    other = Contact.objects.create(name="Outro")
    elsewhere = Conversation.objects.create(contact=other, number=draft.number, reply_jid="2@s.whatsapp.net")
    answer = sign_in(beto).post(f"/o/acme/inbox/{elsewhere.pk}/messages/{draft.pk}/approval/")
    draft.refresh_from_db()
    assert (answer.status_code, draft.state) == (404, "draft")


@pytest.fixture
def queued(in_acme: object) -> Message:
    """An answer on its way, while everybody is answered."""
    arrive(make_number(), incoming())
    fakes.FakeBrain.script = ["Olá! Quantas pessoas são?"]
    turn(the_conversation())
    return Message.objects.get(author="ai")


def test_what_was_queued_becomes_a_draft_when_the_mode_is_lowered_to_drafts(
    queued: Message, sign_in: SignIn, beto: Person
) -> None:
    Number.objects.update(mode=Number.Mode.DRAFTS)
    send(the_conversation())
    send(the_conversation())
    assert fakes.phone.sent == []
    assert Message.objects.get(pk=queued.pk).state == "draft"
    assert the_conversation().needs_reason == "draft_waits"
    assert post(sign_in(beto), queued, "approval") == 302
    send(the_conversation())
    assert fakes.phone.sent == [(JID, "Olá! Quantas pessoas são?")]


def test_a_persons_words_leave_in_drafts_mode_behind_what_was_queued(queued: Message, beto: Person) -> None:
    Number.objects.update(mode=Number.Mode.DRAFTS)
    Message.objects.create(
        conversation=queued.conversation, number_id=queued.number_id, author="person", person_id=beto.pk,
        state="queued", seq=queued.seq + 1, text="Já respondo.",
    )  # fmt: skip
    send(the_conversation())
    send(the_conversation())
    assert fakes.phone.sent == [(JID, "Já respondo.")]
    assert Message.objects.get(pk=queued.pk).state == "draft"


def test_what_was_queued_is_withdrawn_when_the_ai_is_switched_off(queued: Message) -> None:
    Number.objects.update(mode=Number.Mode.OFF)
    send(the_conversation())
    withdrawn = Message.objects.get(pk=queued.pk)
    assert (withdrawn.state, withdrawn.failure) == ("cancelled", "no_longer_ai")
    assert fakes.phone.sent == []


@pytest.mark.parametrize(("mode", "state"), [(Number.Mode.DRAFTS, "draft"), (Number.Mode.OFF, "cancelled")])
def test_a_mode_lowered_while_the_ai_types_keeps_its_words_back(queued: Message, mode: Number.Mode, state: str) -> None:
    claim = sending.claim_next(queued.conversation_id)
    assert claim is not None
    Number.objects.update(mode=mode)
    assert sending.reclaim(claim) is None
    send(the_conversation())
    assert Message.objects.get(pk=queued.pk).state == state
    assert fakes.phone.sent == []
