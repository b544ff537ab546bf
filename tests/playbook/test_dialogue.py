"""What the offline brain says next: one question at a time, never twice, and it knows when to stop (PRODUCT 2)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from conversations.playbook import brain, dialogue, wording
from conversations.playbook.dialogue import Reading
from conversations.ports import (
    AnswerFound,
    Asked,
    Context,
    Decision,
    FactFound,
    Known,
    KnownAnswer,
    Line,
    Offer,
    Persona,
    Snippet,
    Wish,
)
from conversations.qualification import STAGES

NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)


def context(*texts: tuple[str, str], **fields: Any) -> Context:
    lines = tuple(Line(n, author, text, NOW + timedelta(seconds=n)) for n, (author, text) in enumerate(texts, start=1))
    values: dict[str, Any] = {
        "lines": lines or (Line(1, "lead", "Oi", NOW),), "language": "pt-br", "business": "Padaria Sol",
        "disclosure": "Sou o assistente da Padaria Sol.", "is_first_reply": False, "conversation_id": 7,
    }  # fmt: skip
    return Context(**values | fields)


def reading(intent: str = "answer", **fields: Any) -> Reading:
    return Reading(intent=intent, **{"language": "pt-br"} | fields)


def text_of(decision: Decision) -> str:
    return " ".join(decision.bubbles)


def test_the_first_reply_says_who_we_are_greets_and_asks() -> None:
    decision = dialogue.reply(context(is_first_reply=True, contact_name="Maria Souza"), reading("greeting"))
    assert decision.bubbles[0] == "Sou o assistente da Padaria Sol."
    assert "Maria" in decision.bubbles[1]
    assert "Souza" not in decision.bubbles[1]
    assert decision.asks is not None
    assert decision.bubbles[1].endswith(decision.asks.text)


@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_a_whole_talk_asks_one_question_a_turn_and_none_twice(language: str) -> None:
    lines: list[tuple[str, str]] = []
    known = Known()
    asked: list[str] = []
    for turn in range(30):
        lines.append(("lead", f"resposta {turn}"))
        now = context(*lines, language=language, known=known, is_first_reply=turn == 0, disclosure="")
        decision = dialogue.reply(now, reading(language=language))
        assert text_of(decision).count("?") <= 1 + (turn == 0)
        if decision.asks is None:
            assert decision.handoff == "talk_complete"
            break
        asked.append(decision.asks.text)
        lines.append(("ai", text_of(decision)))
        known = replace(known, asked=(*known.asked, decision.asks))
    else:
        pytest.fail("it never ends")
    assert len(asked) == len(set(asked)) > len(STAGES)
    for bubbles in (1, 0):  # one kind word, then nothing
        lines += [("ai", text_of(decision)), ("lead", "ok")]
        decision = dialogue.reply(context(*lines, language=language, known=known), reading(language=language))
        assert (len(decision.bubbles), text_of(decision).count("?")) == (bubbles, 0)


def test_it_asks_the_first_incomplete_stage_by_the_orgs_own_questions() -> None:
    persona = Persona(questions={"problem": ["Onde dói mais?"]})
    facts = {"name": "Ana", "company": "Sol", "timeline": "já", "budget": "mil", "decision_maker": True}
    known = Known(answers=(KnownAnswer(1, "situation", "8"), KnownAnswer(2, "situation", "caderno")), facts=facts)
    assert dialogue.reply(context(persona=persona, known=known), reading()).asks == Asked("problem", "Onde dói mais?")


def test_what_was_told_in_this_very_turn_is_not_asked_again() -> None:
    finds = tuple(AnswerFound("situation", 1, quote) for quote in ("8 pessoas", "caderno"))
    decision = dialogue.reply(context(known=Known(facts=dict.fromkeys(("name", "company"), "x"))), reading(finds=finds))
    assert decision.asks is not None
    assert decision.asks.about not in {"situation", "fact:name", "fact:company"}


@pytest.mark.parametrize(
    ("question", "told", "is_asked"),
    [
        ("Quanto vem a conta de luz por mês, mais ou menos?", "a conta de luz vem uns 2.300 por mês", False),
        ("Quanto vem a conta de luz por mês, mais ou menos?", "a conta de luz vem alta todo mês", True),
        ("O imóvel é próprio e o telhado está livre?", "o imóvel é próprio e o telhado é de cerâmica", False),
        ("How many people work in your shop?", "4 people work in the shop", False),
        ("How many people work in your shop?", "we repair bicycles in the shop", True),
        ("¿Cuántas entregas hacen por semana?", "hacemos 30 entregas por semana", False),
    ],
)
def test_what_a_lead_has_told_unasked_is_not_asked(question: str, told: str, is_asked: bool) -> None:
    persona = Persona(questions={"situation": [question]})
    known = Known(answers=(KnownAnswer(1, "situation", told),), facts=dict.fromkeys(("name", "company"), "x"))
    decision = dialogue.reply(context(persona=persona, known=known), reading())
    assert decision.asks is not None
    assert (decision.asks.text == question) is is_asked


def test_it_never_asks_for_a_fact_it_knows() -> None:
    answers = tuple(KnownAnswer(n, "situation", "x") for n in range(10))
    facts = {"name": "Ana", "timeline": "já", "budget": "mil", "decision_maker": True}
    decision = dialogue.reply(context(known=Known(answers=answers, facts=facts)), reading())
    assert decision.asks == Asked("fact:company", "Qual é o nome da empresa?")


@pytest.mark.parametrize(
    ("fields", "wish", "asks"),
    [
        ({"opt_out": True}, Wish.OPT_OUT, None),
        ({"opt_out": None}, Wish.DOUBTFUL_OPT_OUT, "confirm:opt_out"),
        ({"wants_human": True}, Wish.HUMAN, None),
        ({"wants_human": None}, Wish.DOUBTFUL_HUMAN, "confirm:human"),
    ],
)
def test_wishes_come_first_and_doubtful_ones_are_asked_about(fields: Any, wish: Wish, asks: str | None) -> None:
    decision = dialogue.reply(context(), reading(**fields))
    assert (decision.wish, decision.asks and decision.asks.about) == (wish, asks)
    assert text_of(decision).count("?") == (1 if asks else 0)


@pytest.mark.parametrize(
    ("about", "wish"), [("confirm:opt_out", Wish.OPT_OUT), ("confirm:human", Wish.HUMAN)]
)  # fmt: skip
def test_a_yes_to_the_confirming_question_is_the_wish_and_it_is_asked_once(about: str, wish: Wish) -> None:
    known = Known(asked=(Asked(about, "?"),))
    assert dialogue.reply(context(known=known), reading(says_yes=True)).wish is wish
    again = dialogue.reply(context(known=known), reading(says_yes=False, opt_out=None, wants_human=None))
    assert again.asks is None or again.asks.about != about


def test_it_says_when_people_are_back() -> None:
    back = context(now=NOW, back_at=NOW + timedelta(hours=20))
    assert "amanhã às 11:00" in text_of(dialogue.reply(back, reading(wants_human=True)))


def test_a_known_answer_is_quoted_and_cited_before_the_next_question() -> None:
    snippets = (Snippet(4, "Preços", "", "O plano básico custa R$ 90 por mês."),)
    decision = dialogue.reply(context(snippets=snippets), reading("question", knows_answer=True))
    assert decision.passages == (4,)
    assert text_of(decision).startswith("O plano básico custa R$ 90 por mês.")
    assert decision.asks is not None


def test_what_is_not_known_is_said_and_left_for_a_person() -> None:
    snippets = (Snippet(4, "Preços", "", "O plano básico custa R$ 90 por mês."),)
    decision = dialogue.reply(context(snippets=snippets), reading("question", asks=True))
    assert (decision.passages, decision.handoff) == ((), "unknown_answer")
    assert "90" not in text_of(decision)


@pytest.mark.parametrize(
    ("fields", "handoff"),
    [({"is_hostile": True}, "hostile"), ({"intent": "not_interested"}, ""), ({"intent": "off_topic"}, "")],
)
def test_polite_ends_ask_nothing(fields: Any, handoff: str) -> None:
    decision = dialogue.reply(context(), reading(**fields))
    assert (decision.asks, decision.handoff, text_of(decision).count("?")) == (None, handoff, 0)
    assert decision.bubbles


def test_thanks_after_a_question_need_no_words() -> None:
    talk = context(("ai", "Como cuidam disso hoje?"), ("lead", "obrigada"))
    assert dialogue.reply(talk, reading("thanks")).bubbles == ()


def test_a_qualified_lead_is_handed_to_people_once() -> None:
    known = Known(is_qualified=True)
    first = dialogue.reply(context(("lead", "isso"), known=known), reading())
    assert first.handoff == "qualified"
    later = context(("lead", "isso"), ("ai", text_of(first)), ("lead", "beleza"), known=known)
    assert dialogue.reply(later, reading()).handoff != "qualified"


def test_a_retaken_turn_says_the_same() -> None:
    talk = context(("lead", "são 8 pessoas"))
    assert dialogue.reply(talk, reading()) == dialogue.reply(talk, reading())


@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_every_language_says_everything(language: str) -> None:
    assert set(wording.SAY[language]) == set(wording.SAY["pt-br"])
    assert set(wording.QUESTIONS[language]) == set(wording.QUESTIONS["pt-br"])


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Como vocês cuidam disso hoje?", "na raça: um grupo de WhatsApp e muita boa vontade"),
        ("How do you handle this today?", "on paper, and with a lot of good will"),
        ("¿Cómo manejan eso hoy?", "con papelitos y mucha buena voluntad"),
    ],
)
def test_who_answers_our_question_is_never_met_with_silence(question: str, answer: str) -> None:
    talk = context(("ai", question), ("lead", answer), known=Known(asked=(Asked("situation", question),)))
    decision = brain.decide(talk)
    assert decision.asks is not None
    assert [find.stage for find in decision.finds if isinstance(find, AnswerFound)][:1] == ["situation"]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("não sei dizer", "pt-br"),
        ("sei não, vou ter que pensar", "pt-br"),
        ("not sure", "en"),
        ("no sabría decirte", "es"),
    ],
)
def test_who_does_not_know_is_asked_something_easier(text: str, language: str) -> None:
    question = wording.questions(language, "problem")[0]
    talk = context(
        ("ai", question), ("lead", text), language=language, known=Known(asked=(Asked("problem", question),))
    )
    told = [KnownAnswer(n, "situation", str(n)) for n in range(2)]
    decision = brain.decide(replace(talk, known=replace(talk.known, answers=tuple(told))))
    assert decision.asks is not None
    assert decision.asks.text in wording.questions(language, "easier:problem")
    assert not decision.finds


def test_two_words_before_anything_was_said_are_no_wish_to_leave() -> None:
    for text, language in (("más datos", "es"), ("info", "pt-br"), ("boa tarde! me indicaram vocês", "pt-br")):
        decision = brain.decide(context(("lead", text), language=language, is_first_reply=True))
        assert decision.wish is None
        assert decision.asks is not None


def test_a_statement_that_counts_is_not_counted_again_in_other_words() -> None:
    question = "E o que mais incomoda?"
    known = Known(
        answers=(KnownAnswer(1, "problem", "os pedidos somem no meio das conversas"),),
        asked=(Asked("problem", question),),
    )
    said = "os pedidos somem nas conversas"
    again = brain.read(context(("ai", question), ("lead", said), known=known))
    assert [find for find in again.finds if isinstance(find, AnswerFound)] == []
    first = brain.read(context(("ai", question), ("lead", said), known=replace(known, answers=())))
    assert [find.stage for find in first.finds if isinstance(find, AnswerFound)] == ["problem"]


def test_who_asks_for_no_more_messages_with_the_first_words_is_left_alone() -> None:
    for text, language in (
        ("sem msg por favor, não quero", "pt-br"),
        ("take my number off your list", "en"),
        ("sáquenme de la lista", "es"),
    ):
        assert brain.decide(context(("lead", text), language=language, is_first_reply=True)).wish is Wish.OPT_OUT


def test_a_price_that_may_be_told_is_told_and_else_an_honest_reason() -> None:
    talk = context(("lead", "quanto custa?"), is_first_reply=True)
    priced = brain.decide(replace(talk, offers=(Offer(1, "Básico", "", "R$ 90 / mês", "até 2 pessoas"),)))
    assert "Básico: R$ 90 / mês (até 2 pessoas)." in text_of(priced)
    assert (priced.handoff, priced.asks is not None) == ("", True)
    honest = brain.decide(replace(talk, offers=(Offer(1, "Básico", ""),)))
    assert honest.handoff == "unknown_answer"
    assert not any(sign.isdigit() for sign in text_of(honest))


def test_who_was_handed_over_is_still_answered_but_asked_nothing() -> None:
    told = ("ai", wording.say("pt-br", "qualified", seed="1"))
    snippets = (Snippet(4, "Prazos", "", "A entrega leva 2 dias."),)
    asked = brain.decide(context(told, ("lead", "e quanto demora a entrega?"), snippets=snippets))
    assert (asked.bubbles, asked.asks) == (("A entrega leva 2 dias.",), None)
    thanked = brain.decide(context(told, ("lead", "combinado, fico no aguardo")))
    assert (len(thanked.bubbles), thanked.asks) == (1, None)


def test_an_answer_in_the_words_of_leaving_is_not_asked_about() -> None:
    asked = Asked("implication", "E o que isso acaba custando?")
    found = (AnswerFound("implication", 2, "o povo compra no vizinho e nunca retorna"),)
    told = context(
        ("ai", asked.text), ("lead", "o povo compra no vizinho e nunca retorna"), known=Known(asked=(asked,))
    )
    decision = dialogue.reply(told, reading(opt_out=None, finds=found))
    assert decision.wish is None
    assert decision.asks is not None
    angry = context(("ai", asked.text), ("lead", "me custa paciência, parem com isso"), known=Known(asked=(asked,)))
    assert dialogue.reply(angry, reading(opt_out=None, finds=found)).wish is Wish.DOUBTFUL_OPT_OUT


def test_a_no_to_shall_we_stop_goes_on_whatever_else_it_sounds_like() -> None:
    asked = Asked("confirm:opt_out", "Você prefere não receber mais mensagens nossas?")
    told = context(("ai", asked.text), ("lead", "não, pode continuar"), known=Known(asked=(asked,)))
    decision = dialogue.reply(told, reading("not_interested", says_yes=False))
    assert decision.asks is not None
    assert decision.wish is None


def test_who_says_their_name_arranges_no_meeting() -> None:
    asked = Asked("fact:name", "What should I call you?")
    told = context(
        ("ai", asked.text), ("lead", "I'm Ada, nice to meet you"), language="en", known=Known(asked=(asked,))
    )
    named = (FactFound("name", "Ada", 2, "Ada"),)
    decision = dialogue.reply(told, reading("wants_meeting", language="en", finds=named))
    assert not decision.handoff
    assert decision.asks is not None


def test_who_asks_back_each_time_is_not_told_the_same_each_time() -> None:
    lines: list[tuple[str, str]] = []
    told: list[str] = []
    for turn in range(6):
        lines.append(("lead", f"são {turn} mesas, e isso imprime em braile?"))
        decision = dialogue.reply(context(*lines), reading("question", asks=True))
        told.append(decision.bubbles[0])
        lines.append(("ai", decision.bubbles[0]))
    assert len(set(told)) == len(told)
    assert all(len(words) < len(told[0]) for words in told[2:])


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("pt-br", "são 3, por que vocês perguntam?"),
        ("es", "tres, ¿por qué pregunta?"),
        ("en", "three of us, why do you ask?"),
    ],
)
def test_it_says_what_a_question_is_for(language: str, words: str) -> None:
    asked = context(("ai", "?"), ("lead", words), language=language)
    decision = dialogue.reply(asked, reading("question", language=language, asks=True))
    assert decision.bubbles[0] in wording.SAY[language]["why_ask"]
    assert not decision.handoff


def test_it_is_not_glad_of_trouble() -> None:
    asked = Asked("problem", "O que mais atrapalha?")
    text = "o caminhão passa antes da ordenha"
    told = context(("ai", asked.text), ("lead", text), known=Known(asked=(asked,)))
    decision = dialogue.reply(told, reading(finds=(AnswerFound("need_payoff", 2, text),)))
    assert not any(way in decision.bubbles[0] for way in wording.SAY["pt-br"]["ack_payoff"])
