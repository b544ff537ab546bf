"""One verb for several conversations, taking it back, and the filters that a person keeps as views."""

import re
from collections.abc import Callable
from html import unescape

import pytest
from django.test import Client

from conversations import replies
from conversations.models import Conversation, Number, SavedView
from orgs.models import AuditEntry, Person
from tests.conversations.conftest import arrive, incoming

SignIn = Callable[[Person], Client]
BULK, VIEWS = "/o/acme/inbox/bulk/", "/o/acme/inbox/views/"


@pytest.fixture
def pks(number: Number) -> list[int]:
    for place in range(3):
        arrive(
            number, incoming(f"oi {place}", jid=f"55119999900{place:02}@s.whatsapp.net", sender_name=f"Lead {place}")
        )
    return list(Conversation.objects.order_by("pk").values_list("pk", flat=True))


def states() -> list[tuple[str, str]]:
    return list(Conversation.objects.order_by("pk").values_list("owner", "lifecycle"))


def undo(client: Client, address: str) -> None:
    """Press "Undo" in the toast of the page."""
    html = client.get(address).content.decode()
    form = re.search(r'<form class="flash__undo" method="post" action="([^"]+)">(.*?)</form>', html, re.DOTALL)
    assert form is not None
    fields: dict[str, list[str]] = {}
    for name, value in re.findall(r'name="([^"]+)" value="([^"]*)"', form[2]):
        fields.setdefault(name, []).append(unescape(value))
    client.post(form[1], fields)


@pytest.mark.parametrize(
    ("verb", "after"),
    [("close", ("ai", "closed")), ("snooze", ("ai", "snoozed")), ("take", ("person", "open"))],
)
def test_it_is_done_to_each_and_can_be_undone(
    pks: list[int], sign_in: SignIn, beto: Person, verb: str, after: tuple[str, str]
) -> None:
    client = sign_in(beto)
    answer = client.post(BULK, {"verb": verb, "pk": pks[:2], "back": "show=needs&evil=1"})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/o/acme/inbox/?show=needs")
    assert states() == [after, after, ("ai", "open")]
    undo(client, "/o/acme/inbox/")
    assert states() == [("ai", "open")] * 3


def test_undoing_gives_nobody_elses_conversation_to_the_ai(
    pks: list[int], sign_in: SignIn, beto: Person, davi: Person
) -> None:
    replies.take_over(Conversation.objects.get(pk=pks[0]), davi)
    client = sign_in(beto)
    client.post(BULK, {"verb": "take", "pk": pks[:2]})
    undo(client, "/o/acme/inbox/")
    assert [owner for owner, _ in states()] == ["person", "ai", "ai"]


def test_what_is_not_there_or_not_chosen_changes_nothing(pks: list[int], sign_in: SignIn, beto: Person) -> None:
    client = sign_in(beto)
    before = (states(), AuditEntry.objects.count())
    for fields in ({"verb": "close"}, {"verb": "erase", "pk": pks}, {"verb": "close", "pk": ["x", "-1", "9" * 30]}):
        assert client.post(BULK, fields).status_code == 302
    assert (states(), AuditEntry.objects.count()) == before


def test_viewers_may_not(pks: list[int], sign_in: SignIn, vera: Person) -> None:
    before = states()
    assert sign_in(vera).post(BULK, {"verb": "close", "pk": pks}).status_code == 403
    assert states() == before


def test_a_view_is_a_persons_own(pks: list[int], sign_in: SignIn, beto: Person, vera: Person) -> None:
    client = sign_in(beto)
    client.post(VIEWS, {"name": "  Da IA ", "query": "show=ai&status=open&q=Maria&evil=1"})
    client.post(VIEWS, {"name": "Da IA", "query": "show=ai&status=closed"})
    (view,) = SavedView.objects.all()
    assert (view.person_id, view.name, view.query) == (beto.pk, "Da IA", "show=ai&status=closed")
    assert f'id="inbox-view-{view.pk}"' in client.get("/o/acme/inbox/").content.decode()
    other = sign_in(vera)
    assert f'id="inbox-view-{view.pk}"' not in other.get("/o/acme/inbox/").content.decode()
    assert other.post(f"{VIEWS}{view.pk}/end/").status_code == 404
    assert SavedView.objects.count() == 1
    client.post(f"{VIEWS}{view.pk}/end/")
    assert SavedView.objects.count() == 0


def test_filters_narrow_and_count(pks: list[int], sign_in: SignIn, beto: Person) -> None:
    Conversation.objects.filter(pk=pks[0]).update(lifecycle="closed")
    client = sign_in(beto)

    def names(query: str) -> list[str]:
        html = client.get(f"/o/acme/inbox/{query}").content.decode()
        return sorted(re.findall(r'inbox__name">([^<]+)<', html))

    assert names("?show=ai") == ["Lead 1", "Lead 2"]
    assert names("?show=ai&status=closed") == ["Lead 0"]
    assert names("?show=all") == ["Lead 0", "Lead 1", "Lead 2"]
    assert names("?number=999") == []
    assert names("?show=nonsense&status=nonsense&sort=nonsense&number=nonsense") == ["Lead 0", "Lead 1", "Lead 2"]
