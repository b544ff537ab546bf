"""What a person types in a conversation."""

import unicodedata
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _

from conversations import canned, media
from conversations.models import Conversation
from orgs.models import Refused

REPLY_CHARS = 4096  # WhatsApp refuses longer texts


# What the browser's chooser offers first; what is really taken, `media.accept` decides by content.
OFFERED_FILES = "image/jpeg,image/png,image/webp,audio/*,video/mp4,.pdf,.docx,.xlsx,.pptx,.doc,.xls,.ppt,.txt,.csv"


class ReplyForm(forms.Form):
    """A reply: words, a file, or both. `key` is made with the page: the same reply sent twice is stored once.

    `quoted`: id of the message it answers; `seen`: the last arrival that the page showed; `sure`: others who reply do
    not matter. In: `values` of `canned.values_for`, to fill variables with; `keeps_file`: the page itself gives the
    file back to the form when it returns with errors.
    """

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
    quoted = forms.IntegerField(required=False, min_value=1, widget=forms.HiddenInput)
    seen = forms.IntegerField(required=False, min_value=0)
    sure = forms.BooleanField(required=False)

    def __init__(
        self, *args: Any, values: Mapping[str, str] | None = None, keeps_file: bool = False, **options: Any
    ) -> None:
        super().__init__(*args, **options)
        self.fields["key"].initial = uuid4
        self._values = values or {}
        self._keeps_file = keeps_file

    def clean_text(self) -> str:
        """Without NUL, which PostgreSQL cannot hold, without blank ends, its variables filled in."""
        text = canned.filled(plain(self.cleaned_data["text"]), self._values)
        if text.missing:
            names = ", ".join(f"{{{{{name}}}}}" for name in text.missing)
            raise forms.ValidationError(
                _("Write what belongs in place of %(names)s: it is not known.") % {"names": names}, code="unfilled"
            )
        if len(text.text) > REPLY_CHARS:
            raise forms.ValidationError(
                _("With its variables filled in, this is too long for WhatsApp."), code="max_length"
            )
        return text.text

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
        is_given_back = self._keeps_file and "file" not in self.errors
        if self.errors and self.files.get("file") and not is_given_back:
            self.add_error("file", forms.ValidationError(_("Then choose the file again."), code="choose_again"))
        return given


class NoteForm(forms.Form):
    """A private note. `key` is made with the page: the same note sent twice is stored once."""

    text = forms.CharField(
        label=_("Your note"),
        max_length=REPLY_CHARS,
        error_messages={"required": _("Write something first.")},
        widget=forms.Textarea(attrs={"rows": 2, "enterkeyhint": "send"}),
    )
    key = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **({"auto_id": "note_%s"} | options))  # beside the reply's form
        self.fields["key"].initial = uuid4

    def clean_text(self) -> str:
        """As `ReplyForm.clean_text`, without variables; letters with their accents in one, so that names are found."""
        return unicodedata.normalize("NFC", plain(self.cleaned_data["text"]))


class CannedReplyForm(forms.Form):
    """A text at hand, under a shortcut of lower-case letters, digits and hyphens."""

    shortcut = forms.CharField(
        label=_("Shortcut"),
        max_length=40,
        help_text=_("What you type behind the slash, such as “price” for /price. No spaces."),
        widget=forms.TextInput(attrs={"autocapitalize": "none", "autocomplete": "off", "spellcheck": "false"}),
    )
    text = forms.CharField(label=_("Text"), max_length=canned.TEXT_CHARS, widget=forms.Textarea(attrs={"rows": 6}))

    def clean_shortcut(self) -> str:
        """In lower case, without the slash in front."""
        shortcut = str(self.cleaned_data["shortcut"]).lower().removeprefix("/")
        if not canned.SHORTCUT.fullmatch(shortcut):
            raise forms.ValidationError(_("Use letters without accents, digits and hyphens only."), code="invalid")
        return shortcut

    def clean_text(self) -> str:
        """Without blank ends; every variable in it must be one."""
        text = plain(self.cleaned_data["text"])
        if unknown := canned.unknown_variables(text):
            raise forms.ValidationError(
                _("There is no variable {{%(name)s}}.") % {"name": unknown[0]}, code="unknown_variable"
            )
        return text


def plain(text: object) -> str:
    """Without NUL, which PostgreSQL cannot hold, and without blank ends."""
    return str(text).replace("\x00", "").strip()


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
