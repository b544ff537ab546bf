"""The panel of a lead: every point leads to the lead's words, and what people correct stays corrected."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from conversations import intake, lead_panel, turns, wording
from conversations.models import Answer, Consent, Fact, Message, Number, Qualification, Signal
from conversations.ports import AnswerFound, Decision, FactFound, SignalFound
from conversations.qualification import STAGES
from orgs.models import AuditEntry, Person
from tests.conversations.conftest import arrive, incoming, send, the_conversation

SignIn = Callable[[Person], Client]


@pytest.fixture
def learnt(number: Number) -> Message:
    """A lead who told three things."""
    arrive(number, incoming("somos 8, usamos caderno, decido sozinho"))
    lead = Message.objects.get()
    opened = turns.open_turn(the_conversation().pk)
    assert opened is not None
    finds = (
        AnswerFound("situation", lead.pk, "usamos caderno", 0.9),
        FactFound("team_size", 8, lead.pk, "somos 8"),
        SignalFound("decision_maker", lead.pk, "decido sozinho"),
    )
    assert turns.apply(opened, Decision(("E o que atrapalha?",), finds=finds))
    return lead


def address(end: str = "") -> str:
    return f"/o/acme/inbox/{the_conversation().pk}/{end}"


def test_each_point_leads_to_the_leads_words(learnt: Message, sign_in: SignIn, vera: Person) -> None:
    page = sign_in(vera).get(address()).content.decode()
    assert f'data-message="message-{learnt.pk}">“usamos caderno”' in page
    assert f'data-message="message-{learnt.pk}">“somos 8”' in page
    assert f'id="message-{learnt.pk}"' in page
    assert "IA, 90 % de certeza" in page
    assert "/facts/" not in page  # a viewer changes nothing


def test_a_persons_word_stays_and_is_judged(learnt: Message, sign_in: SignIn, beto: Person) -> None:
    client = sign_in(beto)
    client.post(address("facts/team_size/"), {"value": "12"})
    client.post(address("signals/decision_maker/"), {"value": "no"})
    fact = Fact.objects.get(key="team_size", ended_at=None)
    assert (fact.value, fact.author, fact.person_id) == (12, "person", beto.pk)
    assert Signal.objects.get(ended_at=None).is_true is False
    assert Qualification.objects.get().score == 13  # one answer of two; the signal's points are gone
    arrive(learnt.number, incoming("somos 8 mesmo"))
    opened = turns.open_turn(the_conversation().pk)
    assert opened is not None
    again = Message.objects.filter(author="lead").latest("pk")
    turns.apply(opened, Decision(("Ok.",), finds=(FactFound("team_size", 8, again.pk, "somos 8"),)))
    assert Fact.objects.get(key="team_size", ended_at=None).value == 12
    entries = AuditEntry.objects.filter(action="lead.corrected").order_by("pk")
    assert [entry.data for entry in entries] == [{"what": "fact:team_size"}, {"what": "signal:decision_maker"}]


def test_an_answer_that_does_not_count_never_comes_back(learnt: Message, sign_in: SignIn, beto: Person) -> None:
    answer = Answer.objects.get()
    client = sign_in(beto)
    for _ in range(2):
        assert client.post(address(f"answers/{answer.pk}/end/")).status_code == 302
    assert AuditEntry.objects.filter(action="lead.corrected").count() == 1
    assert Qualification.objects.get().score == 5
    assert "usamos caderno”" not in client.get(address()).content.decode()


@pytest.mark.parametrize(
    ("key", "value"), [("team_size", "muitos"), ("email", "ana@"), ("phone", "12"), ("decision_maker", "talvez")]
)
def test_what_cannot_be_is_refused_beside_its_field(
    learnt: Message, sign_in: SignIn, beto: Person, key: str, value: str
) -> None:
    before = Fact.objects.count()
    answer = sign_in(beto).post(address(f"facts/{key}/"), {"value": value})
    assert answer.status_code == 422
    assert f'id="fact-{key}-error"' in answer.content.decode()
    assert Fact.objects.count() == before


def test_emptying_a_fact_forgets_it(learnt: Message, sign_in: SignIn, beto: Person) -> None:
    sign_in(beto).post(address("facts/team_size/"), {"value": " "})
    assert not Fact.objects.filter(ended_at=None).exists()


def test_the_panel_alone_answers_htmx(learnt: Message, sign_in: SignIn, beto: Person) -> None:
    page = sign_in(beto).post(address("facts/name/"), {"value": "Zu"}, headers={"HX-Request": "true"}).content.decode()
    assert 'id="desk-panel"' in page
    assert "thread__log" not in page


def test_a_viewer_and_an_unknown_row_change_nothing(
    learnt: Message, sign_in: SignIn, vera: Person, beto: Person
) -> None:
    assert sign_in(vera).post(address("facts/name/"), {"value": "Zu"}).status_code == 403
    client = sign_in(beto)
    assert client.post(address("facts/shoe_size/"), {"value": "1"}).status_code == 404
    assert client.post(address("signals/budget/"), {"value": "maybe"}).status_code == 404
    assert client.post(address("answers/999999/end/")).status_code == 404
    assert not AuditEntry.objects.filter(action="lead.corrected").exists()


def test_the_trace_says_what_a_turn_was_decided_on(learnt: Message, sign_in: SignIn, vera: Person) -> None:
    turn = the_conversation().turns.get()
    page = sign_in(vera).get(address(f"turns/{turn.pk}/")).content.decode()
    for words in ("E o que atrapalha?", "usamos caderno", "1 mensagem", "US$ 0"):
        assert words in page
    assert f"turns/{turn.pk}/" in sign_in(vera).get(address()).content.decode()
    assert sign_in(vera).get(address("turns/999999/")).status_code == 404


def test_follow_ups_are_stopped_by_a_person(learnt: Message, sign_in: SignIn, beto: Person) -> None:
    send(the_conversation())
    page = sign_in(beto).get(address()).content.decode()
    assert "follow-ups-end" in page
    assert sign_in(beto).post(address("follow-ups/end/")).status_code == 302
    assert "follow-ups-end" not in sign_in(beto).get(address()).content.decode()
    assert AuditEntry.objects.get(action="lead.corrected").data == {"what": "follow_ups"}


def test_a_row_of_the_list_opens_the_panel_too_and_a_refresh_leaves_it(
    learnt: Message, sign_in: SignIn, vera: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = sign_in(vera)
    opened = client.get(address(), headers={"HX-Request": "true", "HX-Target": "desk-thread"}).content.decode()
    assert 'id="desk-panel"' in opened
    assert "usamos caderno”" in opened
    monkeypatch.delattr("conversations.lead_panel.of")  # a refresh needs none of it
    refreshed = client.get(address(), headers={"HX-Request": "true"})
    assert refreshed.status_code == 200
    assert 'id="desk-panel"' not in refreshed.content.decode()


def test_it_says_who_they_are_what_to_ask_and_where_they_come_from(
    learnt: Message, sign_in: SignIn, beto: Person
) -> None:
    contact = the_conversation().contact
    contact.referral = {"title": "Promo de verão", "source_url": "javascript:alert(1)", "source_id": "238"}
    contact.save(update_fields=["referral"])
    first = lead_panel.of(the_conversation(), beto)
    assert first.summary[0] == "Tamanho da equipe: 8"
    assert first.ad is not None
    assert (first.ad.title, first.ad.link) == ("Promo de verão", "")
    assert [one.about for one in first.suggested] == [wording.stage(stage) for stage in STAGES]
    page = sign_in(beto).get(address()).content.decode()
    assert "Promo de verão" in page
    assert f'data-text="{first.suggested[0].text}"' in page
    assert "Escreveu para nós primeiro" in page
    Message.objects.filter(author="ai").update(extra={"asks": {"about": "situation", "text": first.suggested[0].text}})
    again = lead_panel.of(the_conversation(), beto)
    assert first.suggested[0].text not in [one.text for one in again.suggested]  # asked already
    Consent.objects.create(contact=contact, basis="asked", source="site", person_id=beto.pk)
    assert "Pediu que escrevêssemos" in sign_in(beto).get(address()).content.decode()


def test_follow_ups_that_were_written_are_listed(learnt: Message, beto: Person) -> None:
    conversation = the_conversation()
    intake.say(conversation, "Ainda por aí?", sort=intake.FOLLOW_UP, as_draft=False)
    (one,) = lead_panel.of(conversation, beto).follow_ups
    assert (one.text, one.state) == ("Ainda por aí?", "Na fila")


def test_the_panel_reads_each_kind_of_row_once(learnt: Message, beto: Person) -> None:
    with CaptureQueriesContext(connection) as queries:
        lead_panel.of(the_conversation(), beto)
    for table in ("answer", "signal", "fact"):
        assert sum(f'FROM "conversations_{table}"' in one["sql"] for one in queries) == 1
