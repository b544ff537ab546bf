"""What arrives becomes one message of one contact, whatever the order and however often."""

from datetime import timedelta

from django.utils import timezone

from conversations.models import Alias, Contact, Conversation, Correction, Event, MediaAsset, Message, Number, Pending
from conversations.ports import (
    Ack,
    ChatAddress,
    Edit,
    LinkState,
    LinkUpdate,
    Media,
    MessageKind,
    Reaction,
    Referral,
    Revoke,
    StatusUpdate,
)
from orgs.models import Due
from tests.conversations.conftest import JID, arrive, incoming, the_conversation

LID = "210000000000001@lid"


def test_a_first_message_makes_contact_conversation_message_and_turn(number: Number) -> None:
    arrive(number, incoming("Oi", pid="A"))
    message = Message.objects.get()
    assert (message.text, message.provider_id, message.seq, message.author) == ("Oi", "A", 1, "lead")
    contact = Contact.objects.get()
    assert (contact.name, contact.phone) == ("Maria", "5511999990001")
    assert (the_conversation().reply_jid, the_conversation().unread) == (JID, 1)
    assert Due.objects.get().kind == "turn"
    assert [event.name for event in Event.objects.all()] == ["whatsapp.message.received.v1"]


def test_the_same_message_again_changes_nothing(number: Number) -> None:
    for _ in range(3):
        arrive(number, incoming("Oi", pid="A"))
    assert Message.objects.count() == 1
    assert the_conversation().unread == 1


def test_a_lid_with_its_phone_is_the_same_person(number: Number) -> None:
    arrive(number, incoming("Oi"))
    arrive(number, incoming("de novo", chat=ChatAddress(LID, phone="5511999990001", lid="210000000000001")))
    assert Contact.objects.count() == 1
    assert set(Alias.objects.values_list("sort", flat=True)) == {"phone", "lid"}
    assert the_conversation().reply_jid == LID, "replies go to the JID that wrote"


def test_two_contacts_that_turn_out_to_be_one_are_merged(number: Number) -> None:
    arrive(number, incoming("por telefone"))
    arrive(number, incoming("por LID", chat=ChatAddress(LID, lid="210000000000001")))
    assert Conversation.objects.count() == 2
    arrive(number, incoming("sou eu", chat=ChatAddress(LID, phone="5511999990001", lid="210000000000001")))
    conversation = the_conversation()
    assert list(conversation.messages.order_by("seq").values_list("text", flat=True)) == [
        "por telefone",
        "por LID",
        "sou eu",
    ]
    assert Contact.objects.filter(merged_into=None).count() == 1
    assert list(conversation.events.order_by("sequence").values_list("sequence", flat=True)) == [1, 2, 3]


def test_a_merge_keeps_the_wish_to_be_left_alone(number: Number) -> None:
    arrive(number, incoming("parar", chat=ChatAddress(LID, lid="210000000000001")))
    arrive(number, incoming("Oi"))
    arrive(number, incoming("sou eu", chat=ChatAddress(LID, phone="5511999990001", lid="210000000000001")))
    assert Contact.objects.get(merged_into=None).opted_out_at is not None


def test_ticks_before_their_message_wait_for_it(number: Number) -> None:
    arrive(number, StatusUpdate("X", Ack.READ, from_us=True))
    assert Pending.objects.count() == 1
    arrive(number, incoming("do celular", pid="X", from_us=True))
    assert Message.objects.get().ack == Ack.READ.rank
    assert not Pending.objects.exists()


def test_an_edit_before_its_message_wins(number: Number) -> None:
    arrive(number, Edit("A", "corrigido", timezone.now()))
    arrive(number, incoming("errado", pid="A"))
    assert Message.objects.get().text == "corrigido"
    assert Correction.objects.get().former_text == "errado"


def test_a_late_older_edit_is_ignored(number: Number) -> None:
    now = timezone.now()
    arrive(number, incoming("um", pid="A"))
    arrive(number, Edit("A", "três", now))
    arrive(number, Edit("A", "dois", now - timedelta(minutes=1)))
    assert Message.objects.get().text == "três"


def test_a_deleted_message_loses_its_words_and_their_history(number: Number) -> None:
    arrive(number, incoming("segredo", pid="A"))
    arrive(number, Edit("A", "segredo 2", timezone.now()))
    arrive(number, Revoke("A"))
    arrive(number, Revoke("A"))
    assert Message.objects.get().text == ""
    assert "segredo" not in "".join(Correction.objects.values_list("former_text", flat=True))


def test_a_reaction_wakes_nobody(number: Number) -> None:
    arrive(number, incoming(pid="A"))
    Due.objects.all().delete()
    arrive(number, Reaction("R", ChatAddress(JID, phone="5511999990001"), False, "A", "👍"))
    assert Message.objects.get().reaction == "👍"
    assert not Due.objects.exists()


def test_an_old_message_is_kept_for_a_person_and_not_answered(number: Number) -> None:
    arrive(number, incoming("de anteontem", sent_at=timezone.now() - timedelta(days=2)))
    assert Message.objects.get().is_backlog
    assert the_conversation().needs_reason == "backlog"
    assert not Due.objects.filter(kind="turn").exists()


def test_an_old_message_from_the_companys_phone_is_no_takeover(number: Number) -> None:
    arrive(number, incoming("ontem", from_us=True, sent_at=timezone.now() - timedelta(days=2)))
    assert the_conversation().owner == Conversation.Owner.AI


def test_the_ad_of_the_first_touch_stays(number: Number) -> None:
    arrive(number, incoming("vi o anúncio", referral=Referral(source_id="ad-1", title="Solar")))
    arrive(number, incoming("outro", referral=Referral(source_id="ad-2")))
    assert Contact.objects.get().referral["source_id"] == "ad-1"


def test_a_voice_note_wants_its_file_and_a_turn(number: Number) -> None:
    arrive(number, incoming("", kind=MessageKind.AUDIO, media=Media(mime="audio/ogg", is_voice_note=True)))
    assert MediaAsset.objects.get().state == "wanted"
    assert set(Due.objects.values_list("kind", flat=True)) == {"turn", "media"}


def test_a_closed_conversation_reopens(number: Number) -> None:
    arrive(number, incoming())
    Conversation.objects.update(lifecycle="closed", closed_reason="won")
    arrive(number, incoming("voltei"))
    assert (the_conversation().lifecycle, the_conversation().closed_reason) == ("open", "")


def test_a_persons_conversation_waits_for_the_person(number: Number) -> None:
    arrive(number, incoming("deixa", from_us=True))
    Due.objects.all().delete()
    arrive(number, incoming("obrigada"))
    assert the_conversation().needs_reason == "lead_waiting"
    assert not Due.objects.filter(kind="turn").exists()


def test_the_connection_is_followed(number: Number) -> None:
    arrive(number, LinkUpdate(LinkState.CLOSED, reason=401))
    assert Number.objects.get().state == LinkState.CLOSED
    arrive(number, LinkUpdate(LinkState.OPEN, own_jid="5511988880000@s.whatsapp.net"))
    number.refresh_from_db()
    assert (number.state, number.own_jid) == (LinkState.OPEN, "5511988880000@s.whatsapp.net")


def test_a_name_a_person_wrote_is_kept(number: Number) -> None:
    arrive(number, incoming())
    Contact.objects.update(name="Maria Souza (Fibra)", name_is_theirs=False)
    arrive(number, incoming(sender_name="mari ✨"))
    assert Contact.objects.get().name == "Maria Souza (Fibra)"
