"""System checks (`manage.py check`): what must hold for a safe installation and for models of orgs.

Those about the installation speak up outside development and test only; those about models always.
"""

import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

from cryptography.fernet import Fernet
from django.apps import AppConfig, apps
from django.conf import settings
from django.core import checks
from django.db import migrations, models
from django_tenants.models import DomainMixin, TenantMixin

from orgs import push
from orgs.routing import tenant_configs

SHORTEST_TOKEN = 24  # characters of METRICS_TOKEN and HEALTH_TOKEN
OUR_APPS = frozenset({"orgs", "billing", "conversations", "calendar_sync", "integrations"})
LOOPBACK_URL = re.compile(r"https?://([^/@]*@)?(localhost|127\.[\d.]+|\[::1\]|0\.0\.0\.0)([:/]|$)", re.IGNORECASE)
STANDIN = re.compile(r"(^|[./:])(fakes?|standins?)([./:]|$)", re.IGNORECASE)
SETTINGS_OF_TESTS = frozenset({"TEST_RUNNER"})


def register() -> None:
    """Make Django run the checks of this module."""
    checks.register(check_installation, checks.Tags.security)
    checks.register(check_tenant_models, checks.Tags.models)
    checks.register(check_text_indexes, checks.Tags.models)
    checks.register(check_tenant_migrations, checks.Tags.models)


def check_installation(**_: Any) -> list[checks.CheckMessage]:
    """E001 to E004, W005 to W008, E011: nothing of development reaches production, and nothing it needs is missing."""
    if settings.IS_LOCAL:
        return []
    return [*find_standins(), *find_insecure(), *find_unwatched(), *find_unheard(), *find_unpushable()]


def find_standins() -> Iterator[checks.CheckMessage]:
    for name in sorted(setting for setting in dir(settings) if setting.isupper() and setting not in SETTINGS_OF_TESTS):
        for value in texts_in(getattr(settings, name)):
            if STANDIN.search(value) or LOOPBACK_URL.match(value):
                yield checks.Error(
                    f"{name} names a stand-in or an address of this machine.",
                    hint="Stand-ins play vendors in development and tests. Name the real one.",
                    id="sdr.E001",
                )
                break


def texts_in(value: Any) -> Iterator[str]:
    """Every text inside a setting."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from texts_in(key)
            yield from texts_in(item)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from texts_in(item)


def find_insecure() -> Iterator[checks.CheckMessage]:
    if settings.DEBUG:
        yield checks.Error("DEBUG is on.", hint="Error pages would show code and settings.", id="sdr.E002")
    if not settings.SITE_URL.startswith("https://"):
        yield checks.Error(
            "SITE_URL does not start with https://.",
            hint="Cookies, passkeys and HSTS need TLS; set SITE_URL to the public https address.",
            id="sdr.E003",
        )
    if not settings.SECRETS_KEYRING or any(not is_fernet_key(key) for key in settings.SECRETS_KEYRING):
        yield checks.Error(
            "SECRETS_KEYRING holds no key, or one that is no Fernet key.",
            hint="Set it to Fernet keys, comma-separated, newest first.",
            id="sdr.E004",
        )


def is_fernet_key(key: str) -> bool:
    try:
        Fernet(key)
    except ValueError:
        return False
    return True


def find_unwatched() -> Iterator[checks.CheckMessage]:
    for number, name in ((5, "METRICS_TOKEN"), (6, "HEALTH_TOKEN")):
        token = getattr(settings, name)
        if not token:
            yield checks.Warning(
                f"{name} is not set: that page answers 404.",
                hint="Set it to 32 random characters.",
                id=f"sdr.W00{number}",
            )
        elif len(token) < SHORTEST_TOKEN:
            yield checks.Warning(
                f"{name} is shorter than {SHORTEST_TOKEN} characters.",
                hint="Set it to 32 random characters.",
                id=f"sdr.W00{number}",
            )
    if settings.TRUSTED_PROXIES == 0:
        yield checks.Warning(
            "TRUSTED_PROXIES is 0: every client behind your proxy has the proxy's address.",
            hint="Set it to the number of proxies of yours in front, usually 1; rate limits and the audit log need it.",
            id="sdr.W007",
        )


def find_unheard() -> Iterator[checks.CheckMessage]:
    if not settings.GEMINI_API_KEY:
        yield checks.Warning(
            "GEMINI_API_KEY is not set: the offline brain answers every lead, and nobody listens to voice notes.",
            hint="Set it to the key of a paid project: what is sent on the free tier may be used for other things.",
            id="sdr.W008",
        )
    if settings.GEMINI_BASE_URL and not settings.GEMINI_BASE_URL.startswith("https://"):
        yield checks.Error(
            "GEMINI_BASE_URL does not start with https://.",
            hint="What leads write would travel in the clear. Leave it empty for Google's own address.",
            id="sdr.E011",
        )


def find_unpushable() -> Iterator[checks.CheckMessage]:
    try:
        push.public_key()
    except ValueError:
        yield checks.Error(
            "VAPID_PRIVATE_KEY is no key.",
            hint="Set it to 32 bytes in base64url (python -c 'import secrets; print(secrets.token_urlsafe(32))'), "
            "or leave it empty: nothing is then shown in browsers.",
            id="sdr.E012",
        )


def check_tenant_models(**_: Any) -> list[checks.CheckMessage]:
    """E008: no foreign key in the database from an org's schema to public (moving and restoring an org need that)."""
    tenant = {config.label for config in tenant_configs()}
    return [
        checks.Error(
            f"{model._meta.label}.{field.name} points to a shared table with a constraint.",
            hint="Give it db_constraint=False and on_delete=models.DO_NOTHING.",
            obj=field,
            id="sdr.E008",
        )
        for config in tenant_configs()
        for model in config.get_models(include_auto_created=True)
        for field in model._meta.local_fields
        if isinstance(field, models.ForeignKey)
        and field.related_model._meta.app_label not in tenant
        and has_constraint(field)
    ]


