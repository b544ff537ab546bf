"""Leads who never lived talk to the offline brain: far enough, never in circles, and nothing is made up."""

from dataclasses import replace
from datetime import timedelta
from functools import lru_cache

import pytest

from conversations.ports import Context, Decision
from conversations.simulation import counts, personas, rehearsal
from conversations.simulation.companies import ROTA, SOL
from conversations.simulation.counts import Said, Talk
from conversations.simulation.personas import Kind, Lead

LEADS, SEED = 40, 4


@lru_cache
def talks() -> tuple[Talk, ...]:
    return tuple(rehearsal.talk(lead) for lead in personas.crowd(LEADS, seed=SEED))


def said(*lines: tuple[str, str]) -> Talk:
    talk = Talk(1, Kind.HOSTILE, "pt-br", ROTA)
    talk.lines = [Said(author, text) for author, text in lines]
    return talk


def test_a_crowd_is_of_every_kind_and_language_and_always_the_same() -> None:
    crowd = personas.crowd(LEADS, seed=SEED)
    kinds = [lead.kind for lead in crowd]
    assert kinds.count(Kind.COOPERATIVE) == LEADS - LEADS * personas.UNCOOPERATIVE
    assert set(kinds) == set(Kind)
    assert {lead.language for lead in crowd} == set(personas.LANGUAGES)
    assert {lead.company.slug for lead in crowd} == {ROTA.slug, SOL.slug}
    again = personas.crowd(LEADS, seed=SEED)
    assert [lead.opens() for lead in crowd] == [lead.opens() for lead in again]


@pytest.mark.parametrize(("kind", "least"), [(Kind.COOPERATIVE, 0.8), (Kind.TERSE, 0.5)])
def test_those_who_answer_are_brought_to_the_end(kind: Kind, least: float) -> None:
    found = counts.report(talks())["kinds"][kind]
    assert found["engaged"] > 0
    assert found["spin_completion"] > least or (kind is Kind.TERSE and found["spin_completion"] >= least)


def test_nobody_is_asked_twice_nor_talked_to_in_circles_nor_told_what_nobody_knows() -> None:
    found = counts.figures(talks())
    assert (found["repeated_questions"], found["loops"], found["unsupported_claims"]) == (0, 0, 0)
    assert found["held_back_by_guards"] <= 1  # our own words need no holding back


def test_the_hostile_are_left_in_peace() -> None:
    hostile = [talk for talk in talks() if talk.kind is Kind.HOSTILE]
    assert all(talk.ends_politely for talk in hostile)
    assert all(talk.honours_leaving for talk in talks())


def test_private_people_are_not_asked_about_a_company() -> None:
    private = [talk for talk in talks() if talk.company is SOL]
    assert private
    assert not [line for talk in private for line in talk.of("ai") if line.about == "fact:company"]


def test_when_nobody_is_there_leads_are_told_when_somebody_is() -> None:
    lead = next(
        lead for lead in personas.crowd(LEADS, seed=SEED) if lead.kind is Kind.TERSE and lead.language == "pt-br"
    )
    talk = rehearsal.talk(lead, back_at=rehearsal.BEGAN + timedelta(hours=20))
    assert "amanhã às 11:00" in talk.of("ai")[-1].text
    assert talk.guarded == []


# --- The counting itself ---------------------------------------------------------------------------------------------
def test_a_made_up_price_a_day_and_a_link_are_noticed() -> None:
    talk = said(("lead", "oi"), ("ai", "Custa R$ 77, veja em https://x.example, e na sexta tem desconto."))
    assert talk.unsupported == ["77", "https://x.example,", "sexta"]
    assert said(("lead", "somos 77 na sexta"), ("ai", "77 pessoas na sexta, e o plano custa R$ 189.")).unsupported == []


def test_a_question_in_the_same_words_and_a_reply_said_again_are_noticed() -> None:
    assert said(("ai", "Oi! Como é hoje?"), ("lead", "?"), ("ai", "Certo. Como é hoje?")).repeated == ["como e hoje?"]
    assert said(("ai", "Tudo bem."), ("lead", "?"), ("ai", "Tudo bem.")).loops == ["tudo bem."]
    assert said(("ai", "Tudo bem."), ("lead", "?"), ("ai", "Certo.")).loops == []


def test_a_rude_or_asking_last_word_is_no_polite_end() -> None:
    assert said(("lead", "lixo"), ("ai", "Desculpe, vou parar por aqui.")).ends_politely
    assert not said(("lead", "lixo"), ("ai", "Estúpido é você.")).ends_politely
    assert not said(("lead", "lixo"), ("ai", "E qual é o seu nome?")).ends_politely
    assert not said(("lead", "lixo")).ends_politely


def test_words_after_a_wish_to_leave_are_noticed() -> None:
    talk = said(("lead", "me tirem da lista"), ("ai", "Tudo certo."), ("ai", "E o seu nome?"))
    talk.has_left, talk.is_opted_out = True, True
    assert not talk.honours_leaving
    assert replace(talk, lines=talk.lines[:2]).honours_leaving
    assert not replace(talk, lines=talk.lines[:2], is_opted_out=False).honours_leaving


def test_a_brain_that_asks_the_same_again_is_caught() -> None:
    """The counting sees a bad brain: one that answers everything with one question never completes anything."""

    def parrot(context: Context) -> Decision:
        return Decision(("Como vocês cuidam disso hoje?",), language="pt-br")

    lead = Lead(50, Kind.COOPERATIVE, "pt-br", seed=SEED, company=replace(ROTA, disclosure=""))
    talk = rehearsal.talk(lead, decide=parrot)
    assert talk.repeated
    assert talk.loops
    assert not talk.is_complete
