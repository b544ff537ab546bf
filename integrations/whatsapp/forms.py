"""What an administrator types about a number. What may happen is decided by the verbs."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from conversations.models import Number
from integrations.whatsapp.auth import Proof
from integrations.whatsapp.changes import Server
from integrations.whatsapp.numbers import NAME_CHARS
from sdr.lib import phone

PLAIN = {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
MODES = [
    (Number.Mode.OFF, _("Off: messages come in, the AI stays silent")),
    (Number.Mode.DRAFTS, _("Drafts: a person approves each answer")),
    (Number.Mode.NEW, _("New contacts only: who wrote before belongs to people")),
    (Number.Mode.ALL, _("All: the AI answers everybody")),
]


class PhoneField(forms.CharField):
    """A phone with its country code, in any spelling. Out: canonical digits, or "" for none."""

    def __init__(self, **options: Any) -> None:
        attrs = {"inputmode": "tel", "autocomplete": "off"}
        super().__init__(max_length=32, required=False, widget=forms.TextInput(attrs=attrs), **options)

    def clean(self, value: Any) -> str:
        typed = str(super().clean(value)).strip()
        found = phone.canonical(typed) if typed else ""
        if found is None:
            raise ValidationError(_("Write the number with its country code, such as 55 11 99999-0000."), code="phone")
        return found


class NameForm(forms.Form):
    """What people call the number, and which phone it is."""

    name = forms.CharField(label=_("Name"), max_length=NAME_CHARS, help_text=_("Such as “Sales” or “Support”."))
    phone = PhoneField(
        label=_("Phone with country code"),
        help_text=_("With it you can also type a code on the phone, and we warn when another phone is linked."),
    )

    def clean_name(self) -> str:
        return " ".join(str(self.cleaned_data["name"]).replace("\x00", "").split())


class ModeForm(forms.Form):
    """How far the AI is live."""

    mode = forms.ChoiceField(label=_("What the AI does on this number"), choices=MODES, widget=forms.RadioSelect)


class NumberForm(NameForm, ModeForm):
    """A new number that we connect."""

    def __init__(self, *args: Any, **options: Any) -> None:
        options.setdefault("initial", {"mode": Number.Mode.OFF})
        super().__init__(*args, **options)


class ServerForm(NumberForm):
    """A new number at an Evolution server of the org's own."""

    server_url = forms.URLField(
        label=_("Address of your Evolution server"),
        max_length=300,
        assume_scheme="https",
        help_text=_("A public address, such as https://evolution.example.com."),
        widget=forms.URLInput(attrs=PLAIN),
    )
    server_key = forms.CharField(
        label=_("Its API key"),
        max_length=300,
        help_text=_("AUTHENTICATION_API_KEY of that server. It is stored encrypted and never shown again."),
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )

    @property
    def server(self) -> Server:
        return Server(self.cleaned_data["server_url"], self.cleaned_data["server_key"].strip())


class AddressForm(NameForm, ModeForm):
    """A number whose webhook somebody sets by hand: it only receives."""

    proof = forms.ChoiceField(
        label=_("How its webhooks prove where they come from"),
        choices=[
            (Proof.HMAC, _("Signed body: X-Signature, HMAC-SHA256")),
            (Proof.JWT, _("Evolution's token: jwt_key")),
            (Proof.TOKEN, _("Fixed header: X-Webhook-Token")),
        ],
        widget=forms.RadioSelect,
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        options.setdefault("initial", {"mode": Number.Mode.OFF, "proof": Proof.JWT})
        super().__init__(*args, **options)
