"""Why we may write to somebody first (PRODUCT 8, LGPD 7): the basis, where it comes from, and who says so."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from conversations.models.contact import Contact


class Consent(models.Model):
    """Written whenever a person starts a conversation; never changed, so that it can be shown what was said then."""

    class Basis(models.TextChoices):
        ASKED = "asked", _("They asked us to write to them")
        AGREED = "agreed", _("They agreed to be written to")
        CONTRACT = "contract", _("They are a customer, or a contract is being prepared")
        INTEREST = "interest", _("Legitimate interest, weighed and documented")

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="consents")
    basis = models.CharField(max_length=10, choices=Basis.choices)
    source = models.CharField(max_length=200, default="", blank=True)  # where it was given, in the person's words
    person_id = models.BigIntegerField()
    at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.basis} {self.at:%Y-%m-%d}"
