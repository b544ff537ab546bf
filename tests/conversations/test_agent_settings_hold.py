"""Whatever an agent's pages set changes what happens once it is published, and nothing before (FIELD 4.5)."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from conversations import (
    agents,
    costs,
    evidence,
    follow_ups,
    lifecycle,
    policy,
    settings_of,
    transcript,
    turns,
)
from conversations.agent_sample import talk as sample
from conversations.models import AgentVersion, Answer, Contact, Conversation, Fact, Message, Number
from conversations.playbook import tones, wording
from conversations.ports import AnswerFound, Context
from conversations.qualification import SignalKey
from integrations.gemini.asking import system_of
from orgs.models import Due
from tests import fakes
from tests.conversations.conftest import arrive, incoming, send, the_conversation, turn


@pytest.fixture(autouse=True)
def playbook(settings: Any, fake_ports: None) -> None:
    settings.SDR_BRAINS = {"playbook": "conversations.playbook.brain.PlaybookBrain"}


def hold(**values: Any) -> AgentVersion:
    """Publish these settings as the pages do."""
    agents.change(None, {"cooldown_seconds": 1} | values, person=None)
    return agents.publish(None, person_id=None) or agents.in_force(None)


def talk(number: Number, *texts: str) -> list[str]:
    """The lead says this, one turn each. Out: what they got in answer to the last."""
    for text in texts:
        before = len(fakes.phone.sent)
        Conversation.objects.update(last_ai_at=None)  # long ago
        arrive(number, incoming(text))
        turn(the_conversation())
        send(the_conversation())
    return [text for _, text in fakes.phone.sent[before:]]


def context(number: Number, text: str = "Oi") -> Context:
    arrive(number, incoming(text))
    return transcript.context(the_conversation(), Contact.objects.get(), settings_of.number(number))


def test_a_draft_alone_changes_nothing(number: Number) -> None:
    agents.change(None, {"disclosure": "Aqui é a Lia, assistente virtual."}, person=None)
    assert "Lia" not in " ".join(talk(number, "Oi, tudo bem?"))


# --- Identity --------------------------------------------------------------------------------------------------------
def test_it_introduces_itself_in_the_orgs_words_or_not_at_all(number: Number) -> None:
    hold(disclosure="Aqui é a Lia, assistente virtual.")
    assert talk(number, "Oi, tudo bem?")[0] == "Aqui é a Lia, assistente virtual."
    Conversation.objects.all().delete()
    hold(discloses=False)
    assert "assistente virtual" not in " ".join(talk(number, "Oi, tudo bem?"))


def test_its_name_instructions_and_goals_reach_the_model(number: Number) -> None:
    hold(name="Lia", instructions="Fale de frete.", goals={"problem": "O que atrasa"}, facts_left_out=["email"])
    told = system_of(context(number))
    for words in ("You are called Lia", "Fale de frete.", "problem: O que atrasa", "these facts:\n- email"):
        assert words in told


def test_its_tone_is_heard_from_either_brain(number: Number) -> None:
    hold(personality="energetic")
    heard = " ".join(talk(number, "Oi! Como funciona?"))
    assert any(way.split("{")[0] in heard for way in tones.ways("energetic", "pt-br", "welcome"))
    assert "Your manner\nis energetic" in system_of(context(number, "E aí?"))


@pytest.mark.parametrize("follows", [True, False])
def test_it_answers_in_the_leads_language_only_if_it_may(number: Number, follows: bool) -> None:
    hold(answers_in_lead_language=follows)
    answer = " ".join(talk(number, "Hi there! How does it work for us?"))
    assert ("virtual assistant" in answer) is follows
    assert ("assistente virtual" in answer) is not follows


def test_it_speaks_the_language_it_is_set_to(number: Number) -> None:
    hold(language="es", answers_in_lead_language=False)
    assert "asistente virtual" in talk(number, "Oi, tudo bem?")[0]


# --- Business, qualification -----------------------------------------------------------------------------------------
def test_it_tells_the_business_and_answers_objections_in_the_orgs_words(number: Number) -> None:
    hold(business="Vendemos bolos em Recife.", objections=[{"about": "caro", "answer": "Entendo, dá para parcelar."}])
    assert "Vendemos bolos em Recife." in " ".join(talk(number, "Oi! Como funciona?"))
    assert "Entendo, dá para parcelar." in " ".join(talk(number, "Achei caro, não sei se vale."))


def test_it_asks_the_orgs_questions_first(number: Number) -> None:
    hold(questions={"situation": ["Quantos bolos vocês assam por dia?"]})
    assert "Quantos bolos vocês assam por dia?" in talk(number, "Oi, tudo bem?")[-1]


JUDGED: list[tuple[dict[str, Any], int, bool]] = [
    ({}, 25, False),
    ({"threshold": 20}, 25, True),
    ({"answers_needed": {"problem": 4}}, 13, False),
    ({"stage_points": {"problem": 80}}, 80, True),
    (
        {"stage_points": {"problem": 80}, "disqualifiers": [{"fact": "segment", "test": "is", "value": "bar"}]},
        80,
        False,
    ),
    ({"disqualifiers": [{"fact": "segment", "test": "known", "value": "", "points": 10}]}, 15, False),
]


@pytest.mark.parametrize(("values", "score", "is_qualified"), JUDGED)
def test_leads_are_judged_by_its_rules(number: Number, values: dict[str, Any], score: int, is_qualified: bool) -> None:
    agent = hold(**values)
    arrive(number, incoming("Perdemos pedidos. E atrasa tudo."))
    said, found = Message.objects.get(), the_conversation()
    evidence.write(
        found, [AnswerFound("problem", said.pk, "Perdemos pedidos"), AnswerFound("problem", said.pk, "atrasa tudo")]
    )
    Fact.objects.create(conversation=found, contact_id=found.contact_id, key="segment", value="bar", author="person")
    verdict = evidence.requalify(found, agent)
    assert (verdict.score, verdict.qualified) == (score, is_qualified)


def test_signals_have_its_points(number: Number) -> None:
    agent = hold(signal_points={"budget": 40})
    arrive(number, incoming("Oi"))
    evidence.set_signal(the_conversation(), SignalKey.BUDGET, True, person_id=1)
    assert evidence.requalify(the_conversation(), agent).score == 40


def test_it_keeps_no_more_answers_than_it_may_and_no_facts_left_out(number: Number) -> None:
    hold(answers_at_most={"problem": 1}, facts_left_out=["name"])
    talk(number, "Meu nome é Carlos. Perdemos pedidos toda semana.", "Além disso, os clientes reclamam do atraso.")
    assert Answer.objects.filter(stage="problem").count() == 1
    assert not Fact.objects.filter(key="name").exists()
    hold(answers_at_most={}, facts_left_out=[])
    talk(number, "Meu nome é Carlos", "E também erramos muitos endereços.")
    assert Answer.objects.filter(stage="problem").count() == 2
    assert Fact.objects.get(key="name").value == "Carlos"


# --- Guardrails, handoff ---------------------------------------------------------------------------------------------
def test_what_is_forbidden_does_not_leave_and_calls_a_person(number: Number) -> None:
    hold(forbidden=["recife"], business="Vendemos bolos em Recife.")
    assert "Recife" not in " ".join(talk(number, "Oi! Como funciona?"))
    assert the_conversation().needs_reason == "guarded"


def test_a_topic_goes_to_a_person_whatever_the_brain_would_say(number: Number) -> None:
    hold(
        human_topics=["Reembolso"],
        handoff_text="Já chamei a Ana.",
        outside_hours="answer",
        hours=[["00:00", "00:00"]] * 7,
    )
    heard = talk(number, "Oi! Como peço reembolsos?")
    assert heard[-1] == "Já chamei a Ana."
    assert "assistente virtual" in heard[0]
    assert the_conversation().needs_reason == "human_topic"
    # Told once, then shortly, then a person is waited for.
    again = talk(number, "E o reembolso?")
    assert again
    assert "Já chamei a Ana." not in again
    assert talk(number, "reembolso") == []


def test_who_asks_for_a_person_hears_the_orgs_words_with_when_outside_hours(number: Number) -> None:
    tomorrow = timezone.now() + timedelta(days=1)
    week: list[list[str]] = [[]] * 7
    week[tomorrow.weekday()] = ["09:00", "10:00"]
    hold(handoff_text="Já chamei a Ana.", handoff_away_text="A Ana volta {when}.", hours=week, time_zone="UTC")
    heard = talk(number, "Quero falar com um atendente humano, por favor")[-1]
    assert heard.startswith("A Ana volta ")
    assert "{when}" not in heard
    hold(hours=[["00:00", "00:00"]] * 7)
    Conversation.objects.all().delete()
    assert talk(number, "Quero falar com um atendente humano, por favor")[-1] == "Já chamei a Ana."


def test_the_orgs_words_are_for_those_who_read_its_language(number: Number) -> None:
    hold(handoff_text="Já chamei a Ana.")
    assert "Ana" not in " ".join(talk(number, "I want to talk to a human, please"))


def test_an_opt_out_goes_before_a_topic(number: Number) -> None:
    hold(human_topics=["mensagens"])
    talk(number, "Pare de me mandar mensagens")
    assert Contact.objects.get().opted_out_at is not None


def test_loops_end_where_it_says(number: Number) -> None:
    hold(loop_limit=3)
    arrive(number, incoming("Oi"))
    Conversation.objects.update(ai_in_a_row=3)
    turn(the_conversation())
    assert the_conversation().needs_reason == "loop"


def test_a_persons_silence_hands_back_when_it_says(number: Number) -> None:
    arrive(number, incoming("Oi"))
    Conversation.objects.update(owner=Conversation.Owner.PERSON, owner_person_id=1)
    due = [lifecycle.hand_back_at(the_conversation(), hold(hand_back_hours=hours)) for hours in (2, 5, None)]
    assert due[1] is not None
    assert due[0] is not None
    assert due[1] - due[0] == timedelta(hours=3)
    assert due[2] is None


# --- Timing ----------------------------------------------------------------------------------------------------------
def test_it_waits_thinks_and_reads_as_long_as_it_says(number: Number) -> None:
    agent = hold(batching_seconds=30, turn_timeout_seconds=45, context_messages=5)
    for text in ("um", "dois", "três", "quatro", "cinco", "seis"):
        arrive(number, incoming(text))
    due = Due.objects.get(kind="turn")
    assert timedelta(seconds=25) < due.due_at - timezone.now() <= timedelta(seconds=30)
    opened = turns.open_turn(the_conversation().pk)
    assert opened is not None
    assert opened.timeout == timedelta(seconds=45)
    assert [line.text for line in opened.context.lines] == ["dois", "três", "quatro", "cinco", "seis"]
    assert opened.agent.pk == agent.pk


def test_it_pauses_between_answers(number: Number) -> None:
    hold(cooldown_seconds=30)
    talk(number, "Oi")
    arrive(number, incoming("E aí?"))
    assert turns.open_turn(the_conversation().pk) is None
    hold(cooldown_seconds=1)
    Conversation.objects.update(last_ai_at=timezone.now() - timedelta(seconds=5))
    assert turns.open_turn(the_conversation().pk) is not None


@pytest.mark.parametrize(("minutes", "owed"), [(5, 0), (60, 1)])
def test_what_comes_too_late_is_for_people(number: Number, minutes: int, owed: int) -> None:
    hold(backlog_minutes=minutes)
    arrive(number, incoming("Oi", sent_at=timezone.now() - timedelta(minutes=30)))
    assert Due.objects.filter(kind="turn").count() == owed


@pytest.mark.parametrize(("most", "bubbles"), [(1, ["a\n\nb\n\nc"]), (2, ["a", "b\n\nc"]), (3, ["a", "b", "c"])])
def test_an_answer_has_no_more_messages_than_it_says(
    number: Number, settings: Any, most: int, bubbles: list[str]
) -> None:
    settings.SDR_BRAINS = {"playbook": "tests.fakes.FakeBrain"}
    hold(bubbles_at_most=most)
    fakes.FakeBrain.script = ["a|b|c"]
    assert talk(number, "Oi") == bubbles


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Seconds of “typing…” as they are reckoned."""
    found: list[float] = []
    reckon = policy.typing_time

    def note(text: str, *, per_character: float, longest: float) -> timedelta:
        found.append(reckon("x" * 100, per_character=per_character, longest=longest).total_seconds())
        return timedelta()

    monkeypatch.setattr(policy, "typing_time", note)
    yield found


