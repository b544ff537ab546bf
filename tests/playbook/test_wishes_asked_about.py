"""A yes to "shall we stop?" or "shall I get somebody?" is the wish itself; to a meeting it is not."""

import pytest

from conversations.playbook.understanding import Intent, understand


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("Prefere que a gente não mande mais nada?", "prefiro sim"),
        ("¿Quieres que dejemos de escribirte?", "sí"),
        ("Should we take you off the list?", "yes"),
        ("Quer que eu remova seu contato da lista?", "sim"),
    ],
)
def test_it_takes_a_yes_to_stopping_as_the_wish(question: str, text: str) -> None:
    found = understand(text, question=question)
    assert found.opt_out is True
    assert found.intent is Intent.OPT_OUT


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("Quer que eu passe a conversa para uma pessoa da equipe?", "sim"),
        ("Do you want me to put a colleague on this, somebody you can talk to?", "yes"),
        ("Digite 4 para falar com um vendedor.", "4"),
        ("¿Prefieres seguir aquí o hablar con una persona?", "con una persona"),
    ],
)
def test_it_takes_a_yes_to_a_person_as_the_wish(question: str, text: str) -> None:
    found = understand(text, question=question)
    assert found.wants_human is True
    assert found.intent is Intent.WANTS_HUMAN


def test_a_meeting_with_somebody_is_a_meeting() -> None:
    found = understand("sim", question="Quer marcar uma visita com um dos nossos técnicos?")
    assert found.wants_human is not True


@pytest.mark.parametrize(
    "text",
    [
        "cadê a Zuleica?",
        "o seu Onofre está aí?",
        "queria falar com a Priscila, ela já me conhece",
        "¿está don Eusebio?",
        "páseme con Ximena por favor",
        "is Beth around?",
        "could I talk to Mr. Hobbs",
    ],
)
def test_asking_for_somebody_by_name_is_asking_for_a_person(text: str) -> None:
    assert understand(text).wants_human is True


@pytest.mark.parametrize(
    "text",
    [
        "a Zuleica está de férias",
        "o Onofre cuida do estoque",
        "não quero falar com a Priscila hoje",
        "Beth is our bookkeeper",
    ],
)
def test_speaking_of_somebody_is_not(text: str) -> None:
    assert understand(text, question="Quem cuida disso?").wants_human is not True


@pytest.mark.parametrize("text", ["alguém aí?", "oi, tem alguém aí?", "¿hay alguien?", "hello, anybody there?"])
def test_first_words_that_look_for_an_ear_are_a_greeting(text: str) -> None:
    found = understand(text)
    assert found.intent is Intent.GREETING
    assert (found.opt_out, found.wants_human) == (False, False)


@pytest.mark.parametrize("text", ["oi", "bom dia!", "hola, buenas tardes", "hi there", "opa, tudo certo?"])
def test_a_greeting_raises_no_doubt(text: str) -> None:
    found = understand(text)
    assert (found.opt_out, found.wants_human) == (False, False)
