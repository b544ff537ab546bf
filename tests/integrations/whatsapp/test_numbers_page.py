"""The pages about numbers: what everybody sees, what administrators do, and that no secret reaches anybody else."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from conversations.models import Number
from conversations.ports import LinkState
from integrations.whatsapp import connect, wording
from integrations.whatsapp.auth import Proof
from integrations.whatsapp.numbers import add_number
from orgs import ratelimit
from orgs.audit import Action
from orgs.context import in_org
from orgs.models import AuditEntry, ChannelAddress, Due, Org, Person

SECRET = "a-jwt-key-of-many-characters-0123456789"
QR = "data:image/png;base64,QRQRQR"
SignIn = Callable[[Person], Client]


@pytest.fixture
def number(acme: Org) -> Number:
    address = add_number(acme, "Vendas <b>", proof=Proof.JWT, secret=SECRET)
    with in_org(acme):
        Number.objects.filter(pk=address.number_id).update(is_ours=True, instance="t_1")
        ChannelAddress.objects.update(instance="t_1")
        return Number.objects.get(pk=address.number_id)


def change(acme: Org, number: Number, **fields: Any) -> None:
    with in_org(acme):
        Number.objects.filter(pk=number.pk).update(**fields)


def again(acme: Org, number: Number) -> Number:
    with in_org(acme):
        return Number.objects.get(pk=number.pk)


def pairing(acme: Org, number: Number) -> None:
    now = timezone.now()
    change(
        acme, number, state=LinkState.CONNECTING, intent=Number.Intent.CONNECT, intent_at=now, code_at=now,
        pairing_until=now + timedelta(minutes=10), code=json.dumps({"qr": QR, "code": "ABCDEFGH"}),
    )  # fmt: skip


def path(number: Number, rest: str = "") -> str:
    return f"/o/acme/numbers/{number.pk}/{rest}"


def text(client: Client, address: str) -> str:
    return client.get(address, headers={"accept-language": "en"}).content.decode()


def test_an_empty_list_leads_to_the_first_number(sign_in: SignIn, ana: Person, vera: Person) -> None:
    assert "/o/acme/numbers/new/" in text(sign_in(ana), "/o/acme/numbers/")
    assert "/o/acme/numbers/new/" not in text(sign_in(vera), "/o/acme/numbers/")


def test_the_list_says_how_each_number_stands(sign_in: SignIn, ana: Person, acme: Org, number: Number) -> None:
    Person.objects.update(language="en")
    client = sign_in(ana)
    page = text(client, "/o/acme/numbers/")
    assert "Vendas &lt;b&gt;" in page
    assert "Connected" in page
    change(acme, number, state=LinkState.CLOSED, opened_at=timezone.now())
    assert "Logged out" in text(client, "/o/acme/numbers/")


def test_polling_is_answered_only_when_something_changed(
    sign_in: SignIn, ana: Person, acme: Org, number: Number
) -> None:
    client, poll = sign_in(ana), {"HX-Request": "true"}
    version = client.get(path(number)).context["version"]
    assert client.get(path(number), {"seen": version}, headers=poll).status_code == 204
    change(acme, number, state=LinkState.CONNECTING)
    answer = client.get(path(number), {"seen": version}, headers=poll)
    assert answer.status_code == 200
    assert answer.content.decode().lstrip().startswith('<div class="stack" id="number-live"')


def test_administrators_see_the_code_and_nobody_else(
    sign_in: SignIn, ana: Person, beto: Person, vera: Person, acme: Org, number: Number
) -> None:
    pairing(acme, number)
    page = text(sign_in(ana), path(number))
    assert QR in page
    assert "ABCD-EFGH" in page
    assert "code-countdown" in page
    for person in (beto, vera):
        hidden = text(sign_in(person), path(number))
        assert QR not in hidden
        assert "ABCD-EFGH" not in hidden
        assert ChannelAddress.objects.get().key not in hidden


def test_the_terms_are_said_before_connecting(sign_in: SignIn, ana: Person, acme: Org, number: Number) -> None:
    Person.objects.update(language="en")
    change(acme, number, state=LinkState.CLOSED)
    assert "against WhatsApp&#x27;s terms" in text(sign_in(ana), path(number)).replace("'", "&#x27;")


@pytest.mark.parametrize(
    ("rest", "intent", "action"),
    [
        ("connection/", Number.Intent.CONNECT, Action.NUMBER_CONNECTION_STARTED),
        ("renewal/", Number.Intent.RENEW, Action.NUMBER_CONNECTION_RENEWED),
        ("restart/", Number.Intent.RESTART, Action.NUMBER_RESTARTED),
        ("webhook/", Number.Intent.WEBHOOK, Action.NUMBER_WEBHOOK_SET),
        ("logout/", Number.Intent.LOGOUT, Action.NUMBER_LOGGED_OUT),
        ("removal/", Number.Intent.REMOVE, Action.NUMBER_REMOVED),
    ],
)
def test_each_wish_is_written_down_with_its_author(
    sign_in: SignIn, davi: Person, acme: Org, number: Number, rest: str, intent: Number.Intent, action: Action
) -> None:
    answer = sign_in(davi).post(path(number, rest))
    assert answer.status_code == 302
    assert again(acme, number).intent == intent
    assert Due.objects.filter(kind="number", ref=str(number.pk), org_id=acme.pk).exists()
    entry = AuditEntry.objects.get(action=action)
    assert (entry.person_id, entry.target) == (davi.pk, f"number:{number.pk}")


def test_who_may_only_look_changes_nothing(sign_in: SignIn, beto: Person, acme: Org, number: Number) -> None:
    client, before = sign_in(beto), again(acme, number).__dict__
    for rest in ("connection/", "renewal/", "restart/", "webhook/", "logout/", "removal/", "mode/", "edit/",
                 "secret/", "secret/rotation/", "secret/rotation/end/"):  # fmt: skip
        assert client.post(path(number, rest), {"mode": "off", "name": "X"}).status_code == 403
    after = again(acme, number).__dict__
    assert {key: value for key, value in after.items() if key != "_state"} == {
        key: value for key, value in before.items() if key != "_state"
    }
    assert not Due.objects.filter(kind="number").exists()


def test_a_number_that_is_going_takes_no_other_wish(sign_in: SignIn, ana: Person, acme: Org, number: Number) -> None:
    client = sign_in(ana)
    client.post(path(number, "removal/"))
    for rest in ("connection/", "mode/", "secret/rotation/"):
        client.post(path(number, rest), {"mode": "all"})
    kept = again(acme, number)
    assert (kept.intent, kept.mode, kept.removed_at is not None) == (Number.Intent.REMOVE, Number.Mode.OFF, True)


def test_the_mode_is_set_and_new_contacts_count_from_now(
    sign_in: SignIn, ana: Person, acme: Org, number: Number
) -> None:
    long_ago = timezone.now() - timedelta(days=30)
    change(acme, number, mode=Number.Mode.OFF, mode_since=long_ago)
    client = sign_in(ana)
    assert client.post(path(number, "mode/"), {"mode": "new"}).status_code == 302
    kept = again(acme, number)
    assert kept.mode == Number.Mode.NEW
    assert kept.mode_since > timezone.now() - timedelta(minutes=1)
    assert client.post(path(number, "mode/"), {"mode": "loud"}).status_code == 422
    entry = AuditEntry.objects.get(action=Action.NUMBER_MODE_CHANGED)
    assert entry.data == {"was": "off", "mode": "new"}


def test_the_secret_is_shown_on_demand_and_that_is_recorded(sign_in: SignIn, ana: Person, number: Number) -> None:
    client = sign_in(ana)
    assert SECRET not in text(client, path(number))
    assert client.get(path(number, "secret/")).status_code == 405
    answer = client.post(path(number, "secret/"))
    assert SECRET in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    assert AuditEntry.objects.filter(action=Action.NUMBER_SECRET_SHOWN).count() == 1


def test_a_secret_is_rotated_from_the_page(sign_in: SignIn, ana: Person, number: Number) -> None:
    client = sign_in(ana)
    client.post(path(number, "secret/rotation/"))
    client.post(path(number, "secret/rotation/"))  # the second is refused while two are alive
    address = ChannelAddress.objects.get()
    assert address.former_secret == SECRET
    assert AuditEntry.objects.filter(action=Action.NUMBER_SECRET_ROTATED).count() == 1
    client.post(path(number, "secret/rotation/end/"))
    address.refresh_from_db()
    assert address.former_secret == ""


# --- Adding ---------------------------------------------------------------------------------------------------------
def test_a_new_number_begins_to_connect(sign_in: SignIn, ana: Person, acme: Org, settings: Any) -> None:
    settings.EVOLUTION_URL = "http://evolution:8080"
    client = sign_in(ana)
    assert client.get("/o/acme/numbers/new/").status_code == 200
    answer = client.post("/o/acme/numbers/new/", {"name": " Nova ", "phone": "+55 (11) 98888-0000", "mode": "off"})
    with in_org(acme):
        number = Number.objects.get()
    assert answer["Location"] == path(number)
    assert (number.name, number.phone, number.mode, number.intent) == ("Nova", "5511988880000", "off", "connect")
    assert ChannelAddress.objects.get(org=acme, number_id=number.pk).auth == "jwt"


@pytest.mark.parametrize("given", [{"phone": "letters"}, {"name": ""}, {"mode": "x"}])
def test_what_cannot_be_is_said_beside_the_field(
    sign_in: SignIn, ana: Person, acme: Org, settings: Any, given: dict[str, str]
) -> None:
    settings.EVOLUTION_URL = "http://evolution:8080"
    body = {"name": "Nova", "phone": "", "mode": "off"} | given
    answer = sign_in(ana).post("/o/acme/numbers/new/", body)
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == list(given)
    with in_org(acme):
        assert not Number.objects.exists()


def test_an_own_server_keeps_its_key_encrypted_and_unseen(sign_in: SignIn, ana: Person, acme: Org) -> None:
    body = {
        "name": "Nova",
        "phone": "",
        "mode": "off",
        "server_url": "https://evo.example.com/",
        "server_key": "K" * 20,
    }
    client = sign_in(ana)
    answer = client.post("/o/acme/numbers/new/server/", body)
    with in_org(acme):
        number = Number.objects.get()
        with connection.cursor() as cursor:
            cursor.execute("SELECT server_key FROM conversations_number")
            assert "K" * 20 not in str(cursor.fetchone()[0])
    assert (number.server_key, number.is_outside, number.provider_url) == ("K" * 20, True, "https://evo.example.com")
    assert "K" * 20 not in text(client, answer["Location"])


def test_an_org_may_be_kept_from_naming_servers(sign_in: SignIn, ana: Person, settings: Any) -> None:
    settings.ORGS_NAME_SERVERS = False
    client = sign_in(ana)
    assert client.get("/o/acme/numbers/new/server/").status_code == 404
    assert client.get("/o/acme/numbers/new/")["Location"] == "/o/acme/numbers/new/address/"


def test_an_address_alone_only_receives(sign_in: SignIn, ana: Person, acme: Org) -> None:
    body = {"name": "Manual", "phone": "", "mode": "drafts", "proof": "hmac"}
    answer = sign_in(ana).post("/o/acme/numbers/new/address/", body)
    address = ChannelAddress.objects.get()
    assert address.auth == "hmac"
    assert len(str(address.secret)) >= 40
    assert connect.public_url(address) in text(sign_in(ana), answer["Location"])


# --- Words ----------------------------------------------------------------------------------------------------------
def test_every_trouble_that_is_noted_has_words() -> None:
    noted = {"unreachable", "not_public", "access_refused", "refused", "version_not_supported", "instance_missing",
             "proxy_missing", "nobody_scanned", "other_phone", "webhook_silent", "webhook_changed",
             "webhook_wrong_instance"}  # fmt: skip
    assert set(wording.TROUBLES) == noted
    assert max(map(len, noted)) <= (Number._meta.get_field("trouble").max_length or 0)


@pytest.mark.parametrize("rest", ["mode/", "restart/", "renewal/", "secret/", "removal/"])
def test_an_org_that_changes_numbers_without_end_is_asked_to_wait(
    sign_in: SignIn, ana: Person, acme: Org, number: Number, rest: str
) -> None:
    while ratelimit.check(ratelimit.NUMBER_ORG, str(acme.pk)).allowed:
        pass
    before, entries = again(acme, number), AuditEntry.objects.count()
    answer = sign_in(ana).post(path(number, rest), {"mode": "new"})
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) >= 1
    after = again(acme, number)
    assert (after.mode, after.intent) == (before.mode, before.intent)
    assert AuditEntry.objects.count() == entries
