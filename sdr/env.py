"""Typed readers of environment variables. Each raises ImproperlyConfigured saying which variable to set and to what."""

import os
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import overload

from django.core.exceptions import ImproperlyConfigured

TRUE = frozenset({"1", "true", "yes", "on"})
FALSE = frozenset({"0", "false", "no", "off"})


class Required:
    """Marks a variable without a default: reading it unset is an error."""


REQUIRED = Required()


@overload
def envstr(name: str, default: str | Required = REQUIRED, *, hint: str = "") -> str: ...
@overload
def envstr(name: str, default: None, *, hint: str = "") -> str | None: ...
def envstr(name: str, default: str | Required | None = REQUIRED, *, hint: str = "") -> str | None:
    """Text of the variable `name`, stripped; empty counts as unset."""
    value = os.environ.get(name, "").strip()
    if value:
        return value
    if isinstance(default, Required):
        raise ImproperlyConfigured(f"{name} is not set. {hint or 'Set it in the environment.'}")
    return default


def envbool(name: str, default: bool) -> bool:
    """True for 1/true/yes/on, False for 0/false/no/off; anything else is an error."""
    value = os.environ.get(name, "").strip().lower()
    if not value:
        return default
    if value in TRUE:
        return True
    if value in FALSE:
        return False
    raise ImproperlyConfigured(f"{name} must be one of 1, true, yes, on, 0, false, no, off; it is {value!r}.")


def envint(name: str, default: int, *, minimum: int | None = None, maximum: int | None = None) -> int:
    """Whole number within the bounds; anything else is an error."""
    value = os.environ.get(name, "").strip()
    if not value:
        return default
    try:
        number = int(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a whole number; it is {value!r}.") from None
    if (minimum is not None and number < minimum) or (maximum is not None and number > maximum):
        raise ImproperlyConfigured(f"{name} must be between {minimum} and {maximum}; it is {number}.")
    return number


def envdecimal(name: str) -> Decimal | None:
    """Positive decimal number with a point; None when unset, anything else is an error."""
    value = os.environ.get(name, "").strip()
    if not value:
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        number = Decimal(0)
    if not number.is_finite() or number <= 0:
        raise ImproperlyConfigured(f"{name} must be a number above 0, such as 5.42; it is {value!r}.")
    return number


def envdate(name: str) -> date | None:
    """Day as YYYY-MM-DD; None when unset, anything else is an error."""
    value = os.environ.get(name, "").strip()
    if not value:
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a day, such as 2026-11-30; it is {value!r}.") from None


def envlist(name: str, default: list[str] | Required = REQUIRED, *, hint: str = "") -> list[str]:
    """Comma-separated values, stripped, empty ones dropped."""
    value = os.environ.get(name, "").strip()
    if value:
        return [item.strip() for item in value.split(",") if item.strip()]
    if isinstance(default, Required):
        raise ImproperlyConfigured(f"{name} is not set. {hint or 'Set it to comma-separated values.'}")
    return default


@overload
def envsecret(name: str, default: str | Required = REQUIRED, *, hint: str = "") -> str: ...
@overload
def envsecret(name: str, default: None, *, hint: str = "") -> str | None: ...
def envsecret(name: str, default: str | Required | None = REQUIRED, *, hint: str = "") -> str | None:
    """A secret from `name`, or from the file named by `name`_FILE. An unreadable or empty file is an error."""
    path = os.environ.get(f"{name}_FILE", "").strip()
    if not path:
        return envstr(name, default, hint=hint or f"Set it, or {name}_FILE to the path of a file that holds it.")
    try:
        value = Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ImproperlyConfigured(f"{name}_FILE cannot be read: {error.strerror}.") from None
    if not value:
        raise ImproperlyConfigured(f"{name}_FILE names an empty file.")
    return value
