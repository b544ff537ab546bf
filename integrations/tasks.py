"""Late work of integrations: what arrived becomes messages (the kind `intake`), and what is kept too long goes."""

import json
import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone

from conversations import intake
from conversations.models import Number
from conversations.ports import Unreadable
from integrations.models import Quarantine
from integrations.whatsapp import wire
from orgs import ingest
from orgs.context import each_org, in_org
from orgs.models import Due, Org, Received
from orgs.models.queue import LIVE
from sdr.lib import jobs, metrics

TRIES = 8  # pauses of 2, 4 … 128 s between them: about four minutes, then a person should look
POLICY = jobs.Policy(limit=timedelta(seconds=30), attempts=TRIES + 2)
FILES = "files"  # in a Received's context: {message id: name in the default storage}
FILES_LEFT_AFTER = timedelta(days=1)  # a file whose webhook never got stored
ORPHANS_AFTER = timedelta(minutes=5)

logger = logging.getLogger("sdr.intake")


@jobs.kind(ingest.KIND, slots=20, share=10, policy=POLICY)
def take_in(work: jobs.Work) -> None:
    """Turn one Received into what it says, and delete it in the same transaction: both happen, or neither.

    What nobody can read, and what fails again and again, goes into the org's Quarantine. Runs inside the org.
    """
    files: Iterable[str] = ()
    try:
        with transaction.atomic():
            # Locked: a run that lost its lease and still writes must not meet the next one.
            received = Received.objects.select_for_update().filter(pk=work.ref, org_id=work.org_id).first()
            if received is None:
                return
            files = received.context.get(FILES, {}).values()
            apply(received, attempt=work.attempt)
            received.delete()
    except intake.Parked as parked:
        Due.objects.want(work.org_id, ingest.KIND, work.ref, at=parked.until, priority=LIVE, context=work.row.context)
        return
    for name in files:
        default_storage.delete(name)


def apply(received: Received, *, attempt: int) -> None:
    """Do what the body says. Raises Parked, and whatever keeps us from doing it before the last attempt."""
    number = Number.objects.filter(pk=received.number_id).first()
    if number is None:
        keep(received, Quarantine.Reason.NUMBER_GONE)
        return
    if attempt > TRIES:  # counted when claimed: also runs that killed their process
        keep(received, Quarantine.Reason.FAILED, detail=f"not read in {TRIES} tries")
        return
    try:
        events = wire.parse(json.loads(received.body), own_jid=number.own_jid, files=load_files(received))
    except Unreadable as unreadable:
        keep(received, Quarantine.Reason.UNREADABLE, detail=str(unreadable))
        return
    for event in events:
        intake.handle(number, event, received_at=received.received_at)


def keep(received: Received, reason: Quarantine.Reason, *, detail: str = "") -> None:
    """Quarantine what was received. Its embedded files are not kept."""
    logger.warning("a webhook went into quarantine", extra={"reason": reason.value, "number_id": received.number_id})
    metrics.incr("webhook_quarantined", reason=reason.value)
    Quarantine.objects.keep(
        received.number_id,
        received.body.encode(),
        reason=reason,
        detail=detail,
        context={name: value for name, value in received.context.items() if name != FILES},
        received_at=received.received_at,
    )


def load_files(received: Received) -> dict[str, bytes]:
    """The contents that the door cut out of the body, by message id. One that is gone is fetched from the provider."""
    found = {}
    for message_id, name in received.context.get(FILES, {}).items():
        try:
            with default_storage.open(name) as file:
                found[message_id] = file.read()
        except FileNotFoundError:
            logger.warning("an embedded file is gone", extra={"number_id": received.number_id})
    return found


def incoming_folder(org_id: int) -> str:
    """Where files wait for their message: inside the org's media folder, so that they go when the org goes."""
    return f"{org_id}/incoming"


def prune() -> dict[str, int]:
    """Scheduled hourly: drop old quarantine and files nobody came for, and mend the queue. Out: how many of each."""
    now = timezone.now()
    counts = {"quarantine": 0, "files": 0, "orphans": 0, "woken": 0}
    for org in each_org():
        try:
            with in_org(org):
                counts["quarantine"] += Quarantine.objects.prune(now)
            counts["files"] += prune_files(org, now)
        except Exception:
            logger.exception("an org could not be pruned", extra={"org_id": org.pk})
    counts["orphans"] = Received.objects.exclude(org_id__in=Org.objects.values("pk")).delete()[0]
    counts["woken"] = wake_forgotten(now)
    return counts


def prune_files(org: Org, now: datetime) -> int:
    folder = incoming_folder(org.pk)
    try:
        _, names = default_storage.listdir(folder)
    except FileNotFoundError:
        return 0
    old = [name for name in names if default_storage.get_modified_time(f"{folder}/{name}") < now - FILES_LEFT_AFTER]
    for name in old:
        default_storage.delete(f"{folder}/{name}")
    return len(old)


def wake_forgotten(now: datetime) -> int:
    """A Received without a Due row cannot be, as one statement writes both; if it ever is, it is wanted again here."""
    wanted = set(Due.objects.filter(kind=ingest.KIND).values_list("ref", flat=True))
    rows: Any = Received.objects.filter(received_at__lt=now - ORPHANS_AFTER).only("org_id", "context")
    forgotten = [row for row in rows if str(row.pk) not in wanted]
    for row in forgotten:
        logger.error("a webhook had been forgotten", extra={"received_id": row.pk})
        Due.objects.want(row.org_id, ingest.KIND, row.pk, priority=LIVE)
    return len(forgotten)
