"""The lead as a person, and every name under which WhatsApp knows them."""

from django.db import models
from django.utils import timezone


class Contact(models.Model):
    """A person we talk with. One contact per person in an org, whichever number or identity they wrote with."""

    class Ignored(models.TextChoices):
        """Why the AI never speaks to them."""

        CUSTOMER = "customer"
        SUPPLIER = "supplier"
        TEAM = "team"
        OWN = "own"  # another number of the org
        JOB_SEEKER = "job_seeker"
        SPAM = "spam"

    name = models.CharField(max_length=120, default="", blank=True)
    name_is_theirs = models.BooleanField(default=True)  # from their profile; False once a person has written it
    name_folded = models.CharField(max_length=120, default="", blank=True)
    phone = models.CharField(max_length=20, default="", blank=True)  # canonical digits; empty while unknown
    language = models.CharField(max_length=8, default="", blank=True)
    opted_out_at = models.DateTimeField(null=True)
    blocked_at = models.DateTimeField(null=True)
    ignored_as = models.CharField(max_length=12, choices=Ignored.choices, default="", blank=True)
    is_test = models.BooleanField(default=False)
    has_history = models.BooleanField(default=False)  # they had talked with the company before we came: a person begins
    referral = models.JSONField(default=dict)  # the ad of the first touch; untrusted display data
    erased_until = models.DateTimeField(null=True)  # what they wrote before was erased and is not taken in again
    merged_into = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="merged")
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name or self.phone or f"#{self.pk}"

    @property
    def is_silenced(self) -> bool:
        """True when the AI must not speak to them, on any number."""
        return bool(self.opted_out_at or self.blocked_at or self.ignored_as)


class Alias(models.Model):
    """A name of a contact: a phone or a LID. Its uniqueness is what makes two first messages one contact."""

    class Sort(models.TextChoices):
        PHONE = "phone"
        LID = "lid"

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="aliases")
    sort = models.CharField(max_length=5, choices=Sort.choices)
    value = models.CharField(max_length=40)  # canonical digits
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["sort", "value"], name="conversations_alias_once")]

    def __str__(self) -> str:
        return f"{self.sort} {self.value}"


class OptOut(models.Model):
    """They asked to be left alone, or to be talked to again: when, by which words, on which message."""

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="opt_outs")
    message_id = models.BigIntegerField(null=True)
    person_id = models.BigIntegerField(null=True)  # a person did it for them
    is_out = models.BooleanField()
    note = models.CharField(max_length=300, default="", blank=True)  # how they said so, where a person writes it
    at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return "out" if self.is_out else "back"


class Erased(models.Model):
    """Somebody whose words were erased: enough to know late copies of them by, and nothing to know the person by.

    `digest`: a keyed hash of an alias (conversations.erasure); `until`: what is older stays out.
    """

    digest = models.CharField(max_length=64)
    until = models.DateTimeField()

    class Meta:
        verbose_name_plural = "erased"
        constraints = [models.UniqueConstraint(fields=["digest"], name="conversations_erased_once")]

    def __str__(self) -> str:
        return f"until {self.until:%Y-%m-%d %H:%M}"