def test_it_types_as_fast_as_it_says(number: Number, typed: list[float]) -> None:
    hold(typing_per_character=0.06, typing_longest=20)
    talk(number, "Oi")
    hold(typing_longest=2)
    talk(number, "E aí?")
    assert {typed[0], typed[-1]} == {6.0, 2.0}


# --- Hours, follow-ups, model ----------------------------------------------------------------------------------------
def test_a_yearly_holiday_closes_as_ones_own_day_does(number: Number) -> None:
    today = timezone.now().date()
    hold(hours=[["00:00", "00:00"]] * 7, time_zone="UTC", outside_hours="silent")
    arrive(number, incoming("Oi"))
    assert turns.open_turn(the_conversation().pk) is not None
    hold(holidays=[(today + timedelta(days=ahead)).isoformat() for ahead in (-1, 0, 1)])
    arrive(number, incoming("E aí?"))
    assert turns.open_turn(the_conversation().pk) is None
    christmas = hold(holidays=[], yearly_holidays=["christmas"]).closed_days
    assert "2026-12-25" in christmas


def test_follow_ups_go_by_its_ladder_and_words(number: Number) -> None:
    agent = hold(
        follow_ups=[{"after_minutes": 15, "text": "Oi {name}, e aí?"}], hours=[["00:00", "00:00"]] * 7, time_zone="UTC"
    )
    now = timezone.now()
    rungs = follow_ups.ladder(agent)
    assert follow_ups.due_at(rungs, 0, agent, answered_at=now, last_at=None) == now + timedelta(minutes=15)
    assert rungs[0].text == "Oi {name}, e aí?"
    assert follow_ups.due_at(rungs, 1, agent, answered_at=now, last_at=now) is None


