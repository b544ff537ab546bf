"""What a person types to write to somebody first. What may happen is decided by `conversations.outreach`."""

from typing import Any
from uuid import uuid4

from django import forms
from django.utils.translation import gettext_lazy as _

from conversations import outreach
from conversations.forms import REPLY_CHARS
from conversations.models import Consent, Number


class OutreachForm(forms.Form):
    """To whom, from which number, why they may be written to, and the first words."""

    number = forms.ModelChoiceField(label=_("From your number"), queryset=Number.objects.none(), empty_label=None)
    phone = forms.CharField(
        label=_("Phone"),
        max_length=30,
        help_text=_("With its area code. A phone of another country with + and the country's code."),
        widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "off", "inputmode": "tel"}),
    )
    name = forms.CharField(label=_("Name"), max_length=120, required=False)
    basis = forms.ChoiceField(label=_("Why may you write to them?"), choices=Consent.Basis.choices)
    source = forms.CharField(
        label=_("Where does that come from?"),
        max_length=200,
        help_text=_("A form, an event, who recommended them… Kept as the proof that data protection law asks for."),
    )
    text = forms.CharField(
        label=_("First message"),
        max_length=REPLY_CHARS,
        help_text=_("It leaves at once, in your name. The AI writes nothing there until you give it the conversation."),
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    key = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        numbers = Number.objects.filter(removed_at=None).order_by("name", "pk")
        self.fields["number"].queryset = numbers  # type: ignore[attr-defined]
        self.fields["number"].initial = numbers.first()
        self.fields["key"].initial = uuid4

    def clean_phone(self) -> str:
        """Canonical digits."""
        found = outreach.phone_in(str(self.cleaned_data["phone"]))
        if found is None:
            raise forms.ValidationError(_("This is no phone number."), code="no_phone")
        return found

    def clean_text(self) -> str:
        """Without NUL, which PostgreSQL cannot hold, and without blank ends."""
        text = str(self.cleaned_data["text"]).replace("\x00", "").strip()
        if not text:
            raise forms.ValidationError(_("Write something first."), code="required")
        return text
