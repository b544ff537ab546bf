"""The team is told that a lead needs a person, or is qualified: once, in their language, without the lead's words."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from conversations import intake, notices
from conversations.models import Contact, Conversation, Event, Fact, Message, Number, Qualification
from orgs import notifications
from orgs.context import in_org
from orgs.models import Mail, Membership, NotificationDelivery, Org, Person
from tests.conversations.conftest import arrive, deliver_news, incoming, make_number, the_conversation, told

TEAM = ["ana@example.com", "beto@example.com", "davi@example.com"]  # all but the viewer


def letters() -> list[tuple[str, str]]:
    deliver_news()
    return sorted((mail.kind.rpartition("/")[2], mail.to) for mail in Mail.objects.all())


def hand_off(reason: str = "lead_asked") -> list[Membership]:
    with transaction.atomic():
        return notices.handed_off(intake.locked(the_conversation().pk), reason)


def qualify() -> list[Membership]:
    with transaction.atomic():
        return notices.qualified(intake.locked(the_conversation().pk))


def make_qualified(*, is_qualified: bool = True) -> None:
    Qualification.objects.update_or_create(
        conversation=the_conversation(), defaults={"is_qualified": is_qualified, "score": 75}
    )


def test_who_may_answer_is_told_of_a_handoff_and_nobody_else(number: Number) -> None:
    arrive(number, incoming("quero falar com uma pessoa"))
    assert len(hand_off()) == 3
    assert letters() == [("handed_off", to) for to in TEAM]
    conversation = the_conversation()
    assert (conversation.needs_reason, conversation.owner) == ("lead_asked", "ai")
    assert Event.objects.filter(name="session.handed_off.v1").count() == 1


def test_each_reads_it_in_their_own_language(number: Number, davi: Person, beto: Person) -> None:
    Person.objects.filter(pk=davi.pk).update(language="en")
    Person.objects.filter(pk=beto.pk).update(language="es")
    arrive(number, incoming("Oi"))
    hand_off()
    deliver_news()
    subjects = {mail.to: mail.subject for mail in Mail.objects.all()}
    assert subjects["davi@example.com"] == "A lead on “Vendas” needs a person"
    assert len(set(subjects.values())) == 3
    english = Mail.objects.get(to="davi@example.com")
    assert "The lead asks for a person." in str(english.text)
    assert f"/o/acme/inbox/{the_conversation().pk}/" in str(english.text)


def test_no_word_of_the_lead_stands_in_it(number: Number) -> None:
    arrive(number, incoming("Sou a Mirtes da Kepler"))
    message = Message.objects.get()
    Fact.objects.create(
        conversation=message.conversation, contact_id=message.conversation.contact_id, message=message, key="company",
        value="Kepler", quote="da Kepler",
    )  # fmt: skip
    make_qualified()
    hand_off()
    deliver_news()
    qualify()
    NotificationDelivery.objects.filter(state="sent").update(ended_at=timezone.now() - timedelta(hours=1))
    assert len(letters()) == 6
    for mail in Mail.objects.all():
        whole = f"{mail.subject} {mail.text} {mail.html}"
        assert not any(word in whole for word in ("Kepler", "Mirtes", "Maria", "99999"))
    assert "Empresa" in str(Mail.objects.filter(language="pt-br").first().text)  # type: ignore[union-attr]


def test_one_handoff_is_told_once_and_the_next_again(number: Number) -> None:
    arrive(number, incoming("quero falar com uma pessoa"))
    for reason in ("lead_asked", "lead_asked", "hostile"):
        hand_off(reason)
    assert told() == [("handoff", to) for to in TEAM]
    assert the_conversation().needs_reason == "hostile"
    Conversation.objects.update(needs_person_since=None, needs_reason="")  # somebody has looked
    hand_off()
    assert told() == sorted([("handoff", to) for to in TEAM] * 2)


def test_what_was_needed_before_does_not_keep_a_handoff_from_being_told(number: Number) -> None:
    arrive(number, incoming("Oi"))
    with transaction.atomic():
        intake.need(intake.locked(the_conversation().pk), "draft_waits")
    hand_off()
    assert len(letters()) == 3


def test_a_qualified_lead_is_told_of_once_and_needs_somebody(number: Number) -> None:
    arrive(number, incoming("Oi"))
    make_qualified()
    for _ in range(2):
        qualify()
    hand_off("qualified")
    make_qualified(is_qualified=False)
    make_qualified()
    qualify()
    assert letters() == [("qualified", to) for to in TEAM]
    assert the_conversation().needs_reason == "qualified"


def test_what_the_lead_asked_for_stays_the_reason(number: Number) -> None:
    arrive(number, incoming("Oi"))
    make_qualified()
    hand_off("lead_asked")
    qualify()
    assert the_conversation().needs_reason == "lead_asked"
    assert [kind for kind, _ in told()] == ["handoff"] * 3 + ["hot"] * 3


def test_a_lead_who_is_not_qualified_is_not_told_of(number: Number) -> None:
    arrive(number, incoming("Oi"))
    assert qualify() == []
    make_qualified(is_qualified=False)
    assert qualify() == []
    assert (letters(), the_conversation().needs_reason) == ([], "")


def test_who_was_told_that_a_person_arranges_a_meeting_gets_one_in_any_case(number: Number) -> None:
    arrive(number, incoming("Oi"))
    hand_off("qualified")
    assert (told()[0], the_conversation().needs_reason) == (("handoff", TEAM[0]), "wants_meeting")
    make_qualified()
    qualify()
    Conversation.objects.update(needs_person_since=None, needs_reason="")  # somebody has looked
    hand_off("qualified")
    assert the_conversation().needs_reason == "qualified"
    assert [kind for kind, _ in told()] == ["handoff"] * 6 + ["hot"] * 3


def test_a_test_lead_needs_somebody_and_writes_to_nobody(number: Number) -> None:
    arrive(number, incoming("Oi"))
    Contact.objects.update(is_test=True)
    hand_off()
    assert (letters(), the_conversation().needs_reason) == ([], "lead_asked")


def test_only_its_owner_is_told_of_a_persons_conversation(number: Number, beto: Person) -> None:
    arrive(number, incoming("Oi"))
    with transaction.atomic():
        intake.take_over(intake.locked(the_conversation().pk), person_id=beto.pk, source="inbox")
    hand_off()
    assert letters() == [("handed_off", "beto@example.com")]


def test_nothing_is_told_of_what_is_rolled_back(number: Number) -> None:
    arrive(number, incoming("Oi"))
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        notices.handed_off(intake.locked(the_conversation().pk), "lead_asked")
        raise ZeroDivisionError
    assert (letters(), the_conversation().told_since) == ([], None)


def test_another_orgs_people_are_not_told(number: Number, globex: Org, carla: Person) -> None:
    arrive(number, incoming("Oi"))
    make_qualified()
    ours = the_conversation()
    with in_org(globex):
        contact = Contact.objects.create(pk=ours.contact_id)
        Conversation.objects.create(pk=ours.pk, contact=contact, number=make_number(), reply_jid="x@y")
        assert qualify() == []  # theirs is not
    hand_off()
    qualify()
    assert carla.email not in {to for _, to in letters()}
    with in_org(globex):
        assert the_conversation().needs_person_since is None


def test_an_outage_does_not_flood_mailboxes(number: Number) -> None:
    for n in range(4):
        arrive(number, incoming("Oi", jid=f"551199999000{n}@s.whatsapp.net"))
    for conversation in Conversation.objects.order_by("pk"):
        with transaction.atomic():
            notices.handed_off(intake.locked(conversation.pk), "ai_failed")
        deliver_news()
    assert letters() == [("handed_off", to) for to in TEAM]  # the others wait until ten minutes are over
    assert Conversation.objects.filter(needs_reason="ai_failed").count() == 4
    NotificationDelivery.objects.filter(state="sent").update(ended_at=timezone.now() - notifications.KEPT_FOR / 90)
    assert letters() == sorted([(kind, to) for to in TEAM for kind in ("handed_off", "several")])
    assert {mail.subject.partition(" ")[0] for mail in Mail.objects.filter(kind__endswith="several")} == {"3"}


def test_many_who_hand_off_at_once_tell_once(committed: None) -> None:
    acme = Org.objects.get(slug="acme")
    with in_org(acme):
        arrive(make_number(), incoming("quero falar com uma pessoa"), at=timezone.now() - timedelta(minutes=1))
    start = threading.Barrier(4)

    def tell(_: int) -> None:
        try:
            with in_org(acme):
                start.wait(20)
                hand_off()
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(tell, range(4)))
    assert told() == [("handoff", to) for to in TEAM]
    with in_org(acme):
        assert letters() == [("handed_off", to) for to in TEAM]
