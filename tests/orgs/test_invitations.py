"""Inviting: who may, what is sent, sending again, revoking."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db.models import F
from django.test import Client

from orgs.models import AuditEntry, Invitation, Mail, Membership, Org, Person, Refused, Role
from orgs.models.people import hash_token
from tests.factories.orgs import InvitationFactory
from tests.orgs.invited import newest_link

SignIn = Callable[[Person], Client]
MembershipOf = Callable[[Person], Membership]
URL = "/o/acme/people/invitations/"
GUEST = {"email": "Guest@Example.com ", "role": "sdr", "language": "es"}


def expire(invitation: Invitation) -> None:
    Invitation.objects.filter(pk=invitation.pk).update(expires_at=F("expires_at") - timedelta(days=8))


def test_it_sends_an_invitation_in_the_guests_language(sign_in: SignIn, acme: Org, davi: Person) -> None:
    answer = sign_in(davi).post(URL, GUEST)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/o/acme/people/")
    invitation = Invitation.objects.get()
    assert (invitation.email, invitation.role, invitation.invited_by) == ("guest@example.com", Role.SDR, davi)
    assert invitation.expires_at - invitation.sent_at == timedelta(days=7)
    mail = Mail.objects.get()
    assert (mail.to, mail.language) == ("guest@example.com", "es")
    assert AuditEntry.objects.get().data == {"email": "guest@example.com", "role": "sdr"}


def test_the_token_is_in_the_mail_and_only_its_hash_in_the_table(sign_in: SignIn, davi: Person) -> None:
    sign_in(davi).post(URL, GUEST)
    token = newest_link("guest@example.com").split("/")[2]
    assert Invitation.objects.get().token_hash == hash_token(token)
    assert token not in str(AuditEntry.objects.values())


def test_it_offers_the_orgs_language(sign_in: SignIn, acme: Org, davi: Person) -> None:
    Org.objects.filter(pk=acme.pk).update(language="en")
    page = sign_in(davi).get("/o/acme/people/").content.decode()
    assert '<option value="en" selected>' in page


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({**GUEST, "email": "no address"}, "email"),
        ({**GUEST, "email": ""}, "email"),
        ({**GUEST, "email": "beto@example.com"}, "email"),
        ({**GUEST, "role": "owner"}, "role"),
        ({**GUEST, "role": "god"}, "role"),
        ({**GUEST, "language": "xx"}, "language"),
        ({}, "email"),
    ],
)
@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
def test_it_says_what_is_wrong_beside_the_field_and_keeps_what_was_typed(
    sign_in: SignIn, davi: Person, given: dict[str, str], field: str, headers: dict[str, str]
) -> None:
    answer = sign_in(davi).post(URL, given, headers=headers)
    html = answer.content.decode()
    assert answer.status_code == 422
    assert f'id="id_{field}_error"' in html
    assert given.get("email", "") in html
    assert ("<html" in html) == (not headers)
    assert not Invitation.objects.exists()
    assert not Mail.objects.exists()


def test_htmx_gets_the_panel_with_the_new_invitation(sign_in: SignIn, davi: Person) -> None:
    answer = sign_in(davi).post(URL, GUEST, headers={"HX-Request": "true"})
    html = answer.content.decode()
    assert answer.status_code == 200
    assert 'id="invitations"' in html
    assert "guest@example.com" in html
    assert 'hx-swap-oob="true"' in html


def test_only_an_owner_invites_an_owner(acme: Org, ana: Person, davi: Person, membership_of: MembershipOf) -> None:
    with pytest.raises(Refused) as refused:
        acme.invite("guest@example.com", role="owner", language="en", by=membership_of(davi))
    assert refused.value.code == "above_own_role"
    acme.invite("guest@example.com", role="owner", language="en", by=membership_of(ana))
    assert Invitation.objects.get().role == Role.OWNER


@pytest.mark.parametrize(("name", "status"), [("beto", 403), ("vera", 403), ("carla", 404)])
def test_it_is_for_administrators_of_the_org(
    request: pytest.FixtureRequest, sign_in: SignIn, acme: Org, name: str, status: int
) -> None:
    client = sign_in(request.getfixturevalue(name))
    invitation = InvitationFactory(org=acme)
    assert client.post(URL, GUEST).status_code == status
    assert client.post(f"{URL}{invitation.pk}/sending/").status_code == status
    assert client.post(f"{URL}{invitation.pk}/revocation/").status_code == status
    invitation.refresh_from_db()
    assert invitation.problem == ""
    assert not Mail.objects.exists()
    assert not AuditEntry.objects.exists()


def test_it_hides_invitations_of_other_orgs(sign_in: SignIn, carla: Person, acme: Org) -> None:
    invitation = InvitationFactory(org=acme)
    client = sign_in(carla)
    assert client.post(f"/o/globex/people/invitations/{invitation.pk}/sending/").status_code == 404
    assert client.post(f"/o/globex/people/invitations/{invitation.pk}/revocation/").status_code == 404
    invitation.refresh_from_db()
    assert invitation.problem == ""


@pytest.mark.parametrize("path", ["", "1/sending/"])
def test_it_rejects_get(sign_in: SignIn, davi: Person, path: str) -> None:
    assert sign_in(davi).get(URL + path).status_code == 405


def test_one_address_has_one_open_invitation(acme: Org, davi: Person, membership_of: MembershipOf) -> None:
    acme.invite("guest@example.com", role="sdr", language="en", by=membership_of(davi))
    with pytest.raises(Refused) as refused:
        acme.invite("GUEST@example.com", role="viewer", language="en", by=membership_of(davi))
    assert refused.value.code == "already_invited"
    assert Invitation.objects.get().role == Role.SDR


def test_inviting_again_renews_an_expired_one(acme: Org, davi: Person, membership_of: MembershipOf) -> None:
    first = acme.invite("guest@example.com", role="sdr", language="en", by=membership_of(davi))
    old = newest_link("guest@example.com")
    expire(first)
    acme.invite("guest@example.com", role="viewer", language="es", by=membership_of(davi))
    renewed = Invitation.objects.get()
    assert (renewed.pk, renewed.role, renewed.language, renewed.problem) == (first.pk, Role.VIEWER, "es", "")
    assert newest_link("guest@example.com") != old


def test_sending_again_makes_a_new_link_and_ends_the_old_one(
    sign_in: SignIn, acme: Org, davi: Person, membership_of: MembershipOf
) -> None:
    invitation = acme.invite("guest@example.com", role="sdr", language="en", by=membership_of(davi))
    old = newest_link("guest@example.com")
    expire(invitation)
    assert sign_in(davi).post(f"{URL}{invitation.pk}/sending/").status_code == 302
    new = newest_link("guest@example.com")
    assert Client().get(old).status_code == 404
    assert Client().get(new).status_code == 200
    assert AuditEntry.objects.filter(action="invitation.resent").count() == 1


def test_revoking_asks_and_ends_the_link(sign_in: SignIn, acme: Org, davi: Person, membership_of: MembershipOf) -> None:
    invitation = acme.invite("guest@example.com", role="sdr", language="en", by=membership_of(davi))
    client = sign_in(davi)
    assert client.get(f"{URL}{invitation.pk}/revocation/").status_code == 200
    assert Client().get(newest_link("guest@example.com")).status_code == 200
    assert client.post(f"{URL}{invitation.pk}/revocation/").status_code == 302
    assert Client().get(newest_link("guest@example.com")).status_code == 410
    assert client.post(f"{URL}{invitation.pk}/sending/").status_code == 404
    assert AuditEntry.objects.filter(action="invitation.revoked").count() == 1


def test_revoking_twice_records_once(acme: Org, davi: Person, membership_of: MembershipOf) -> None:
    invitation = InvitationFactory(org=acme)
    invitation.revoke(by=membership_of(davi))
    invitation.revoke(by=membership_of(davi))
    assert AuditEntry.objects.filter(action="invitation.revoked").count() == 1


def test_an_administrator_does_not_touch_an_owners_invitation(
    acme: Org, davi: Person, membership_of: MembershipOf
) -> None:
    invitation = InvitationFactory(org=acme, role=Role.OWNER)
    for verb in (invitation.resend, invitation.revoke):
        with pytest.raises(Refused) as refused:
            verb(by=membership_of(davi))
        assert refused.value.code == "above_own_role"
    assert not Mail.objects.exists()


def test_the_list_is_empty_in_words(sign_in: SignIn, davi: Person) -> None:
    Person.objects.filter(pk=davi.pk).update(language="en")
    assert "No open invitations" in sign_in(davi).get("/o/acme/people/").content.decode()
