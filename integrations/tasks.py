"""Late work of integrations: what arrived becomes messages (the kind `intake`), and what is kept too long goes."""

import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import CharField, Exists, OuterRef
from django.db.models.functions import Cast
from django.utils import timezone

from conversations import intake, learning, media, rows
from conversations.models import MediaAsset, Number
from conversations.ports import Event, Incoming, LinkUpdate, PairingCode, Unreadable
from integrations.models import Quarantine
from integrations.whatsapp import connect, wire
from orgs import ingest
from orgs.context import each_org, in_org
from orgs.models import Due, Org, Received
from orgs.models.queue import LIVE
from sdr.lib import jobs, metrics

TRIES = 8  # pauses of 2, 4 … 128 s between them: about four minutes, then a person should look
LOSSES = 16  # runs whose process was killed: by this body, or while it happened to be there
POLICY = jobs.Policy(limit=timedelta(seconds=30), attempts=TRIES + 2, losses=LOSSES + 2)
NUMBER_POLICY = jobs.Policy(limit=timedelta(seconds=120), attempts=14)  # about an hour of trying
FORMER = "former_secret"  # in a Received's context: the sender still uses a secret that is being given up
FILES = "files"  # in a Received's context: {message id: name in the default storage}
FILES_LEFT_AFTER = timedelta(days=1)  # a file whose message was not stored, or was there already
ORPHANS_AFTER = timedelta(minutes=5)

logger = logging.getLogger("sdr.intake")


@jobs.kind(ingest.KIND, slots=20, share=10, policy=POLICY)
def take_in(work: jobs.Work) -> None:
    """Turn one Received into what it says, and delete it in the same transaction: both happen, or neither.

    What nobody can read, and what fails again and again, goes into the org's Quarantine. Runs inside the org.
    """
    try:
        with transaction.atomic():
            # Locked: a run that lost its lease and still writes must not meet the next one.
            locked = "WHERE t.id = %s AND t.org_id = %s FOR UPDATE"
            received = rows.first(Received, locked, [int(work.ref), work.org_id])
            if received is None:
                return
            apply(received, attempt=work.attempt, losses=work.row.losses)
            received.delete()
    except intake.Parked as parked:
        parked.hold()
        Due.objects.want(work.org_id, ingest.KIND, work.ref, at=parked.until, priority=LIVE, context=work.row.context)


@jobs.kind("number", slots=12, share=4, policy=NUMBER_POLICY)
async def connect_number(work: jobs.Work) -> None:
    """Do at the Evolution server what is wanted of a number."""
    await jobs.follow(connect.carry_out(int(work.ref)), work)


def apply(received: Received, *, attempt: int, losses: int = 0) -> None:
    """Do what the body says. Raises Parked, and whatever keeps us from doing it before the last attempt."""
    number = rows.first(Number, "WHERE t.id = %s", [received.number_id])
    if number is None:
        keep(received, Quarantine.Reason.NUMBER_GONE)
        return
    if attempt > TRIES or losses > LOSSES:
        keep(received, Quarantine.Reason.FAILED, detail=f"not read in {attempt - 1 + losses} tries")
        return
    body = json.loads(received.body)
    try:
        events = wire.parse(body, own_jid=number.own_jid)
    except Unreadable as unreadable:
        keep(received, Quarantine.Reason.UNREADABLE, detail=str(unreadable))
        return
    is_former = connect.is_former(number, body)
    for event in events:
        if is_former and isinstance(event, LinkUpdate | PairingCode):
            continue
        if isinstance(event, PairingCode):
            connect.note_code(number, event)
            continue
        intake.handle(number, with_file(event, received.context.get(FILES, {})), received_at=received.received_at)
    is_proof = not is_former and FORMER not in received.context
    connect.note_heard(number, received_at=received.received_at, is_proof=is_proof)


def keep(received: Received, reason: Quarantine.Reason, *, detail: str = "") -> None:
    """Quarantine what was received. Its embedded files go a day later."""
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


def with_file(event: Event, files: Mapping[str, str]) -> Event:
    """The message with the place of the content that the door cut out of its body, if it did."""
    if not isinstance(event, Incoming) or event.media is None or event.provider_id not in files:
        return event
    return replace(event, media=replace(event.media, kept=files[event.provider_id]))


def incoming_folder(org_id: int) -> str:
    """Where files wait for their message: inside the org's media folder, so that they go when the org goes."""
    return f"{org_id}/incoming"


def prune() -> dict[str, int]:
    """Scheduled hourly: drop old quarantine, news and files nobody came for, mend the queue. Out: how many of each."""
    now = timezone.now()
    counts = {"quarantine": 0, "pending": 0, "files": 0, "orphans": 0, "woken": 0}
    for org in each_org():
        try:
            with in_org(org):
                counts["quarantine"] += Quarantine.objects.prune(now)
                counts["pending"] += intake.prune_pending(now)
                counts["files"] += prune_files(org, now) + media.sweep(org, now) + learning.sweep(org, now)
        except Exception:
            logger.exception("an org could not be pruned", extra={"org_id": org.pk})
    counts["orphans"] = Received.objects.exclude(org_id__in=Org.objects.values("pk")).delete()[0]
    counts["woken"] = wake_forgotten(now)
    return counts


def prune_files(org: Org, now: datetime) -> int:
    """Inside the org: delete files older than a day that no message has."""
    folder = incoming_folder(org.pk)
    try:
        _, found = default_storage.listdir(folder)
    except FileNotFoundError:
        return 0
    names = [f"{folder}/{name}" for name in found]
    old = [name for name in names if default_storage.get_modified_time(name) < now - FILES_LEFT_AFTER]
    taken = set(MediaAsset.objects.filter(path__in=old).values_list("path", flat=True))
    for name in set(old) - taken:
        default_storage.delete(name)
    return len(old) - len(taken)


def wake_forgotten(now: datetime) -> int:
    """A Received without a Due row cannot be, as one statement writes both; if it ever is, it is wanted again here."""
    due = Due.objects.filter(kind=ingest.KIND, org_id=OuterRef("org_id"), ref=Cast(OuterRef("pk"), CharField()))
    forgotten = Received.objects.filter(~Exists(due), received_at__lt=now - ORPHANS_AFTER).values_list("org_id", "pk")
    for org_id, pk in forgotten:
        logger.error("a webhook had been forgotten", extra={"received_id": pk})
        Due.objects.want(org_id, ingest.KIND, pk, priority=LIVE)
    return len(forgotten)
