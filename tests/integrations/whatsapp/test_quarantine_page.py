"""What is set aside, for administrators: what it was and why, once more, or away with it; never its content."""

from collections.abc import Callable

import pytest
from django.test import Client

from integrations.models import Quarantine
from orgs.context import in_org
from orgs.models import AuditEntry, Due, Org, Person, Received
from tests.integrations.whatsapp.arrivals import make_number, raw, text

SignIn = Callable[[Person], Client]
URL = "/o/acme/numbers/quarantine/"
Reason = Quarantine.Reason


@pytest.fixture
def kept(acme: Org) -> Quarantine:
    """A lead's message that failed again and again."""
    address = make_number()
    with in_org(acme):
        return Quarantine.objects.keep(address.number_id, raw(text("M1", "palavras da lead")), reason=Reason.FAILED)


def test_it_tells_what_came_and_why_but_no_word_of_it(
    sign_in: SignIn, davi: Person, acme: Org, kept: Quarantine
) -> None:
    with in_org(acme):
        Quarantine.objects.keep(kept.number_id, b"\xff\x00", reason=Reason.UNREADABLE)
        Quarantine.objects.keep(99, b'{"event": "call"}', reason=Reason.NUMBER_GONE)
        Quarantine.objects.keep(kept.number_id, b'{"event":"messages.set"', reason=Reason.TOO_LARGE, size=50_000_000)
    Person.objects.update(language="en")
    client = sign_in(davi)
    html = client.get(URL).content.decode()
    for told in (
        "A message", "Reading it failed again and again", "Something we cannot tell", "A call", "Older messages",
        "A number that is gone", "47.7",
    ):  # fmt: skip
        assert told in html
    assert "palavras da lead" not in html
    assert html.count(f'action="{URL}replay/"') == 1
    # Neither what is cut nor what has no number can be tried again.
    assert html.count("/replay/") == 1 + 2
    index = client.get("/o/acme/numbers/").content.decode()
    assert "4 things from WhatsApp could not be used" in index
    assert f'href="{URL}"' in index


def test_one_is_tried_again_once(sign_in: SignIn, davi: Person, acme: Org, kept: Quarantine) -> None:
    client = sign_in(davi)
    for _ in range(2):
        answer = client.post(f"{URL}{kept.pk}/replay/")
        assert (answer.status_code, answer.headers["Location"]) == (302, URL)
    assert "palavras da lead" in Received.objects.get().body
    assert Due.objects.filter(kind="intake").count() == 1
    entry = AuditEntry.objects.get(action="quarantine.replayed")
    assert (entry.actor, entry.data) == (davi.email, {"queued": 1, "ignored": 0, "refused": 0})
    assert "/replay/" not in client.get(URL).content.decode()


def test_all_are_tried_again(sign_in: SignIn, davi: Person, acme: Org, kept: Quarantine) -> None:
    with in_org(acme):
        Quarantine.objects.keep(kept.number_id, raw(text("M2")), reason=Reason.UNSTORABLE)
        Quarantine.objects.keep(kept.number_id, b"\xff", reason=Reason.UNREADABLE)
    assert sign_in(davi).post(f"{URL}replay/").status_code == 302
    assert Received.objects.count() == 2
    with in_org(acme):
        assert Quarantine.objects.get(replayed_at=None).reason == Reason.UNREADABLE


def test_one_is_thrown_away_after_a_question(sign_in: SignIn, davi: Person, acme: Org, kept: Quarantine) -> None:
    client = sign_in(davi)
    place = f"{URL}{kept.pk}/dismissal/"
    assert 'method="post"' in client.get(place).content.decode()
    with in_org(acme):
        assert Quarantine.objects.count() == 1
    assert client.post(place).status_code == 302
    assert client.post(place).status_code == 404
    with in_org(acme):
        assert not Quarantine.objects.exists()
    entry = AuditEntry.objects.get(action="quarantine.dismissed")
    assert (entry.actor, entry.target, entry.data["reason"]) == (davi.email, f"quarantine:{kept.pk}", "failed")


def test_those_who_do_not_manage_see_and_change_nothing(
    sign_in: SignIn, beto: Person, vera: Person, carla: Person, acme: Org, kept: Quarantine
) -> None:
    for person, status in ((beto, 403), (vera, 403), (carla, 404)):
        client = sign_in(person)
        assert client.get(URL).status_code == status
        for path in ("replay/", f"{kept.pk}/replay/", f"{kept.pk}/dismissal/"):
            assert client.post(f"{URL}{path}").status_code == status
    assert URL not in sign_in(beto).get("/o/acme/numbers/").content.decode()
    assert not Received.objects.exists()
    assert not AuditEntry.objects.filter(action__startswith="quarantine.").exists()
    with in_org(acme):
        assert Quarantine.objects.get().replayed_at is None