def test_it_closes_and_asks_for_a_rating_as_it_says(number: Number) -> None:
    talk(number, "Oi")
    silent_for = [lifecycle.closing_at(the_conversation(), hold(close_after_days=days)) for days in (3, 5, None)]
    assert silent_for[0] is not None
    assert silent_for[1] is not None
    assert silent_for[1] - silent_for[0] == timedelta(days=2)
    assert silent_for[2] is None
    assert transcript.persona(hold(asks_satisfaction=False)).asks_satisfaction is False


def test_model_thinking_and_budget_are_its_own(number: Number) -> None:
    agent = hold(model="some-model-1", thinking_level="high", monthly_budget_usd=0)
    found = transcript.persona(agent)
    assert (found.model, found.thinking_level) == ("some-model-1", "high")
    assert costs.is_over_budget(agent, now=timezone.now())
    assert not costs.is_over_budget(hold(monthly_budget_usd=None), now=timezone.now())


def test_the_brain_is_the_one_it_names(number: Number, settings: Any) -> None:
    settings.SDR_BRAINS |= {"gemini": "tests.fakes.FakeBrain"}
    hold(brain="gemini")
    fakes.FakeBrain.script = ["daqui fala o outro"]
    assert talk(number, "Oi") == ["daqui fala o outro"]


# --- The tones -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("language", wording.LANGUAGES)
@pytest.mark.parametrize("tone", tones.TONES)
def test_a_tone_has_every_language_and_passes_the_guards(language: str, tone: str) -> None:
    usual = wording.SAY[language]
    assert set(tones.TONES[tone]) == set(wording.LANGUAGES)
    for key, ways in tones.TONES[tone][language].items():
        assert ways
        assert len(set(ways)) == len(ways)
        assert all(("{name}" in way) == ("{name}" in usual[key][0]) for way in ways)
    said = sample(AgentVersion(language=language, personality=tone), company="Acme", now=timezone.now())
    usually = sample(AgentVersion(language=language), company="Acme", now=timezone.now())
    assert said != usually
    assert sum(one.is_lead for one in said) == 2
    assert any("?" in one.text for one in said[1:] if not one.is_lead)
