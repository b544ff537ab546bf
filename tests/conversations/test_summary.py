"""What is known of a lead, for people: from the rows alone, in the reader's language (PRODUCT 2)."""

import pytest

from conversations import corrections, intake, settings_of, summary, turns
from conversations.models import (
    Answer,
    Contact,
    Conversation,
    Fact,
    FactKey,
    Message,
    Number,
    Qualification,
    Signal,
)
from conversations.ports import AnswerFound, Decision, FactFound
from conversations.qualification import Evidence, Rules, Stage, Verdict, judge
from orgs.context import in_org
from orgs.models import Org, Person
from tests.conversations.conftest import arrive, incoming, make_number, the_conversation


def verdict(**answers: int) -> Verdict:
    return judge(Evidence(answers={stage: tuple(range(count)) for stage, count in answers.items()}), Rules())


def compose(language: str = "en", **given: object) -> summary.Summary:
    values: dict[str, object] = {"threshold": 70, "facts": {}, "answers": {}, "signals": {}, "language": language}
    return summary.compose(verdict(situation=2, problem=1), **values | given)  # type: ignore[arg-type]


def test_it_says_where_the_lead_stands_and_what_is_missing() -> None:
    found = compose()
    assert found.standing == "Stage: Problem, score 38; qualified above 70"
    assert found.open == ("Problem", "Implication", "Need and payoff")
    assert found.lines == (found.standing, "Not told yet: Problem, Implication, Need and payoff")


def test_facts_come_in_their_order_with_the_leads_words_and_signals() -> None:
    found = compose(
        facts={"team_size": 12, "name": "Maria", "decision_maker": True, "email": "", "unheard": "x"},
        answers={"problem": ["perco  leads\nna planilha"], "situation": ["uso planilha", "somos 12"]},
        signals={"urgency": True, "budget": False},
    )
    assert found.facts == (("Name", "Maria"), ("Team size", "12"), ("Decision maker", "yes"))
    assert found.answers == (
        ("Situation", ("“uso planilha”", "“somos 12”")),
        ("Problem", ("“perco leads na planilha”",)),
    )
    assert found.signals == (("Has a budget", "no"), ("Is in a hurry", "yes"))
    assert found.text == "\n".join(found.lines)
    assert "Situation: “uso planilha” “somos 12”" in found.lines


def test_the_brief_holds_nothing_the_lead_said_or_is() -> None:
    found = compose(facts={"name": "Maria", "company": "Kepler"}, answers={"problem": ["perco leads"]})
    assert found.brief == (
        found.standing, "Known: Name, Company", "Not told yet: Problem, Implication, Need and payoff",
    )  # fmt: skip


def test_long_words_are_cut_and_only_the_newest_are_told() -> None:
    found = compose(facts={"company": "x" * 500}, answers={"problem": [f"{n} " + "y" * 500 for n in range(9)]})
    ((_, value),) = found.facts
    ((_, quotes),) = found.answers
    assert (len(value), len(quotes)) == (summary.VALUE_CHARS, summary.QUOTES_A_STAGE)
    assert quotes[-1].startswith("“8 ")
    assert all(len(quote) <= summary.QUOTE_CHARS + 2 for quote in quotes)


def test_who_is_qualified_and_who_is_ruled_out() -> None:
    whole = summary.compose(
        verdict(situation=2, problem=2, implication=2), threshold=70, facts={}, answers={}, signals={}, language="en"
    )
    assert whole.standing == "Qualified with a score of 75; more than 70 are needed"
    out = Verdict(stage=Stage.PROBLEM, score=80, qualified=False, complete=(), points=(), ruled_out_by=("company",))
    found = summary.compose(out, threshold=70, facts={}, answers={}, signals={}, language="en")
    assert "Ruled out by: Company" in found.lines


@pytest.mark.parametrize(("language", "word"), [("pt-br", "Etapa"), ("en", "Stage"), ("es", "Etapa"), ("xx", "Etapa")])
def test_it_is_in_the_readers_language(language: str, word: str) -> None:
    assert compose(language).standing.startswith(word)


