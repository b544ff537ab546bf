"""What nobody could use: another chance, once what refused it is mended, or none. Nobody sees its bodies."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from conversations.models import Number
from conversations.ports import Unreadable
from integrations.models import Quarantine
from integrations.whatsapp import wire
from integrations.whatsapp.webhook import compact, keep_files
from orgs import ingest
from orgs.audit import Action, record
from orgs.context import in_org
from orgs.models import ChannelAddress, Org, Person
from sdr.lib import metrics

READ_BACK = "read_back"  # in a row's context: the provider's id of a message that no webhook brought
READ_BACK_DETAIL = "Found by reading back, and not to be stored."


def keep_unstored(number_id: int, provider_id: str, record: Mapping[str, Any]) -> bool:
    """Keep a message that was read back and cannot be stored, as the webhook that was lost. Inside the org.

    In: `record` as the provider keeps it. Out: whether it is new here: a message is read back again and again, and kept
    once in 30 days, whoever reads at the same time (the number's row is the lock). The plug of
    `settings.SDR_QUARANTINE`.
    """
    stripped = wire.strip({"event": "messages.upsert", "data": dict(record)})
    with transaction.atomic():
        Number.objects.select_for_update(no_key=True).filter(pk=number_id).first()
        known = Quarantine.objects.filter(number_id=number_id, context__contains={READ_BACK: provider_id})
        if known.exists():
            return False
        Quarantine.objects.keep(
            number_id, compact(stripped.body).encode(), reason=Quarantine.Reason.FAILED, detail=READ_BACK_DETAIL,
            context={READ_BACK: provider_id},
        )  # fmt: skip
    metrics.incr("webhook_quarantined", reason=Quarantine.Reason.FAILED.value)
    return True


@dataclass
class Replayed:
    """What became of them: queued again; read and found to hold nothing for us; still not to be used."""

    queued: int = 0
    ignored: int = 0
    refused: int = 0


def replay(org: Org, *, reason: str = "", pk: int | None = None, person: Person | None = None) -> Replayed:
    """Read what the org's quarantine holds as the door reads it, and queue it; recorded once. The oldest go first.

    In: `reason` of `Quarantine.Reason` or one row's `pk`, all by default; `person` who does it, None on the command
    line. What was replayed before is left out, and a message that is there already is not stored again (intake tells by
    its id).
    """
    counts = Replayed()
    with in_org(org):
        waiting = Quarantine.objects.filter(replayed_at=None, is_whole=True).order_by("received_at", "pk")
        if reason:
            waiting = waiting.filter(reason=reason)
        if pk is not None:
            waiting = waiting.filter(pk=pk)
        addresses = dict(ChannelAddress.objects.filter(org=org).values_list("number_id", "pk"))
        for one in waiting.values_list("pk", flat=True):
            replay_one(org, one, addresses=addresses, counts=counts)
    if counts.queued or counts.ignored:
        data = {"queued": counts.queued, "ignored": counts.ignored, "refused": counts.refused}
        record(Action.QUARANTINE_REPLAYED, org=org, person=person, target=f"org:{org.pk}", data=data)
    return counts


@transaction.atomic
def replay_one(org: Org, pk: int, *, addresses: dict[int, int], counts: Replayed) -> None:
    """One row, whoever else replays at the same time. Inside the org."""
    one = Quarantine.objects.select_for_update(skip_locked=True).filter(pk=pk, replayed_at=None).first()
    if one is None:
        return
    address_id = addresses.get(one.number_id)
    if address_id is None:
        counts.refused += 1
        return
    try:
        stripped = wire.strip(wire.load(bytes(one.body)), is_loaded=True)
    except Unreadable:
        counts.refused += 1
        return
    if stripped.ignored:
        counts.ignored += 1
    else:
        context = {name: told for name, told in one.context.items() if name != READ_BACK}
        arrival = ingest.Arrival(
            org_id=org.pk, address_id=address_id, number_id=one.number_id, dedupe_key=f"replay:{one.pk}",
            body=compact(stripped.body), context=context,
        )  # fmt: skip
        ingest.put_now(keep_files(arrival, stripped.files) if stripped.files else arrival)
        counts.queued += 1
    one.replayed_at = timezone.now()
    one.save(update_fields=["replayed_at"])


def dismiss(org: Org, pk: int, *, person: Person) -> bool:
    """Throw one away for good; recorded with it, without its content. Inside the org. Out: False when it had gone."""
    with transaction.atomic():
        one = Quarantine.objects.select_for_update().defer("body").filter(pk=pk, replayed_at=None).first()
        if one is None:
            return False
        data = {"reason": one.reason, "number_id": one.number_id, "received_at": one.received_at.isoformat()}
        one.delete()
        record(Action.QUARANTINE_DISMISSED, org=org, person=person, target=f"quarantine:{pk}", data=data)
    return True


def counts_of(org: Org) -> dict[str, int]:
    """How many wait in the org's quarantine, by reason; those replayed are left out."""
    with in_org(org):
        found = Quarantine.objects.filter(replayed_at=None).values_list("reason", flat=True)
        reasons = list(found)
    return {reason: reasons.count(reason) for reason in sorted(set(reasons))}
