"""What a person types in a conversation."""

from typing import Any
from uuid import uuid4

from django import forms
from django.utils.translation import gettext_lazy as _

REPLY_CHARS = 4096  # WhatsApp refuses longer texts


class ReplyForm(forms.Form):
    """A reply. `key` is made with the page: the same reply sent twice over a bad line is stored once."""

    text = forms.CharField(
        label=_("Your reply"),
        max_length=REPLY_CHARS,
        error_messages={"required": _("Write something first.")},
        widget=forms.Textarea(attrs={"rows": 2, "enterkeyhint": "send"}),
    )
    key = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["key"].initial = uuid4

    def clean_text(self) -> str:
        """Without NUL, which PostgreSQL cannot hold, and without blank ends."""
        return str(self.cleaned_data["text"]).replace("\x00", "").strip()
