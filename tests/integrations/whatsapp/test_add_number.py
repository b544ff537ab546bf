"""`manage.py add_number`: a number and its address, both or neither."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import translation

from conversations import links
from conversations.models import Number
from conversations.ports import LinkState, LinkUpdate
from integrations.whatsapp.webhook import PATH, load_account
from orgs.audit import Action
from orgs.context import in_org
from orgs.models import AuditEntry, ChannelAddress, Org

GIVEN: dict[str, Any] = {"org": "acme", "name": "Sales", "auth": "hmac", "secret": "0123456789abcdef"}
EVOLUTION = {"evolution_url": "http://evolution:8080/", "api_key": "K", "instance": "t_1"}


def add(**changes: Any) -> str:
    out = StringIO()
    call_command("add_number", **{**GIVEN, **changes}, stdout=out)
    return out.getvalue()


def nothing_added(acme: Org) -> bool:
    with in_org(acme):
        numbers = Number.objects.exists()
    return (
        not numbers
        and not ChannelAddress.objects.exists()
        and not AuditEntry.objects.filter(action=Action.NUMBER_ADDED).exists()
    )


def test_it_prints_the_webhook_path_as_json(acme: Org) -> None:
    answer = json.loads(add(json=True, **EVOLUTION))
    assert list(answer) == ["webhook_path"]
    found = PATH.fullmatch(answer["webhook_path"])
    assert found is not None
    account = load_account(found[1])
    assert account is not None
    assert (account.org_id, account.proof, account.secrets, account.instances) == (
        acme.pk,
        "hmac",
        ("0123456789abcdef",),
        (("t_1", ""),),
    )
    with in_org(acme):
        number = Number.objects.get(pk=account.number_id)
    assert (number.name, number.mode, number.state) == ("Sales", Number.Mode.ALL, LinkState.OPEN)
    assert (number.provider_url, number.provider_key, number.instance) == ("http://evolution:8080", "K", "t_1")
    entry = AuditEntry.objects.get(action=Action.NUMBER_ADDED)
    assert (entry.target, entry.data) == (f"number:{number.pk}", {"proof": "hmac"})


def test_it_is_read_back_from_when_it_was_added_whenever_it_opens_again(acme: Org) -> None:
    add(**EVOLUTION)
    with in_org(acme):
        number = Number.objects.get()
        added = number.read_until
        assert added is not None
        assert added - links.READ_AGAIN <= number.created_at
        for state in (LinkState.CONNECTING, LinkState.OPEN):
            links.change(number, LinkUpdate(state))
            number.refresh_from_db()
        assert number.read_until == added


def test_it_works_from_the_command_line_as_documented(acme: Org) -> None:
    out = StringIO()
    arguments = ["--org", "acme", "--name", "N", "--auth", "jwt", "--secret", "S", "--mode", "drafts", "--json"]
    call_command("add_number", *arguments, stdout=out)
    assert PATH.fullmatch(json.loads(out.getvalue())["webhook_path"])
    with in_org(acme):
        assert Number.objects.get().mode == Number.Mode.DRAFTS


def test_it_says_in_words_where_webhooks_go(acme: Org) -> None:
    assert add() == f"Webhooks of Sales go to /hooks/whatsapp/{ChannelAddress.objects.get().key}/\n"


def test_each_number_has_a_path_of_its_own(acme: Org) -> None:
    assert len({add() for _ in range(3)}) == ChannelAddress.objects.count() == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"org": "nobody"}, "no org"),
        ({"name": " "}, "name"),
        ({"name": "x" * 81}, "name"),
        ({"secret": ""}, "secret"),
        ({"secret": " spaced "}, "secret"),
        ({"auth": "token", "secret": "too-short"}, "16"),
        ({"instance": "t_1"}, "together"),
        ({**EVOLUTION, "api_key": ""}, "together"),
        ({**EVOLUTION, "evolution_url": "evolution:8080"}, "http://"),
        ({**EVOLUTION, "evolution_url": "http://"}, "http://"),
        ({**EVOLUTION, "evolution_url": "http://x:99999"}, "http://"),
    ],
)
def test_what_cannot_work_is_refused_and_nothing_is_added(acme: Org, changes: dict[str, Any], message: str) -> None:
    with translation.override("en"), pytest.raises(CommandError, match=message):
        add(**changes)
    assert nothing_added(acme)


@pytest.mark.parametrize("changes", [["--auth", "none"], ["--mode", "half"]])
def test_unknown_choices_are_refused(acme: Org, changes: list[str]) -> None:
    with pytest.raises(CommandError):
        call_command("add_number", "--org", "acme", "--name", "N", "--auth", "jwt", "--secret", "S", *changes)
    assert nothing_added(acme)
