"""Our answers to allauth's questions."""

import time
from collections.abc import Mapping
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.login import get_authentication_records, record_authentication
from allauth.account.internal.flows.reauthentication import get_reauthentication_flows, resume_request
from allauth.account.models import EmailAddress
from allauth.core.exceptions import ImmediateHttpResponse, ReauthenticationRequired
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from rest_framework import status

from orgs import mail
from orgs.models import Person
from sdr.lib import secrets

NAME_LIMIT = 120  # characters, as the column
PROVE = "prove"  # a process of ours beside allauth's "login" and "connect"
PROOFS = frozenset({"password", "socialaccount", "mfa"})


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Sign-up, sign-in and the e-mails about them."""

    def save_user(self, request: HttpRequest, user: Person, form: Any, commit: bool = True) -> Person:
        """A new person: with their name, in the language they are reading."""
        user.name = form.cleaned_data.get("name", "")
        user.language = translation.get_language() or user.language
        super().save_user(request, user, form, commit)
        return user

    def pre_login(self, request: HttpRequest, user: Person, **options: Any) -> HttpResponse | None:
        """What Google has just proven needs no code of ours. By now allauth has locked out whoever only claimed it."""
        sociallogin = (options.get("signal_kwargs") or {}).get("sociallogin")
        proven = [address.email.lower() for address in getattr(sociallogin, "email_addresses", ()) if address.verified]
        for address in EmailAddress.objects.filter(user=user, email__in=proven, verified=False):
            address.set_verified()
        response: HttpResponse | None = super().pre_login(request, user, **options)
        return response

    def is_reauthentication_required(self, *, app: str, **options: Any) -> bool:
        """A sign-in of the last minutes is proof enough: nobody is asked for the password twice in a row."""
        user = self.request.user
        records = get_authentication_records(self.request, user) if user.is_authenticated else []
        fresh = time.time() - settings.ACCOUNT_REAUTHENTICATION_TIMEOUT
        if any(record["at"] > fresh for record in records if record.get("method") in PROOFS):
            return False
        if user.is_authenticated and not get_reauthentication_flows(user) and may_prove_by_google(user):
            raise ReauthenticationRequired  # allauth takes who has neither password nor second step for proven
        return bool(super().is_reauthentication_required(app=app, **options))

    def get_reauthentication_methods(self, user: Person | AnonymousUser) -> list[dict[str, Any]]:
        """How the person may prove again who they are, the usual first: allauth's ways, then their Google account."""
        methods: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        if isinstance(user, Person) and may_prove_by_google(user):
            entry = {"id": "google", "description": _("Use your Google account"), "url": reverse("google_proof")}
            methods.append(entry)
        return methods

    def send_mail(self, template_prefix: str, email: str, context: Mapping[str, Any]) -> None:
        """Every e-mail of allauth goes through `orgs.mail`, in the person's language, a stranger's in the page's."""
        person = person_of(email, context)
        known = {key: value for key, value in context.items() if key not in {"request", "current_site", "user"}}
        mail.send(
            template_prefix,
            to=email,
            context=known,
            language=person.language if person else translation.get_language() or "",
            person=person,
        )


def may_prove_by_google(person: Person) -> bool:
    """Whether Google is configured and the person has an account of theirs connected."""
    if not settings.SOCIALACCOUNT_PROVIDERS["google"]["APPS"]:
        return False
    return bool(SocialAccount.objects.filter(user=person, provider="google").exists())


def person_of(email: str, context: Mapping[str, Any]) -> Person | None:
    """Whom the address belongs to, as far as we know."""
    user = context.get("user")
    if isinstance(user, Person):
        return user
    address = EmailAddress.objects.filter(email=email.lower()).select_related("user").order_by("-verified").first()
    if address:
        found: Person = address.user
        return found
    return Person.objects.filter(email=email.lower()).first()


class SocialAccountAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """Sign-in with Google."""

    def list_apps(self, request: HttpRequest, provider: str | None = None, client_id: str | None = None) -> list[Any]:
        """The app of the settings and no other: none is kept in the database, where its secret would lie open."""
        from allauth.socialaccount.adapter import _build_apps_from_settings

        found = _build_apps_from_settings(provider=provider, client_id=client_id)
        return [app for apps in found.values() for app in apps]

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        """An address that Google has not verified proves nothing: refuse, unless the account is connected already.

        The process "prove" signs nobody in: it notes that the person who is signed in has shown the Google account
        that was theirs before, or refuses another one.
        """
        if sociallogin.state.get("process") == PROVE:
            raise ImmediateHttpResponse(self.prove(request, sociallogin))
        if sociallogin.is_existing and not sociallogin._did_authenticate_by_email:
            return
        if sociallogin.state.get("process") == "connect":
            return
        if not any(address.verified for address in sociallogin.email_addresses):
            page = render(request, "socialaccount/unverified.html", status=status.HTTP_403_FORBIDDEN)
            raise ImmediateHttpResponse(page)

    def prove(self, request: HttpRequest, sociallogin: Any) -> HttpResponse:
        """On to what the proof was asked for, or 403 for an account that is not connected to the person."""
        known = sociallogin.is_existing and not sociallogin._did_authenticate_by_email
        if not (request.user.is_authenticated and known and sociallogin.user == request.user):
            return render(request, "socialaccount/other_account.html", status=status.HTTP_403_FORBIDDEN)
        uid = sociallogin.account.uid
        record_authentication(request, request.user, "socialaccount", provider="google", uid=uid, reauthenticated=True)
        asked_for = sociallogin.get_redirect_url(request) or reverse("account:profile")
        return resume_request(request) or redirect(asked_for)

    def populate_user(self, request: HttpRequest, sociallogin: Any, data: Mapping[str, Any]) -> Person:
        """A new person named as at Google, in the language they are reading."""
        person: Person = super().populate_user(request, sociallogin, data)
        names = (data.get("first_name"), data.get("last_name"))
        person.name = (" ".join(str(name) for name in names if name) or person.email.partition("@")[0])[:NAME_LIMIT]
        person.language = translation.get_language() or person.language
        return person


class MFAAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Second steps of sign-in; their secrets are sealed by the keyring."""

    def encrypt(self, text: str) -> str:
        return secrets.seal(text)

    def decrypt(self, encrypted_text: str) -> str:
        return secrets.unseal(encrypted_text)
