"""Feature flags (PRODUCT 7): settings.FEATURES, a percentage of orgs, an override per org. Read and changed only here.

A process reads all rows in one query and keeps them for CACHE_SECONDS, so a change reaches every process within that
time. Without a database the last known rows hold, and before the first read the settings do.
"""

import hashlib
import logging
import threading
import time
from contextlib import nullcontext
from dataclasses import dataclass, field

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.http import HttpRequest
from django.utils import timezone

from orgs.audit import Action, record
from orgs.models import Flag, FlagOverride, Org, Person

logger = logging.getLogger(__name__)

CACHE_SECONDS = 2.0
EVERYTHING = """
    SELECT name, percentage, NULL::bigint, NULL::boolean FROM public.orgs_flag
    UNION ALL SELECT name, NULL, org_id, is_on FROM public.orgs_flagoverride
"""


class UnknownFlagError(LookupError):
    """The flag is not in settings.FEATURES."""


@dataclass(frozen=True)
class Rows:
    """The tables as they were read at `read_at` (monotonic seconds)."""

    read_at: float = float("-inf")
    percentages: dict[str, int] = field(default_factory=dict)
    overrides: dict[tuple[str, int], bool] = field(default_factory=dict)

    @property
    def is_fresh(self) -> bool:
        return time.monotonic() - self.read_at < CACHE_SECONDS


rows = Rows()
reading = threading.Lock()


def is_on(name: str, org: Org | None = None) -> bool:
    """Whether the flag is on for the org; without an org, whether it is on for all of them, overrides aside.

    The override decides, else the percentage, else the setting. Raises UnknownFlagError, never a database error.
    """
    default = default_of(name)
    known = current_rows()
    if org is not None and (name, org.pk) in known.overrides:
        return known.overrides[name, org.pk]
    percentage = known.percentages.get(name)
    if percentage is None:
        return default
    if org is None:
        return percentage >= 100
    return share(name, org) < percentage


def default_of(name: str) -> bool:
    """What the settings say. Raises UnknownFlagError."""
    try:
        return bool(settings.FEATURES[name])
    except KeyError:
        raise UnknownFlagError(f"{name} is not a flag; there are {', '.join(sorted(settings.FEATURES))}.") from None


def share(name: str, org: Org) -> int:
    """0 to 99, always the same for this flag and org: raising the percentage adds orgs and takes none away."""
    return int.from_bytes(hashlib.sha256(f"{name}:{org.pk}".encode()).digest()[:8], "big") % 100


def current_rows() -> Rows:
    """The rows, at most CACHE_SECONDS old unless the database is away; one thread reads, the others do not wait."""
    if rows.is_fresh:
        return rows
    never_read = rows.read_at == float("-inf")
    if not reading.acquire(blocking=never_read):
        return rows
    try:
        if not rows.is_fresh:
            read_rows()
        return rows
    finally:
        reading.release()


def read_rows() -> None:
    global rows
    percentages: dict[str, int] = {}
    overrides: dict[tuple[str, int], bool] = {}
    try:
        # A savepoint, so that a failure here does not spoil the transaction of the caller.
        with transaction.atomic() if connection.in_atomic_block else nullcontext(), connection.cursor() as cursor:
            cursor.execute(EVERYTHING)
            for name, percentage, org_id, is_on_here in cursor.fetchall():
                if org_id is None:
                    percentages[name] = percentage
                else:
                    overrides[name, org_id] = is_on_here
    except (DatabaseError, InterfaceError) as error:
        logger.warning("Flags could not be read, the last known ones hold: %s", type(error).__name__)
        percentages, overrides = rows.percentages, rows.overrides
    rows = Rows(time.monotonic(), percentages, overrides)


def forget() -> None:
    """Read again at the next question."""
    global rows
    rows = Rows(percentages=rows.percentages, overrides=rows.overrides)


def set_percentage(
    name: str, percentage: int, *, request: HttpRequest | None = None, person: Person | None = None
) -> None:
    """Turn the flag on for this share of orgs, whatever its setting says, and record who did it.

    Raises UnknownFlagError, and ValueError outside 0 to 100.
    """
    default_of(name)
    if not 0 <= percentage <= 100:
        raise ValueError("A percentage is a whole number from 0 to 100.")
    with transaction.atomic():
        before = Flag.objects.select_for_update().filter(name=name).values_list("percentage", flat=True).first()
        Flag.objects.update_or_create(name=name, defaults={"percentage": percentage, "updated_at": timezone.now()})
        change = {"percentage": [before, percentage]}
        record(Action.FLAG_CHANGED, request=request, person=person, target=f"flag:{name}", data=change)
        transaction.on_commit(forget)


def clear_percentage(name: str, *, request: HttpRequest | None = None, person: Person | None = None) -> None:
    """Let the setting decide again, and record who did it. Nothing happens when it already does."""
    default_of(name)
    with transaction.atomic():
        flag = Flag.objects.select_for_update().filter(name=name).first()
        if flag is None:
            return
        flag.delete()
        change = {"percentage": [flag.percentage, None]}
        record(Action.FLAG_CHANGED, request=request, person=person, target=f"flag:{name}", data=change)
        transaction.on_commit(forget)


def set_override(
    name: str, org: Org, *, is_on: bool, request: HttpRequest | None = None, person: Person | None = None
) -> None:
    """Turn the flag on or off for one org, and record who did it. Raises UnknownFlagError."""
    default_of(name)
    with transaction.atomic():
        found = FlagOverride.objects.select_for_update().filter(name=name, org=org)
        before = found.values_list("is_on", flat=True).first()
        FlagOverride.objects.update_or_create(
            name=name, org=org, defaults={"is_on": is_on, "updated_at": timezone.now()}
        )
        change = {"is_on": [before, is_on]}
        record(Action.FLAG_OVERRIDDEN, request=request, org=org, person=person, target=f"flag:{name}", data=change)
        transaction.on_commit(forget)


def clear_override(name: str, org: Org, *, request: HttpRequest | None = None, person: Person | None = None) -> None:
    """Let percentage and setting decide for the org again, and record who did it. Nothing happens without one."""
    default_of(name)
    with transaction.atomic():
        override = FlagOverride.objects.select_for_update().filter(name=name, org=org).first()
        if override is None:
            return
        override.delete()
        change = {"is_on": [override.is_on, None]}
        record(
            Action.FLAG_OVERRIDE_CLEARED, request=request, org=org, person=person, target=f"flag:{name}", data=change
        )
        transaction.on_commit(forget)
