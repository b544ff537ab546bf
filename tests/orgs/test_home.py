"""An org's home: what there is, and next steps that are true."""

from collections.abc import Callable

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client

from orgs.models import Membership, Org, Person
from tests.factories.orgs import InvitationFactory

SignIn = Callable[[Person], Client]
DETAILS = {"name": "Acme", "slug": "acme", "language": "pt-br", "time_zone": "America/Sao_Paulo"}


def steps(client: Client) -> dict[str, bool]:
    """Where each step leads, and whether it is done."""
    return {str(step["url"]): bool(step["is_done"]) for step in client.get("/o/acme/").context["steps"]}


def test_an_administrator_sees_what_is_left(sign_in: SignIn, acme: Org, ana: Person) -> None:
    client = sign_in(ana)
    settings_url, people_url, mfa_url = "/o/acme/settings/", "/o/acme/people/#invitations", "/accounts/2fa/"
    assert steps(client) == {settings_url: False, people_url: True, mfa_url: False}
    client.post(settings_url, DETAILS)
    assert steps(client) == {settings_url: True, people_url: True, mfa_url: False}
    Authenticator.objects.create(user=ana, type=Authenticator.Type.TOTP, data={})
    assert steps(client) == {}


def test_an_invitation_counts_as_a_team(sign_in: SignIn, acme: Org, ana: Person) -> None:
    Membership.objects.filter(org=acme).exclude(person=ana).delete()
    client = sign_in(ana)
    assert steps(client)["/o/acme/people/#invitations"] is False
    InvitationFactory(org=acme)
    assert steps(client)["/o/acme/people/#invitations"] is True


@pytest.mark.parametrize("name", ["beto", "vera"])
def test_others_see_only_their_own_step(request: pytest.FixtureRequest, sign_in: SignIn, acme: Org, name: str) -> None:
    InvitationFactory(org=acme)
    client = sign_in(request.getfixturevalue(name))
    assert list(steps(client)) == ["/accounts/2fa/"]
    assert not client.get("/o/acme/").context["is_admin"]


def test_it_remembers_where_the_person_was(sign_in: SignIn, acme: Org, vera: Person) -> None:
    sign_in(vera).get("/o/acme/")
    vera.refresh_from_db()
    assert vera.last_org == acme


def test_it_is_hidden_from_other_orgs(sign_in: SignIn, carla: Person) -> None:
    assert sign_in(carla).get("/o/acme/").status_code == 404
    carla.refresh_from_db()
    assert carla.last_org is None


def test_it_rejects_post(sign_in: SignIn, ana: Person) -> None:
    assert sign_in(ana).post("/o/acme/").status_code == 405


@pytest.mark.parametrize("path", ["/o/a%00b/", "/api/v1/orgs/a%00b/"])
def test_an_address_no_org_can_have_is_404(ana: Person, sign_in: SignIn, path: str) -> None:
    assert sign_in(ana).get(path).status_code == 404
