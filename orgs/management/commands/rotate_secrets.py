"""`manage.py rotate_secrets`: seal every stored secret with the keyring's first key."""

from typing import Any

from allauth.mfa.models import Authenticator
from django.apps import apps
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, models, transaction

from orgs.context import each_org, in_org
from orgs.routing import tenant_labels
from sdr.lib import secrets
from sdr.lib.secrets import UnreadableSecret

SEALED_KEYS = ("secret", "seed")  # of Authenticator.data; "migrated_codes" is a list of them
SEALED_LISTS = ("migrated_codes",)


class Command(BaseCommand):
    help = (
        "Seals every stored secret with the first key of SECRETS_KEYRING, in public and in every org. Put the new key "
        "first, restart everything, run this, then take the old key away. Safe to stop and to repeat."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        self.rotated = 0
        self.unreadable: list[str] = []
        shared, per_org = _fields()
        for model, column in shared:
            self._column("public", model, column)
        self._second_steps()
        for org in each_org() if per_org else ():
            with in_org(org):
                for model, column in per_org:
                    self._column(org.schema_name, model, column)
        self.stdout.write(f"{self.rotated} values sealed with key {secrets.keyring().current}.")
        if self.unreadable:
            raise CommandError(
                f"{len(self.unreadable)} values cannot be opened by any key of SECRETS_KEYRING: "
                + ", ".join(self.unreadable[:20])
                + ". Put the missing key back and run this again."
            )

    def _column(self, schema: str, model: type[models.Model], column: "models.Field[Any, Any]") -> None:
        result = secrets.rotate_column(connection, model, column)
        self.rotated += result.rotated
        self.unreadable += [f"{schema}.{model._meta.db_table}.{column.column} {pk}" for pk in result.unreadable]
        if result.rotated:
            self.stdout.write(f"{schema}.{model._meta.db_table}.{column.column}: {result.rotated}")

    def _second_steps(self) -> None:
        """allauth keeps its secrets inside JSON, sealed by our MFAAdapter."""
        pks = list(Authenticator.objects.exclude(type=Authenticator.Type.WEBAUTHN).values_list("pk", flat=True))
        count = sum(self._second_step(pk) for pk in pks)
        self.rotated += count
        if count:
            self.stdout.write(f"public.mfa_authenticator.data: {count}")

    def _second_step(self, pk: int) -> int:
        """Seal one row anew; its lock makes a sign-in that uses a code at this moment wait. How many: 0 or 1."""
        with transaction.atomic():
            row = Authenticator.objects.select_for_update().filter(pk=pk).first()
            if row is None:
                return 0
            try:
                fresh = _rotate_data(row.data)
            except UnreadableSecret:
                self.unreadable.append(f"public.mfa_authenticator.data {pk}")
                return 0
            return Authenticator.objects.filter(pk=pk).update(data=fresh) if fresh != row.data else 0


def _fields() -> tuple[list[tuple[type[models.Model], Any]], list[tuple[type[models.Model], Any]]]:
    tenant = tenant_labels()
    shared: list[tuple[type[models.Model], Any]] = []
    per_org: list[tuple[type[models.Model], Any]] = []
    for model, column in secrets.encrypted_fields(apps.get_models(include_auto_created=True)):
        (per_org if model._meta.app_label in tenant else shared).append((model, column))
    return shared, per_org


def _rotate_data(data: dict[str, Any]) -> dict[str, Any]:
    fresh = dict(data)
    for key in SEALED_KEYS:
        if key in fresh:
            fresh[key] = secrets.rotate(fresh[key])
    for key in SEALED_LISTS:
        if key in fresh:
            fresh[key] = [secrets.rotate(value) for value in fresh[key]]
    return fresh
