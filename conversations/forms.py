"""What a person types in a conversation."""

from typing import Any
from uuid import uuid4

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _

from conversations import media
from conversations.models import Conversation
from orgs.models import Refused

REPLY_CHARS = 4096  # WhatsApp refuses longer texts


# What the browser's chooser offers first; what is really taken, `media.accept` decides by content.
OFFERED_FILES = "image/jpeg,image/png,image/webp,audio/*,video/mp4,.pdf,.docx,.xlsx,.pptx,.doc,.xls,.ppt,.txt,.csv"


class ReplyForm(forms.Form):
    """A reply: words, a file, or both. `key` is made with the page: the same reply sent twice is stored once."""

    text = forms.CharField(
        label=_("Your reply"),
        required=False,
        max_length=REPLY_CHARS,
        widget=forms.Textarea(attrs={"rows": 2, "enterkeyhint": "send"}),
    )
    file = forms.FileField(
        label=_("Attach a file"),
        required=False,
        allow_empty_file=True,  # it has its own words
        max_length=255,
        widget=forms.FileInput(attrs={"accept": OFFERED_FILES}),
    )
    key = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["key"].initial = uuid4

    def clean_text(self) -> str:
        """Without NUL, which PostgreSQL cannot hold, and without blank ends."""
        return str(self.cleaned_data["text"]).replace("\x00", "").strip()

    def clean_file(self) -> media.Upload | None:
        """The file, checked by its size, then by its content."""
        file: UploadedFile[bytes] | None = self.cleaned_data["file"]
        if file is None:
            return None
        if file.size is not None and file.size > media.LARGEST_UPLOAD_BYTES:
            raise forms.ValidationError(media.too_large_words(), code="file_too_large")
        try:
            return media.accept(file.read(), name=file.name or "", claimed=file.content_type or "")
        except Refused as refused:
            raise forms.ValidationError(str(refused), code=refused.code) from None

    def clean(self) -> dict[str, Any]:
        """Something must be there. A file does not come back with the form: that is said beside it."""
        given = super().clean() or self.cleaned_data
        if not self.errors and not given["text"] and given["file"] is None:
            self.add_error("text", forms.ValidationError(_("Write something first."), code="required"))
        if self.errors and self.files.get("file"):
            self.add_error("file", forms.ValidationError(_("Then choose the file again."), code="choose_again"))
        return given


# The clock alone closes for silence.
CLOSINGS = [(value, word) for value, word in Conversation.Closing.choices if value != Conversation.Closing.SILENCE]
SNOOZES = [("4", _("4 hours")), ("24", _("1 day")), ("72", _("3 days")), ("168", _("1 week"))]


class ClosureForm(forms.Form):
    """Why a conversation is over. `seen` is the last message that the page showed."""

    reason = forms.ChoiceField(choices=CLOSINGS)
    seen = forms.IntegerField(required=False, min_value=0)

    def chosen(self) -> Conversation.Closing:
        """The reason, once the form is valid."""
        return Conversation.Closing(self.cleaned_data["reason"])


class SnoozeForm(forms.Form):
    """How long a conversation sleeps, in hours."""

    hours = forms.ChoiceField(choices=SNOOZES)
