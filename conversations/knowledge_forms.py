"""What an administrator types about the org's knowledge. What may happen is decided by `conversations.learning`."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _

from conversations import learning
from conversations.documents.shapes import LONGEST_TEXT_CHARS
from conversations.models import Document, Product
from orgs.models import Refused

if TYPE_CHECKING:
    ProductModelForm = forms.ModelForm[Product]
else:
    ProductModelForm = forms.ModelForm  # generic for the type checker only

ANSWER_CHARS = 4_000
CURRENCIES = [("BRL", "R$"), ("USD", "US$"), ("EUR", "€")]


class DocumentForm(forms.Form):
    """What every document has; `sort` says what it is."""

    sort: Document.Sort
    language = forms.ChoiceField(label=_("Language"), choices=settings.LANGUAGES)
    is_active = forms.BooleanField(label=_("The AI may use it"), required=False, initial=True)

    field_order = ("title", "text", "file", "url")

    @property
    def given(self) -> learning.Given:
        """What was typed, once the form is valid."""
        typed = self.cleaned_data
        return learning.Given(
            self.sort, language=typed["language"], title=" ".join(str(typed.get("title") or "").split()),
            text=typed.get("text") or "", url=typed.get("url") or "", is_active=typed["is_active"],
        )  # fmt: skip


class ProfileForm(DocumentForm):
    sort = Document.Sort.PROFILE
    text = forms.CharField(
        label=_("What your business does"),
        help_text=_("What you sell, for whom, where, opening hours, how to pay. A heading on a line of its own helps."),
        max_length=LONGEST_TEXT_CHARS,
        widget=forms.Textarea(attrs={"rows": 14}),
    )


class FaqForm(DocumentForm):
    sort = Document.Sort.FAQ
    title = forms.CharField(label=_("Question"), max_length=300, help_text=_("As a lead would ask it."))
    text = forms.CharField(label=_("Answer"), max_length=ANSWER_CHARS, widget=forms.Textarea(attrs={"rows": 5}))


class TextForm(DocumentForm):
    sort = Document.Sort.TEXT
    title = forms.CharField(label=_("Title"), max_length=300)
    text = forms.CharField(
        label=_("Text"),
        help_text=_("Paragraphs apart by a blank line. A heading on a line of its own helps."),
        max_length=LONGEST_TEXT_CHARS,
        widget=forms.Textarea(attrs={"rows": 14}),
    )


class FileForm(DocumentForm):
    sort = Document.Sort.FILE
    title = forms.CharField(label=_("Title"), max_length=300, required=False, help_text=_("Empty: the file's name."))
    file = forms.FileField(
        label=_("File"),
        help_text=_("PDF with text, Word (DOCX) or plain text, up to 10 MB."),
        allow_empty_file=True,  # it has its own words
        widget=forms.FileInput(attrs={"accept": ".pdf,.docx,.txt"}),
    )

    def clean_file(self) -> bytes:
        """The file's bytes, checked by size and content."""
        file: UploadedFile[bytes] = self.cleaned_data["file"]
        self.file_name = file.name or ""
        if file.size is not None and file.size > learning.LARGEST_FILE_BYTES:
            raise forms.ValidationError(_("The file is too large: 10 MB is the limit."), code="too_large")
        content = bytes(file.read())
        try:
            learning.checked(content)
        except Refused as refused:
            raise forms.ValidationError(str(refused), code=refused.code) from None
        return content


class PageForm(DocumentForm):
    sort = Document.Sort.URL
    url = forms.URLField(
        label=_("Address"),
        max_length=2000,
        assume_scheme="https",
        help_text=_("One page that everybody can open. Pages it links to are not read."),
        widget=forms.URLInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def clean_url(self) -> str:
        url = str(self.cleaned_data["url"])
        try:
            learning.check_address(url)
        except Refused as refused:
            raise forms.ValidationError(str(refused), code=refused.code) from None
        return url


class ReadForm(DocumentForm):
    """Of a file or page that is there: its words come from it."""

    title = forms.CharField(label=_("Title"), max_length=300)


FORMS: dict[str, type[DocumentForm]] = {
    form.sort: form for form in (ProfileForm, FaqForm, TextForm, FileForm, PageForm)
}


class ProductForm(ProductModelForm):
    """A row of the catalogue."""

    class Meta:
        model = Product
        fields = ("name", "description", "price", "currency", "unit", "conditions", "may_quote", "is_active")
        widgets = {
            "description": forms.Textarea(attrs={"rows": 3}),
            "currency": forms.Select(choices=CURRENCIES),
            "price": forms.NumberInput(attrs={"min": "0", "step": "0.01", "inputmode": "decimal"}),
        }

    def clean(self) -> dict[str, Any]:
        """A price that may be told must be there."""
        typed = super().clean() or self.cleaned_data
        if typed.get("may_quote") and typed.get("price") is None and "price" not in self.errors:
            self.add_error("price", forms.ValidationError(_("Write the price that the AI may tell."), code="required"))
        return typed
