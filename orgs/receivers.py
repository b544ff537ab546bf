"""What people do with their accounts, from allauth's signals into the audit log. Connected in `OrgsConfig.ready`."""

from typing import Any

from allauth.account import signals as account
from allauth.mfa import signals as mfa
from allauth.mfa.models import Authenticator
from allauth.socialaccount import signals as social
from django.contrib.auth.signals import user_logged_out, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from orgs.audit import Action, record
from orgs.models import Person


@receiver(account.user_signed_up)
def note_sign_up(request: HttpRequest, user: Person, **_: Any) -> None:
    record(Action.PERSON_SIGNED_UP, request=request, person=user, target=target(user))


@receiver(account.user_logged_in)
def note_sign_in(request: HttpRequest, user: Person, **_: Any) -> None:
    methods = [str(entry.get("method", "")) for entry in request.session.get("account_authentication_methods", [])]
    record(Action.PERSON_SIGNED_IN, request=request, person=user, target=target(user), data={"methods": methods})


@receiver(user_logged_out)
def note_sign_out(request: HttpRequest, user: Person | None, **_: Any) -> None:
    if user is not None:
        record(Action.PERSON_SIGNED_OUT, request=request, person=user, target=target(user))


@receiver(user_login_failed)
def note_failed_sign_in(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    """A wrong password. The address is kept as a keyed hash: it may be a stranger's, or a mistyped password."""
    email = str(credentials.get("email") or credentials.get("username") or "").strip().lower()
    person = Person.objects.filter(email=email).first() if email and "\x00" not in email else None
    record(
        Action.PERSON_SIGN_IN_FAILED,
        request=request,
        target=target(person) if person else "",
        data={"step": "first", "address_hash": address_hash(email)},
    )


@receiver(mfa.authentication_failed)
def note_failed_step(request: HttpRequest, user: Person, **_: Any) -> None:
    record(Action.PERSON_SIGN_IN_FAILED, request=request, target=target(user), data={"step": "second"})


@receiver(account.password_changed)
@receiver(account.password_set)
def note_password(request: HttpRequest, user: Person, **_: Any) -> None:
    record(Action.PASSWORD_CHANGED, request=request, person=user, target=target(user))


@receiver(account.password_reset)
def note_password_reset(request: HttpRequest, user: Person, **_: Any) -> None:
    record(Action.PASSWORD_RESET, request=request, person=user, target=target(user))


@receiver(account.email_confirmed)
def note_confirmed_email(request: HttpRequest, email_address: Any, **_: Any) -> None:
    record(Action.EMAIL_VERIFIED, request=request, person=email_address.user, target=target(email_address.user))


@receiver(account.email_changed)
def note_email(request: HttpRequest, user: Person, from_email_address: Any = None, **_: Any) -> None:
    """The old address stands in earlier entries, the new one is the actor's of later ones. A first one is no change."""
    if from_email_address is None:
        return
    record(Action.EMAIL_CHANGED, request=request, person=user, target=target(user))


@receiver(mfa.authenticator_added)
def note_second_step(request: HttpRequest, user: Person, authenticator: Authenticator, **_: Any) -> None:
    made_codes = authenticator.type == Authenticator.Type.RECOVERY_CODES
    action = Action.RECOVERY_CODES_MADE if made_codes else Action.MFA_ADDED
    record(action, request=request, person=user, target=target(user), data={"kind": authenticator.type})


@receiver(mfa.authenticator_reset)
def note_new_codes(request: HttpRequest, user: Person, **_: Any) -> None:
    record(Action.RECOVERY_CODES_MADE, request=request, person=user, target=target(user))


@receiver(mfa.authenticator_removed)
def note_removed_step(request: HttpRequest, user: Person, authenticator: Authenticator, **_: Any) -> None:
    record(Action.MFA_REMOVED, request=request, person=user, target=target(user), data={"kind": authenticator.type})


@receiver(social.social_account_added)
def note_connection(request: HttpRequest, sociallogin: Any, **_: Any) -> None:
    person = sociallogin.user
    data = {"provider": sociallogin.account.provider}
    record(Action.ACCOUNT_CONNECTED, request=request, person=person, target=target(person), data=data)


@receiver(social.social_account_removed)
def note_disconnection(request: HttpRequest, socialaccount: Any, **_: Any) -> None:
    person = socialaccount.user
    data = {"provider": socialaccount.provider}
    record(Action.ACCOUNT_DISCONNECTED, request=request, person=person, target=target(person), data=data)


def target(person: Person) -> str:
    return f"person:{person.pk}"


def address_hash(email: str) -> str:
    """16 hex digits that tell whether two failures were for one address, and nothing else to whom has no key."""
    return salted_hmac("orgs.sign-in", email).hexdigest()[:16]
