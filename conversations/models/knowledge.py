"""What the agent may quote: the org's profile, catalogue, questions with answers, files and pages (PRODUCT 2)."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Document(models.Model):
    """One source of knowledge. Its text is cut into passages; a newer reading replaces them all at once."""

    class Sort(models.TextChoices):
        PROFILE = "profile", _("Business profile")
        FAQ = "faq", _("Question and answer")
        TEXT = "text", _("Text")
        PRODUCTS = "products", _("Catalogue")  # written from the rows of Product
        FILE = "file", _("File")
        URL = "url", _("Web page")

    class State(models.TextChoices):
        READING = "reading", _("Being read")
        READY = "ready", _("Ready")
        FAILED = "failed", _("Could not be read")

    sort = models.CharField(max_length=8, choices=Sort.choices)
    title = models.CharField(max_length=300)  # of an FAQ: the question
    language = models.CharField(max_length=8, default="pt-br")
    text = models.TextField(default="", blank=True)  # of an FAQ: the answer
    path = models.CharField(max_length=300, default="", blank=True)  # of a file, in our storage
    url = models.CharField(max_length=2000, default="", blank=True)
    mime = models.CharField(max_length=120, default="", blank=True)
    size = models.PositiveBigIntegerField(default=0)
    digest = models.CharField(max_length=64, default="", blank=True)  # of the text the passages were cut from
    state = models.CharField(max_length=8, choices=State.choices, default=State.READING)
    failure = models.CharField(max_length=200, default="", blank=True)  # a code of documents.shapes.Failure
    is_active = models.BooleanField(default=True)
    created_by = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)  # a reading that began before it is of no use

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["sort"],
                condition=models.Q(sort__in=["profile", "products"]),
                name="conversations_document_only_one",
            )
        ]

    def __str__(self) -> str:
        return self.title


class Passage(models.Model):
    """A piece of a document, small enough to quote. `terms`: folded stems and character grams, to find it by."""

    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="passages")
    position = models.PositiveIntegerField()
    heading = models.CharField(max_length=300, default="", blank=True)
    text = models.TextField()
    terms = ArrayField(models.CharField(max_length=40), default=list)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["document", "position"], name="conversations_passage_place")]
        indexes = [GinIndex(fields=["terms"], name="conversations_passage_terms")]

    def __str__(self) -> str:
        return f"{self.document_id}:{self.position}"


class Product(models.Model):
    """A row of the catalogue. Its price is told only where `may_quote` says so."""

    name = models.CharField(_("name"), max_length=200)
    description = models.TextField(_("description"), default="", blank=True)
    price = models.DecimalField(_("price"), max_digits=12, decimal_places=2, null=True, blank=True)
    currency = models.CharField(_("currency"), max_length=3, default="BRL")
    unit = models.CharField(_("per"), max_length=40, default="", blank=True)  # month, person, piece…
    conditions = models.CharField(_("conditions"), max_length=300, default="", blank=True)
    may_quote = models.BooleanField(_("the agent may tell the price"), default=False)
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name
