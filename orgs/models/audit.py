"""The append-only record of who did what, when, from where, on what. A database trigger refuses change and removal."""

from django.db import models
from django.utils import timezone


class AuditEntry(models.Model):
    """One thing a person (or we) did. Ids are plain: the record outlives the org and the person it names."""

    at = models.DateTimeField(default=timezone.now, editable=False)
    org_id = models.BigIntegerField(null=True, editable=False)
    org_slug = models.CharField(max_length=48, blank=True, default="", editable=False)
    person_id = models.BigIntegerField(null=True, editable=False)
    actor = models.CharField(max_length=254, blank=True, default="", editable=False)  # e-mail then; empty: the system
    action = models.CharField(max_length=64, editable=False)
    target = models.CharField(max_length=64, blank=True, default="", editable=False)  # "membership:7"
    data = models.JSONField(default=dict, editable=False)  # what changed; never a secret, never a lead's words
    ip = models.GenericIPAddressField(null=True, editable=False)
    user_agent = models.CharField(max_length=200, blank=True, default="", editable=False)
    request_id = models.CharField(max_length=64, blank=True, default="", editable=False)

    class Meta:
        verbose_name = "audit entry"
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=["org_id", "-at"], name="orgs_audit_org"),
            models.Index(fields=["person_id", "-at"], name="orgs_audit_person"),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.action}"
