"""Two contacts are one person: what is put together, where the old address leads, and what an erased one says."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from conversations import erasure, evidence, merging, replies
from conversations.models import (
    Answer,
    Consent,
    Contact,
    Conversation,
    EvalCase,
    Event,
    Fact,
    FormerConversation,
    Mention,
    Message,
    Note,
    Number,
    Qualification,
    ReadMark,
    Signal,
    Takeover,
    Turn,
    Typist,
)
from conversations.models.conversation import FormerConversation as Former
from conversations.qualification import SignalKey
from orgs.context import in_org
from orgs.models import AuditEntry, Membership, Org, Person, Refused
from tests.conversations.conftest import arrive, incoming, make_number, ours, send, turn

SignIn = Callable[[Person], Client]
OTHER = "5511999990002@s.whatsapp.net"
# What points at a conversation, and is seen to when it becomes one with another.
SEEN_TO = {
    Message, Event, Takeover, EvalCase, Note, Mention, Answer, Fact, Signal, FormerConversation,  # moved
    Qualification, Turn, ReadMark, Typist,  # made anew, or of no use there
}  # fmt: skip


@pytest.fixture
def pair(number: Number) -> tuple[Conversation, Conversation]:
    """Two conversations on one number, of one Maria with two phones; the AI has answered both."""
    for jid in (None, OTHER):
        arrive(number, incoming("Somos 8 pessoas", **({"jid": jid} if jid else {})))
        conversation = Conversation.objects.latest("pk")
        turn(conversation)
        send(conversation)
    first, second = Conversation.objects.order_by("pk")
    return first, second


def member(person: Person) -> Membership:
    return Membership.objects.select_related("org", "person").get(person=person, org__slug="acme")


def test_everything_that_points_at_a_conversation_is_seen_to() -> None:
    assert {one.related_model for one in Conversation._meta.related_objects} == SEEN_TO


def test_choosing_looking_and_confirming_makes_one_of_two(
    pair: tuple[Conversation, Conversation], sign_in: SignIn, beto: Person
) -> None:
    keep, goes = pair
    client = sign_in(beto)
    address = f"/o/acme/inbox/{keep.pk}/merge/"
    assert f'id="merge-{goes.pk}"' in client.get(address).content.decode()  # called the same
    assert f'id="merge-{goes.pk}"' in client.get(f"{address}?q=90002").content.decode()
    assert f'id="merge-{keep.pk}"' not in client.get(f"{address}?q=Maria").content.decode()
    html = client.get(f"{address}?with={goes.pk}").content.decode()
    assert ('id="merge"' in html, Conversation.objects.count()) == (True, 2)
    answer = client.post(address, {"with": goes.pk})
    assert answer.headers["Location"] == f"/o/acme/inbox/{keep.pk}/"
    (one,) = Conversation.objects.all()
    texts = list(one.messages.order_by("seq").values_list("text", flat=True))
    assert (one.pk, texts) == (keep.pk, ["Somos 8 pessoas", "ok", "Somos 8 pessoas", "ok"])
    assert Contact.objects.filter(merged_into=one.contact).count() == 1
    (entry,) = AuditEntry.objects.filter(action="conversation.merged")
    assert entry.data == {"contact": keep.contact_id, "former": goes.contact_id}
    turn(one)  # what was answered there stays answered
    assert len(ours()) == 2


def test_the_old_address_leads_to_the_one_that_is_kept_also_for_a_reply(
    pair: tuple[Conversation, Conversation], sign_in: SignIn, beto: Person
) -> None:
    keep, goes = pair
    merging.merge(keep, goes, member(beto))
    client, old = sign_in(beto), f"/o/acme/inbox/{goes.pk}/"
    assert client.get(old).headers["Location"] == f"/o/acme/inbox/{keep.pk}/"
    refresh = client.get(f"{old}?seen=x", headers={"HX-Request": "true"})
    assert (refresh.status_code, refresh.headers["HX-Redirect"]) == (204, f"/o/acme/inbox/{keep.pk}/")
    client.post(f"{old}replies/", {"text": "ainda aqui"})
    assert Conversation.objects.get().messages.filter(text="ainda aqui").count() == 1


def test_an_erased_one_says_so_and_one_that_never_was_does_not(
    pair: tuple[Conversation, Conversation], sign_in: SignIn, beto: Person
) -> None:
    keep, goes = pair
    merging.merge(keep, goes, member(beto))
    erasure.erase(Contact.objects.get(pk=keep.contact_id))
    client = sign_in(beto)
    for pk in (keep.pk, goes.pk):
        assert client.get(f"/o/acme/inbox/{pk}/").status_code == 410
    assert client.get("/o/acme/inbox/99999/").status_code == 404
    assert {one.former_id: one.into_id for one in Former.objects.all()} == {keep.pk: None, goes.pk: None}


def test_what_is_known_is_put_together_and_a_persons_word_stands(
    pair: tuple[Conversation, Conversation], beto: Person
) -> None:
    keep, goes = pair
    evidence.set_fact(goes, "company", "Padaria Sol", person_id=beto.pk)
    Fact.objects.create(conversation=keep, contact=keep.contact, key="company", value="Sol")
    Fact.objects.create(conversation=goes, contact=goes.contact, key="team_size", value="8")
    for one, is_true in ((keep, False), (goes, True)):
        Signal.objects.create(conversation=one, key=SignalKey.BUDGET, is_true=is_true)
    message = goes.messages.order_by("seq").first()
    Answer.objects.create(conversation=goes, stage="situation", message=message, quote="Somos 8", start=0, end=7)
    Consent.objects.create(contact=goes.contact, basis="asked", person_id=beto.pk)
    Note.objects.create(conversation=goes, person_id=beto.pk, text="é o mesmo?", seq=1)
    merging.merge(keep, goes, member(beto))
    current = Fact.objects.filter(ended_at=None, contact=keep.contact)
    assert dict(current.values_list("key", "value")) == {"company": "Padaria Sol", "team_size": "8"}
    assert [signal.is_true for signal in Signal.objects.filter(ended_at=None, conversation=keep)] == [True]
    assert (keep.notes.count(), keep.contact.consents.count()) == (1, 1)
    assert (keep.answers.count(), Qualification.objects.get().score) == (1, 18)  # 12.5 for the answer, 5 for the budget


def test_a_wish_to_be_left_alone_and_who_is_needed_are_kept(
    pair: tuple[Conversation, Conversation], beto: Person
) -> None:
    keep, goes = pair
    Contact.objects.filter(pk=goes.contact_id).update(opted_out_at=timezone.now())
    Conversation.objects.filter(pk=goes.pk).update(needs_person_since=timezone.now(), needs_reason="lead_asked")
    replies.take_over(goes, beto)
    one = merging.merge(keep, goes, member(beto))
    assert (one.contact.opted_out_at is not None, one.needs_reason, one.owner) == (True, "lead_asked", "person")


def test_on_two_numbers_they_stay_two_of_one_contact(number: Number, beto: Person) -> None:
    other = make_number(name="Suporte", phone="5511988880001")
    arrive(number, incoming("a"))
    arrive(other, incoming("b", jid=OTHER))
    first, second = Conversation.objects.order_by("pk")
    merging.merge(first, second, member(beto))
    assert set(Conversation.objects.values_list("contact", flat=True)) == {first.contact_id}
    assert Conversation.objects.count() == 2
    first, second = Conversation.objects.order_by("pk")
    with pytest.raises(Refused):
        merging.merge(first, second, member(beto))


def test_nothing_is_merged_by_who_may_not_or_with_what_is_not_there(
    pair: tuple[Conversation, Conversation], sign_in: SignIn, beto: Person, vera: Person
) -> None:
    keep, goes = pair
    address = f"/o/acme/inbox/{keep.pk}/merge/"
    assert sign_in(vera).post(address, {"with": goes.pk}).status_code == 403
    for wrong in ("", "x", "99999", str(keep.pk)):
        assert sign_in(beto).post(address, {"with": wrong}).status_code == 404
    assert (Conversation.objects.count(), Contact.objects.filter(merged_into=None).count()) == (2, 2)


def test_two_who_merge_at_once_in_opposite_ways_end_with_one(committed: None) -> None:
    with in_org(Org.objects.get(slug="acme")):
        number = make_number()
        arrive(number, incoming("a"))
        arrive(number, incoming("b", jid=OTHER))
        pks = list(Conversation.objects.order_by("pk").values_list("pk", flat=True))
        both = list(Conversation.objects.order_by("pk"))
        who = Membership.objects.select_related("person", "org").get(org__slug="acme", role="owner")

        def begin(order: list[Conversation]) -> bool:
            try:
                with in_org(Org.objects.get(slug="acme")):
                    merging.merge(order[0], order[1], who)
                return True
            except Refused:
                return False
            finally:
                connection.close()

        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(begin, [both, both[::-1]])) == [False, True]
        one = Conversation.objects.get()
        assert (one.messages.count(), Former.objects.get().into_id) == (2, one.pk)
        assert Former.objects.get().former_id in pks
