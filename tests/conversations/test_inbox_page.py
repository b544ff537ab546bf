"""The list of conversations: what a line says, whose turn it is, pages, and how it is refreshed."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from conversations import listing, replies
from conversations.models import Contact, Conversation, Number, Qualification, ReadMark
from orgs.models import Person
from tests.conversations.conftest import arrive, incoming, make_number, the_conversation

SignIn = Callable[[Person], Client]
URL = "/o/acme/inbox/"


def page(client: Client, query: str = "") -> str:
    answer = client.get(f"{URL}{query}")
    assert answer.status_code == 200
    return answer.content.decode()


def make_many(number: Number, count: int) -> None:
    now = timezone.now()
    for place in range(count):
        contact = Contact.objects.create(name=f"Lead {place:03}", phone=f"55119{place:08}")
        Conversation.objects.create(
            contact=contact, number=number, reply_jid=f"{place}@s.whatsapp.net", preview="Oi", preview_author="lead",
            last_message_at=now - timedelta(minutes=place // 2),
        )  # fmt: skip


def names_in(html: str) -> list[str]:
    return re.findall(r'inbox__name">(Lead \d{3})', html)


def test_a_line_says_who_what_whose_and_why(number: Number, sign_in: SignIn, vera: Person) -> None:
    arrive(number, incoming("Quanto <b>custa</b>?"))
    Conversation.objects.update(needs_person_since=timezone.now(), needs_reason="draft_waits", preview_author="ai")
    vera.language = "en"
    vera.save(update_fields=["language"])
    html = page(sign_in(vera))
    for words in ("Maria", "Quanto &lt;b&gt;custa", "AI:", "A draft waits for approval"):
        assert words in html
    assert '1<span class="for-screen-reader"> unread</span>' in html
    assert "<b>custa" not in html


def test_a_line_names_who_of_us_spoke_last(number: Number, sign_in: SignIn, beto: Person, davi: Person) -> None:
    arrive(number, incoming())
    replies.reply(the_conversation(), beto, text="já respondo")
    said = re.compile(r'inbox__preview"><span class="text-medium">([^<]+):</span> já respondo')
    assert [said.findall(page(sign_in(person))) for person in (beto, davi)] == [["Você"], [beto.name]]


def test_tabs_filter_and_count(number: Number, sign_in: SignIn, beto: Person, davi: Person) -> None:
    make_many(number, 5)
    first, second, third, *_rest = Conversation.objects.order_by("pk")
    replies.take_over(first, beto)
    replies.take_over(second, davi)
    Conversation.objects.filter(pk=third.pk).update(needs_person_since=timezone.now(), needs_reason="not_sent")
    client = sign_in(beto)
    assert names_in(page(client, "?show=mine")) == ["Lead 000"]
    assert names_in(page(client, "?show=needs")) == ["Lead 002"]
    assert set(names_in(page(client, "?show=ai"))) == {"Lead 002", "Lead 003", "Lead 004"}
    counts = re.findall(r'id="inbox-tab-(\w+)".*?inbox__count">(\d+)<', page(client))
    assert counts == [("needs", "1"), ("mine", "1"), ("unassigned", "0"), ("ai", "3"), ("all", "5")]


def test_pages_follow_each_other_without_gap_or_repeat(number: Number, sign_in: SignIn, vera: Person) -> None:
    make_many(number, 60)  # pairs share a moment: the id breaks the tie
    client, seen, query = sign_in(vera), [], ""
    for _ in range(3):
        html = page(client, query)
        seen += names_in(html)
        older = re.search(r'id="inbox-older" rel="next" href="[^"]*(\?[^"]+)"', html)
        query = older[1].replace("&amp;", "&") if older else ""
    expected = Conversation.objects.recent_first().values_list("contact__name", flat=True)
    assert (seen, query) == (list(expected), "")


@pytest.mark.parametrize("moment", [datetime(2026, 3, 1, 12, 0, 0, 1, UTC), datetime(1999, 1, 1, tzinfo=UTC)])
def test_the_place_of_a_page_is_exact(moment: datetime) -> None:
    read = listing.place(listing.place_of(Conversation(pk=7, last_message_at=moment)))
    assert read is not None
    assert (listing.EPOCH + read[0] * listing.MICROSECOND, read[1]) == (moment, 7)


@pytest.mark.parametrize("wrong", ["x", "1-", "-1", "1-x", "9" * 40 + "-1", "¹-1", "1-1-1"])
def test_a_wrong_place_is_the_first_page(number: Number, sign_in: SignIn, vera: Person, wrong: str) -> None:
    make_many(number, 2)
    assert len(names_in(page(sign_in(vera), f"?before={wrong}"))) == 2


def test_the_whole_page_needs_ten_queries_at_any_size(number: Number, sign_in: SignIn, beto: Person) -> None:
    make_many(number, 30)
    for conversation in Conversation.objects.all()[:10]:
        replies.take_over(conversation, beto)
    client = sign_in(beto)
    client.get(URL)
    with CaptureQueriesContext(connection) as queries:
        client.get(URL)
    assert len(queries) <= 10  # with session, membership, the switcher and entering the schema


@pytest.mark.parametrize("sort", ["newest", "waiting", "score"])
def test_every_order_pages_without_gap_or_repeat(number: Number, sign_in: SignIn, vera: Person, sort: str) -> None:
    make_many(number, 60)
    since = timezone.now()
    for place, conversation in enumerate(Conversation.objects.order_by("pk")):  # twenty share each value
        Qualification.objects.create(conversation=conversation, score=place % 3)
        Conversation.objects.filter(pk=conversation.pk).update(needs_person_since=since - timedelta(hours=place % 3))
    client, seen, query = sign_in(vera), [], f"?sort={sort}"
    for _ in range(3):
        html = page(client, query)
        seen += names_in(html)
        older = re.search(r'id="inbox-older" rel="next" href="[^"]*(\?[^"]+)"', html)
        query = older[1].replace("&amp;", "&") if older else ""
    order = {
        "newest": ["-pk"], "waiting": ["needs_person_since", "pk"], "score": ["-qualification__score", "-pk"],
    }[sort]  # fmt: skip
    expected = list(Conversation.objects.order_by(*order).values_list("contact__name", flat=True))
    assert (seen, query) == (expected, "")


def test_what_is_unread_is_each_persons_own(number: Number, sign_in: SignIn, beto: Person, davi: Person) -> None:
    def unread(person: Person) -> list[str]:
        return re.findall(r'inbox__unread">([^<]+)<', page(sign_in(person)))

    arrive(number, incoming("um"))
    arrive(number, incoming("dois"))
    assert (unread(beto), unread(davi)) == (["2"], ["2"])
    for _ in range(2):
        sign_in(beto).get(f"{URL}{the_conversation().pk}/")
    assert (unread(beto), unread(davi), ReadMark.objects.count()) == ([], ["2"], 1)
    arrive(number, incoming("três"))
    assert (unread(beto), unread(davi)) == (["1"], ["3"])
    sign_in(davi).post(f"{URL}bulk/", {"verb": "read", "pk": the_conversation().pk})
    assert (unread(beto), unread(davi)) == (["1"], [])
    replies.reply(the_conversation(), davi, text="já respondo")
    assert unread(davi) == []


def test_the_refresh_is_silent_while_nothing_changes(number: Number, sign_in: SignIn, vera: Person) -> None:
    arrive(number, incoming())
    client = sign_in(vera)
    asked = re.search(r'data-refresh="([^"]+)"', page(client))
    assert asked is not None
    address = asked[1].replace("&amp;", "&")
    assert client.get(address, headers={"HX-Request": "true"}).status_code == 204
    arrive(number, incoming("mais uma"))
    answer = client.get(address, headers={"HX-Request": "true"})
    assert (answer.status_code, "mais uma" in answer.content.decode()) == (200, True)
    assert "<html" not in answer.content.decode()
    assert "HX-Request" in answer.headers["Vary"]


def test_an_empty_inbox_says_what_will_appear(in_acme: object, sign_in: SignIn, vera: Person) -> None:
    column = page(sign_in(vera)).split('id="desk-list"')[1].split('id="desk-thread"')[0]
    assert column.count("blank-slate__picture") == 1


def test_two_numbers_are_told_apart(number: Number, sign_in: SignIn, vera: Person) -> None:
    other = make_number(name="Suporte", phone="5511988880001")
    arrive(number, incoming("a"))
    arrive(other, incoming("b"))
    html = page(sign_in(vera))
    assert ("Vendas" in html, "Suporte" in html, Conversation.objects.count()) == (True, True, 2)


def test_reading_marks_read_for_those_who_work_here_only(
    number: Number, sign_in: SignIn, vera: Person, beto: Person
) -> None:
    arrive(number, incoming())
    address = f"{URL}{the_conversation().pk}/"
    sign_in(vera).get(address)
    assert the_conversation().unread == 1
    sign_in(beto).get(address)
    assert the_conversation().unread == 0


def test_beside_an_open_conversation_the_first_rows_are_enough(number: Number, sign_in: SignIn, beto: Person) -> None:
    make_many(number, 30)
    client = sign_in(beto)
    html = page(client, f"{Conversation.objects.latest('pk').pk}/")
    column = html.split('id="desk-list"')[1].split('id="desk-thread"')[0]
    assert len(names_in(column)) == listing.BESIDE
    asked = re.search(r'data-refresh="([^"]+)"', column)
    assert asked is not None
    whole = client.get(asked[1].replace("&amp;", "&"), headers={"HX-Request": "true"})  # by itself, at once
    assert len(names_in(whole.content.decode())) == listing.PER_PAGE
