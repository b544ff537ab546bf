"""Forms about orgs and their members. They check what was typed; what may happen is decided by the verbs."""

from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from orgs.models import Invitation, Membership, Org, Person, Role
from orgs.slugs import SLUG_CHARS, SLUG_VALIDATORS

if TYPE_CHECKING:
    OrgModelForm = forms.ModelForm[Org]
else:
    OrgModelForm = forms.ModelForm  # generic for the type checker only

ZONES_NOT_OFFERED = ("Etc/", "SystemV/", "posix/", "right/", "US/", "Factory", "localtime")


def zone_names() -> list[str]:
    """Time zones by their IANA names, region and city, in alphabetical order."""
    return sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith(ZONES_NOT_OFFERED))


class ZoneInput(forms.TextInput):
    """A text field that the browser searches in: the names are offered by a `<datalist>`, also without scripts."""

    template_name = "orgs/settings/_zone_input.html"

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        list_id = f"{context['widget']['attrs'].get('id', name)}_zones"
        context["widget"]["attrs"]["list"] = list_id
        return {**context, "zones": zone_names(), "list_id": list_id}


class ZoneField(forms.CharField):
    """An IANA time zone, typed or picked; blanks and capitals do not matter."""

    widget = ZoneInput

    def __init__(self, **options: Any) -> None:
        options.setdefault("label", _("Time zone"))
        options.setdefault("help_text", _("Type a city, such as Sao_Paulo, and pick from the list."))
        super().__init__(max_length=64, **options)
        self.widget.attrs.update(autocomplete="off", spellcheck="false")

    def clean(self, value: Any) -> str:
        typed = str(super().clean(value)).replace(" ", "_")
        zones = {zone.lower(): zone for zone in available_timezones()}
        if typed and typed.lower() not in zones:
            raise ValidationError(_("Choose a time zone from the list."), code="invalid_zone")
        return zones.get(typed.lower(), "")


class InvitationForm(forms.Form):
    """Whom to invite, as what, and in which language to write. `by` decides which roles there are to give."""

    email = forms.EmailField(
        label=_("E-mail"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    role = forms.ChoiceField(label=_("Role"))
    language = forms.ChoiceField(label=_("Language of the e-mail"), choices=settings.LANGUAGES)

    def __init__(self, *args: Any, by: Membership, **options: Any) -> None:
        options.setdefault("initial", {"role": Role.SDR.value, "language": by.org.language})
        super().__init__(*args, **options)
        self.fields["role"].choices = [(role.value, role.label) for role in by.roles_to_give]  # type: ignore[attr-defined]

    def clean_email(self) -> str:
        return str(self.cleaned_data["email"]).strip().lower()


class RoleForm(forms.Form):
    """Another role for a member."""

    role = forms.ChoiceField(label=_("Role"), widget=forms.RadioSelect)

    def __init__(self, *args: Any, member: Membership, by: Membership, **options: Any) -> None:
        options.setdefault("initial", {"role": member.role})
        super().__init__(*args, **options)
        self.fields["role"].choices = [(role.value, role.label) for role in by.roles_to_give]  # type: ignore[attr-defined]


class HeirForm(forms.Form):
    """To whom the org is handed over."""

    member = forms.ModelChoiceField(
        label=_("New owner"), queryset=Membership.objects.none(), empty_label=_("Choose a person")
    )

    def __init__(self, *args: Any, by: Membership, **options: Any) -> None:
        super().__init__(*args, **options)
        field: forms.ModelChoiceField[Membership] = self.fields["member"]  # type: ignore[assignment]
        field.queryset = by.org.memberships.select_related("person").exclude(pk=by.pk).order_by("person__name", "pk")
        field.label_from_instance = heir_label  # type: ignore[method-assign, assignment]


def heir_label(membership: Membership) -> str:
    return f"{membership.person.name} ({membership.person.email})"


class OrgForm(OrgModelForm):
    """Name, address, language and time zone of an org."""

    slug = forms.CharField(
        label=_("Address"),
        max_length=SLUG_CHARS,
        validators=SLUG_VALIDATORS,
        help_text=_("The end of your link, as in /o/your-company/. After a change the old one stops working at once."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )
    time_zone = ZoneField()

    class Meta:
        model = Org
        fields = ["name", "slug", "language", "time_zone"]

    def clean_name(self) -> str:
        return " ".join(str(self.cleaned_data["name"]).split())

    def clean_slug(self) -> str:
        slug = str(self.cleaned_data["slug"])
        if Org.objects.filter(slug=slug).exclude(pk=self.instance.pk).exists():
            raise ValidationError(_("This address is taken. Choose another one."), code="taken")
        return slug

    def add_taken(self) -> None:
        """Say that somebody else took the address between the check and the change."""
        self.add_error("slug", ValidationError(_("This address is taken. Choose another one."), code="taken"))


class MfaPolicyForm(OrgModelForm):
    """Whether everybody must use two-step sign-in."""

    class Meta:
        model = Org
        fields = ["requires_mfa"]
        labels = {"requires_mfa": _("Everyone must use two-step sign-in")}
        help_texts = {"requires_mfa": _("Members without it see nothing of this organization until they turn it on.")}


class SharingForm(OrgModelForm):
    """Whether what is said leaves with the events (PRODUCT 5)."""

    class Meta:
        model = Org
        fields = ["shares_text"]
        labels = {"shares_text": _("Events carry what was said")}
        help_texts = {
            "shares_text": _(
                "Switched off, other systems learn that somebody wrote, and when, but not a word of it. It counts for"
                " everything that leaves from now on."
            )
        }


class DeletionForm(forms.Form):
    """The org's address typed once more, so that nobody deletes the wrong org."""

    slug = forms.CharField(
        label=_("Address of the organization"),
        max_length=SLUG_CHARS,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, org: Org, **options: Any) -> None:
        super().__init__(*args, **options)
        self.org = org

    def clean_slug(self) -> str:
        if self.cleaned_data["slug"] != self.org.slug:
            raise ValidationError(_("This is not the address of this organization."), code="other_slug")
        return self.org.slug


class InvitedPersonForm(forms.Form):
    """A new person who came by an invitation. Its address is shown, and never read from the form."""

    email = forms.EmailField(label=_("E-mail"), disabled=True, required=False)
    name = forms.CharField(label=_("Your name"), max_length=120, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    password1 = forms.CharField(
        label=_("Password"),
        strip=False,
        max_length=4096,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, *args: Any, invitation: Invitation, **options: Any) -> None:
        options.setdefault("initial", {"email": invitation.email})
        super().__init__(*args, **options)
        self.invitation = invitation

    def clean_name(self) -> str:
        return " ".join(str(self.cleaned_data["name"]).split())

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if password := self.cleaned_data.get("password1"):
            person = Person(email=self.invitation.email, name=self.cleaned_data.get("name", ""))
            try:
                validate_password(password, person)
            except ValidationError as error:
                self.add_error("password1", error)
        return cleaned
