"""allauth's passkey forms, for browsers that send anything: what cannot be read is a wrong key, not a crash."""

from collections.abc import Callable
from typing import Any

from allauth.mfa.adapter import get_adapter
from allauth.mfa.webauthn.forms import (
    AddWebAuthnForm,
    AuthenticateWebAuthnForm,
    EditWebAuthnForm,
    LoginWebAuthnForm,
    ReauthenticateWebAuthnForm,
)
from django import forms
from django.utils.translation import gettext_lazy as _

NAME_CHARS = 100


def checked(check: Callable[[], Any]) -> Any:
    """The check's answer. The credential is a stranger's CBOR and DER: parsers and cryptography raise as they like."""
    try:
        return check()
    except forms.ValidationError:
        raise
    except Exception as error:
        raise get_adapter().validation_error("incorrect_code") from error


class AddKeyForm(AddWebAuthnForm):  # type: ignore[misc]
    """A new passkey or security key."""

    name = forms.CharField(label=_("Name of the key"), required=False, max_length=NAME_CHARS)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = checked(super().clean)
        return cleaned


class RenameKeyForm(EditWebAuthnForm):  # type: ignore[misc]
    """Another name for a key."""

    name = forms.CharField(label=_("Name of the key"), max_length=NAME_CHARS)


class UseKeyForm(AuthenticateWebAuthnForm):  # type: ignore[misc]
    """A key as the second step."""

    def clean_credential(self) -> Any:
        return checked(super().clean_credential)


class SignInByKeyForm(LoginWebAuthnForm):  # type: ignore[misc]
    """A passkey instead of address and password."""

    def clean_credential(self) -> Any:
        return checked(super().clean_credential)


class ProveByKeyForm(ReauthenticateWebAuthnForm):  # type: ignore[misc]
    """A key, to show that it is still the same person."""

    def clean_credential(self) -> Any:
        return checked(super().clean_credential)