def check_text_indexes(**_: Any) -> list[checks.CheckMessage]:
    """E009: no db_index or unique on text fields, since Django adds a second, `LIKE` index for each."""
    inherited = {field.name for mixin in (TenantMixin, DomainMixin) for field in mixin._meta.local_fields}
    configs = [config for config in apps.get_app_configs() if config.label in OUR_APPS] + tenant_configs()
    return [
        checks.Error(
            f"{model._meta.label}.{field.name} is a text field with db_index or unique.",
            hint="Use Meta.indexes or a UniqueConstraint.",
            obj=field,
            id="sdr.E009",
        )
        for config in {config.label: config for config in configs}.values()
        for model in config.get_models(include_auto_created=True)
        for field in model._meta.local_fields
        if isinstance(field, models.CharField | models.TextField)
        and is_indexed(field)
        and not (field.name in inherited and issubclass(model, TenantMixin | DomainMixin))
    ]


def has_constraint(field: Any) -> bool:
    return bool(field.db_constraint)


def is_indexed(field: Any) -> bool:
    return bool(field.db_index or field._unique)  # `unique` is also true for primary keys


def check_tenant_migrations(**_: Any) -> list[checks.CheckMessage]:
    """E010: migrations of orgs are plain SQL in one transaction, so that thousands of schemas can be brought along."""
    found: list[checks.CheckMessage] = []
    for config in tenant_configs():
        for module in migration_modules(config):
            migration: type[migrations.Migration] = module.Migration
            name = f"{config.label}.{module.__name__.rpartition('.')[2]}"
            if not migration.atomic or any(not is_sql(operation) for operation in migration.operations):
                found.append(
                    checks.Error(
                        f"{name} cannot be collected as SQL in one transaction.",
                        hint="Write schema operations or RunSQL; fill data by a command over each_org().",
                        id="sdr.E010",
                    )
                )
    return found


def is_sql(operation: Any) -> bool:
    """False for Python code."""
    if isinstance(operation, migrations.SeparateDatabaseAndState):
        return all(is_sql(inner) for inner in operation.database_operations)
    return bool(operation.reduces_to_sql)


def migration_modules(config: AppConfig) -> Iterator[ModuleType]:
    try:
        package = importlib.import_module(f"{config.name}.migrations")
    except ModuleNotFoundError:
        return
    for module in pkgutil.iter_modules(package.__path__):
        if module.name[:1] not in {"_", "~"}:
            yield importlib.import_module(f"{package.__name__}.{module.name}")
