"""Giving quarantined webhooks another chance, once what refused them is mended; nobody sees their bodies."""

from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from conversations.ports import Unreadable
from integrations.models import Quarantine
from integrations.whatsapp import wire
from integrations.whatsapp.webhook import compact, keep_files
from orgs import ingest
from orgs.audit import Action, record
from orgs.context import in_org
from orgs.models import ChannelAddress, Org, Person


@dataclass
class Replayed:
    """What became of them: queued again; read and found to hold nothing for us; still not to be used."""

    queued: int = 0
    ignored: int = 0
    refused: int = 0


def replay(org: Org, *, reason: str = "", person: Person | None = None) -> Replayed:
    """Read what the org's quarantine holds as the door reads it, and queue it; recorded once. The oldest go first.

    In: `reason` of `Quarantine.Reason`, all by default; `person` who does it, None on the command line. What was
    replayed before is left out, and a message that is there already is not stored again (intake tells by its id).
    """
    counts = Replayed()
    with in_org(org):
        waiting = Quarantine.objects.filter(replayed_at=None, is_whole=True).order_by("received_at", "pk")
        if reason:
            waiting = waiting.filter(reason=reason)
        addresses = dict(ChannelAddress.objects.filter(org=org).values_list("number_id", "pk"))
        for pk in waiting.values_list("pk", flat=True):
            replay_one(org, pk, addresses=addresses, counts=counts)
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
        arrival = ingest.Arrival(
            org_id=org.pk, address_id=address_id, number_id=one.number_id, dedupe_key=f"replay:{one.pk}",
            body=compact(stripped.body), context=one.context,
        )  # fmt: skip
        ingest.put_now(keep_files(arrival, stripped.files) if stripped.files else arrival)
        counts.queued += 1
    one.replayed_at = timezone.now()
    one.save(update_fields=["replayed_at"])


def counts_of(org: Org) -> dict[str, int]:
    """How many wait in the org's quarantine, by reason; those replayed are left out."""
    with in_org(org):
        found = Quarantine.objects.filter(replayed_at=None).values_list("reason", flat=True)
        reasons = list(found)
    return {reason: reasons.count(reason) for reason in sorted(set(reasons))}
