"""Forms about oneself: signing up, the profile, leaving for good."""

from typing import TYPE_CHECKING, Any

from allauth.account.forms import ConfirmEmailVerificationCodeForm, ConfirmPasswordResetCodeForm
from allauth.account.forms import SignupForm as AllauthSignupForm
from django import forms
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext_lazy as _

from orgs import signup
from orgs.models import Person
from orgs.org_forms import ZoneField
from orgs.slugs import SLUG_CHARS, SLUG_VALIDATORS

if TYPE_CHECKING:
    PersonModelForm = forms.ModelForm[Person]
else:
    PersonModelForm = forms.ModelForm


class SignupForm(AllauthSignupForm):  # type: ignore[misc]
    """Name, e-mail and password. The answer is the same for an address that has an account: its owner gets a mail."""

    name = forms.CharField(label=_("Your name"), max_length=120, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    field_order = ["name", "email", "password1"]
    account_already_exists: bool  # allauth looks it up in clean()

    def try_save(self, request: HttpRequest) -> tuple[Person | None, HttpResponseBase | None]:
        """The new person, or the response that hides that there is one already."""
        if not self.account_already_exists:
            try:
                with transaction.atomic():
                    return super().try_save(request)  # type: ignore[no-any-return]
            except IntegrityError:  # somebody was faster with the same address
                self.account_already_exists = True
        make_password(self.cleaned_data["password1"])  # as slow as a real sign-up, or the clock would tell
        return super().try_save(request)  # type: ignore[no-any-return]


class EmailCodeForm(ConfirmEmailVerificationCodeForm):  # type: ignore[misc]
    """The code that confirms an address; of no use to a person who is gone or may not sign in."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        code_field(self)
        if self.user is None or not self.user.is_active:
            self.expected_code = ""


class ResetCodeForm(ConfirmPasswordResetCodeForm):  # type: ignore[misc]
    """The code that lets a new password be chosen."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        code_field(self)


def code_field(form: forms.Form) -> None:
    """Phones show digits and offer the code from the mail."""
    form.fields["code"].label = _("Code from the e-mail")
    form.fields["code"].widget.attrs.update(inputmode="numeric", autocomplete="one-time-code", spellcheck="false")


class ProfileForm(PersonModelForm):
    """What others see of a person, and the language we speak to them."""

    class Meta:
        model = Person
        fields = ["name", "language"]
        widgets = {"name": forms.TextInput(attrs={"autocomplete": "name"})}

    def clean_name(self) -> Any:
        return " ".join(self.cleaned_data["name"].split())


class FoundingForm(forms.Form):
    """A new org. Without an address it gets one made from its name."""

    name = forms.CharField(
        label=_("Name of the organization"),
        max_length=120,
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )
    slug = forms.CharField(
        label=_("Address"),
        max_length=SLUG_CHARS,
        required=False,
        validators=SLUG_VALIDATORS,
        help_text=_("The end of your link, as in /o/your-company/. Left empty, it is made from the name."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )
    language = forms.ChoiceField(label=_("Language"), choices=settings.LANGUAGES)
    time_zone = ZoneField()

    def clean_name(self) -> str:
        return " ".join(str(self.cleaned_data["name"]).split())

    def clean(self) -> dict[str, Any]:
        """An address somebody else has is refused, with one that is free; an empty one is filled in."""
        cleaned = super().clean() or {}
        name = cleaned.get("name", "")
        if "slug" not in cleaned or not name:
            return cleaned
        if not cleaned["slug"]:
            cleaned["slug"] = signup.free_slug(name)
            if not cleaned["slug"]:
                self.add_error("slug", _("No address can be made from this name. Choose one."))
        elif signup.is_taken(cleaned["slug"]):
            self.refuse_slug()
        return cleaned

    def refuse_slug(self) -> None:
        """Say that the address is taken and which similar one is free."""
        free = signup.free_slug(str(self.data.get("slug", ""))) or signup.free_slug(str(self.data.get("name", "")))
        text = (
            _("This address is taken. %(free)s is free.") if free else _("This address is taken. Choose another one.")
        )
        self.add_error("slug", forms.ValidationError(text, code="taken", params={"free": free}))
