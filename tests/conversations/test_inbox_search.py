"""Searching the inbox: names, phones and words, whatever their accents, and never another org's."""

import re
from collections.abc import Callable

import pytest
from django.contrib.postgres.search import SearchQuery
from django.db import connection
from django.test import Client

from conversations import finding
from conversations.models import Conversation, Message, Number
from conversations.models.message import Words
from orgs.context import in_org
from orgs.models import Org, Person
from tests.conversations.conftest import arrive, incoming, make_number

SignIn = Callable[[Person], Client]


@pytest.fixture
def talks(number: Number) -> dict[str, int]:
    """Conversations by the name of their lead."""
    for phone, name, text in (
        ("5511999990001", "João Gonçalves", "Quanto custa a instalação elétrica?"),
        ("5521988887777", "Ana Prates", "Preciso de orçamento do telhado"),
        ("5531977776666", "Joana", "Instalação só em março, por favor"),
    ):
        arrive(number, incoming(text, jid=f"{phone}@s.whatsapp.net", sender_name=name))
    return {str(one.contact): one.pk for one in Conversation.objects.select_related("contact")}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("goncalves", {"João Gonçalves"}),
        ("JOÃO G", {"João Gonçalves"}),
        ("joa", {"João Gonçalves", "Joana"}),
        ("(21) 98888-7777", {"Ana Prates"}),
        ("7777", {"Ana Prates", "Joana"}),
        ("INSTALACAO", {"João Gonçalves", "Joana"}),
        ("instalação eletri", {"João Gonçalves"}),
        ("orcamen", {"Ana Prates"}),
        ("telhado março", set()),
        ("xyzzy", set()),
        ("' | ! ( :* &", set()),
        ("\x00", set()),
    ],
)
def test_it_finds(talks: dict[str, int], text: str, expected: set[str]) -> None:
    assert set(finding.conversations(text)) == {talks[name] for name in expected}


def test_what_was_deleted_is_not_found(talks: dict[str, int]) -> None:
    message = Message.objects.get(text__startswith="Preciso")
    message.deleted_at = message.created_at
    message.save(update_fields=["deleted_at"])
    assert finding.conversations("orçamento") == []


def test_a_transcript_is_found(talks: dict[str, int]) -> None:
    Message.objects.filter(text__startswith="Preciso").update(transcript="fala do inversor híbrido")
    assert finding.conversations("hibrido") == [talks["Ana Prates"]]


def test_the_page_shows_what_is_found_and_counts_it(talks: dict[str, int], sign_in: SignIn, vera: Person) -> None:
    html = sign_in(vera).get("/o/acme/inbox/?q=instala%C3%A7%C3%A3o").content.decode()
    assert set(re.findall(r'inbox__name">([^<]+)<', html)) == {"João Gonçalves", "Joana"}
    assert dict(re.findall(r'id="inbox-tab-(\w+)".*?inbox__count">(\d+)<', html))["all"] == "2"


def test_finding_nothing_is_said(talks: dict[str, int], sign_in: SignIn, vera: Person) -> None:
    html = sign_in(vera).get("/o/acme/inbox/?q=xyzzy").content.decode()
    assert re.findall(r'inbox__name">([^<]+)<', html) == []
    assert set(re.findall(r'inbox__count">([^<]+)<', html)) == {"0"}
    assert 'href="/o/acme/inbox/?show=all"' in html


def test_the_palette_finds_people(talks: dict[str, int], sign_in: SignIn, vera: Person) -> None:
    client = sign_in(vera)
    assert "Ana Prates" in client.get("/o/acme/inbox/lookup/?q=prat").content.decode()
    assert client.get("/o/acme/inbox/lookup/?q=").content.decode().strip() == ""


def test_another_org_is_not_searched(talks: dict[str, int], globex: Org, sign_in: SignIn, carla: Person) -> None:
    with in_org(globex):
        arrive(make_number(), incoming("instalação na Globex", sender_name="Gil"))
    html = sign_in(carla).get("/o/globex/inbox/?q=instalacao").content.decode()
    assert re.findall(r'inbox__name">([^<]+)<', html) == ["Gil"]


def test_the_index_serves_the_search(talks: dict[str, int]) -> None:
    """The expression of the query is that of the index: otherwise each search would read every message."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off")
    found = (
        Message.objects.alias(words=Words("text", "transcript"))
        .filter(words=SearchQuery("instalacao", config="simple", search_type="raw"))
        .explain()
    )
    assert "conversations_message_words" in found
