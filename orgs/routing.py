"""A database router that refuses to touch an org's tables outside an org, in words, not by a missing relation."""

from functools import cache
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.db import connections, models


class NoOrgContext(RuntimeError):
    """An org's table was asked for while no org was entered: wrap the work in `orgs.context.in_org(org)`."""


class OrgRouter:
    """Decides nothing; raises NoOrgContext for models of TENANT_APPS while the connection is in the public schema."""

    def db_for_read(self, model: type[models.Model], **hints: Any) -> None:
        self.check(model)

    def db_for_write(self, model: type[models.Model], **hints: Any) -> None:
        self.check(model)

    def check(self, model: type[models.Model]) -> None:
        if model._meta.app_label in tenant_labels() and connections["default"].schema_name == "public":  # type: ignore[attr-defined]
            raise NoOrgContext(f"{model._meta.label} belongs to an org, and no org is entered here.")


@cache
def tenant_labels() -> frozenset[str]:
    """App labels whose tables live in org schemas; settled once the app registry is ready."""
    return frozenset(config.label for config in tenant_configs())


def tenant_configs() -> list[AppConfig]:
    """Apps of settings.TENANT_APPS, named there by package or by the path of their config class."""
    names = set(settings.TENANT_APPS)
    return [
        config
        for config in apps.get_app_configs()
        if config.name in names or f"{type(config).__module__}.{type(config).__name__}" in names
    ]