def test_rows_that_no_longer_count_are_left_out(number: Number) -> None:
    arrive(number, incoming("somos a Kepler, 12 pessoas, uso planilha"))
    conversation = the_conversation()
    message = conversation.messages.get()
    shared = {"conversation": conversation, "message": message}
    Fact.objects.create(contact_id=conversation.contact_id, key="company", value="Kepler", quote="a Kepler", **shared)
    Fact.objects.create(
        contact_id=conversation.contact_id, key="team_size", value=9, ended_at=conversation.created_at, **shared
    )
    Answer.objects.create(stage="situation", quote="uso planilha", **shared)
    Answer.objects.create(stage="problem", quote="nada", start=1, ended_at=conversation.created_at, **shared)
    Signal.objects.create(key="budget", is_true=True, **shared)
    found = of(conversation)
    assert found.facts == (("Company", "Kepler"),)
    assert found.answers == (("Situation", ("“uso planilha”",)),)
    assert found.signals == (("Has a budget", "yes"),)
    assert found.standing.startswith("Stage: Situation, score 18")


def of(conversation: Conversation) -> summary.Summary:
    return summary.of(conversation, settings_of.number(conversation.number), language="en")


def test_another_orgs_rows_are_not_in_it(number: Number, globex: Org) -> None:
    arrive(number, incoming("somos a Kepler"))
    conversation = the_conversation()
    Fact.objects.create(
        conversation=conversation, contact_id=conversation.contact_id, key="company", value="Kepler",
        message=conversation.messages.get(),
    )  # fmt: skip
    with in_org(globex):
        contact = Contact.objects.create(pk=conversation.contact_id)
        theirs = Conversation.objects.create(pk=conversation.pk, contact=contact, number=make_number(), reply_jid="x@y")
        assert of(theirs).facts == ()


def test_the_short_one_is_three_lines_at_most() -> None:
    found = compose(
        facts={"name": "Maria", "company": "Loja Kepler", "segment": "loja", "team_size": 12, "email": "m@a.br"},
        answers={"situation": ["uso planilha"], "problem": ["perco leads"], "implication": ["perdi 3 vendas"]},
    )
    assert found.short == (
        "Maria · Loja Kepler · Team size: 12",
        "Problem: “perco leads” · Implication: “perdi 3 vendas”",
        "Stage: Problem, score 38; qualified above 70",
    )
    assert compose().short == (found.short[2],)


def test_it_is_kept_with_the_verdict_and_follows_what_changes(number: Number, ana: Person) -> None:
    arrive(number, incoming("sou da Kepler, uso planilha"))
    lead = Message.objects.get()
    opened = turns.open_turn(the_conversation().pk)
    assert opened is not None
    finds = (FactFound("company", "Kepler", lead.pk, "Kepler"), AnswerFound("situation", lead.pk, "uso planilha", 0.9))
    assert turns.apply(opened, Decision(("E o que atrapalha?",), finds=finds))
    kept = Qualification.objects.get()
    assert kept.summary.splitlines()[:2] == ["Kepler", "Situação: “uso planilha”"]
    first = kept.summary_at
    corrections.set_fact(the_conversation(), FactKey.COMPANY, "Tycho", ana)
    kept.refresh_from_db()
    assert kept.summary.startswith("Tycho\n")
    assert (kept.summary_at or 0) > first  # type: ignore[operator]
    second = kept.summary_at
    corrections.set_fact(the_conversation(), FactKey.EMAIL, "m@example.com", ana)
    assert Qualification.objects.get().summary_at == second  # nothing else to say
    intake.apply_revoke(lead)
    assert "planilha" not in Qualification.objects.get().summary


def test_a_models_words_go_before_ours_until_somebody_corrects(number: Number, ana: Person) -> None:
    arrive(number, incoming("sou da Kepler"))
    lead = Message.objects.get()
    opened = turns.open_turn(the_conversation().pk)
    assert opened is not None
    found = FactFound("company", "Kepler", lead.pk, "Kepler")
    told = "Maria, da Kepler.\n\nQuer  vender mais.\nDecide sozinha.\nUma linha a mais."
    assert turns.apply(opened, Decision(("Certo.",), finds=(found,), summary=told))
    assert Qualification.objects.get().summary == "Maria, da Kepler.\nQuer vender mais.\nDecide sozinha."
    corrections.set_fact(the_conversation(), FactKey.COMPANY, "Tycho", ana)
    assert Qualification.objects.get().summary.startswith("Tycho\n")
