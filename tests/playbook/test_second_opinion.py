"""Facts the grammar has no rule for are found by the words around them; every find is verbatim."""

import pytest

from conversations.playbook import spans
from conversations.playbook.facts import find


@pytest.mark.parametrize(
    ("question", "text", "key", "value"),
    [
        ("Qual o ramo de vocês?", "temos uma floricultura de bairro", "segment", "floricultura"),
        ("What do you use to plan the shifts?", "Rotamaster, since last year", "current_tool", "Rotamaster"),
        ("¿Para cuándo lo necesitan?", "para el próximo mes", "timeline", "próximo mes"),
    ],
)
def test_it_finds_a_fact_and_quotes_it(question: str, text: str, key: str, value: str) -> None:
    found = {fact.key: fact for fact in find(text, question=question)}
    assert value in str(found[key].value)
    assert text[found[key].start : found[key].end] == found[key].quote


def test_every_word_has_a_likelihood_per_key() -> None:
    reading = spans.tagger().read("somos una pizzería chica", "¿A qué se dedican?")
    assert reading.likely.shape == (4, len(spans.KEYS))
    assert ((reading.likely >= 0) & (reading.likely <= 1)).all()
    assert reading.within("segment", 0, 24) > reading.within("budget", 0, 24)


def test_a_text_without_words_has_no_spans() -> None:
    reading = spans.tagger().read("", "")
    assert all(reading.best(key, 0.1) is None for key in spans.KEYS)


def test_an_offered_slot_is_no_wish_about_time_and_another_time_is() -> None:
    offer = "Tenho 1) terça 10h 2) quarta 16h. Qual prefere?"
    assert "preferred_times" not in {fact.key for fact in find("a de quarta", question=offer)}
    other = {fact.key: fact.value for fact in find("nenhum desses, prefiro sexta de manhã", question=offer)}
    assert "sexta" in str(other["preferred_times"])
