"""Who is told, once, and by which ways: `notify` writes rows in the transaction of what people are told of (PRODUCT 3).

The rows name things by id; the app that owns the things words them when they are shown or sent (`conversations.news`).
What leaves the app is late work, one row per person and channel: what comes close together leaves together, quiet hours
are waited for, and whatever was read meanwhile stays here.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from orgs import bell
from orgs.models import (
    Channel,
    Due,
    Membership,
    Notification,
    NotificationDelivery,
    NotificationSettings,
    PushSubscription,
)
from orgs.models.queue import NORMAL

KIND = "notify"
KEPT_FOR = timedelta(days=90)
PRUNE_ROWS = 5_000
GATHERED_FOR: Mapping[str, timedelta] = {  # between two e-mails and the like to one person
    Channel.EMAIL: timedelta(minutes=10),
}

# Of the members given, who is told for the first time.
INSERT = """
INSERT INTO public.orgs_notification
       (membership_id, kind, cause, conversation_id, number_id, data, in_app, created_at, read_at)
SELECT told.id, %(kind)s, %(cause)s, %(conversation)s, %(number)s, %(data)s::jsonb, told.in_app, %(now)s, NULL
FROM unnest(%(members)s::bigint[], %(shown)s::boolean[]) AS told(id, in_app)
JOIN public.orgs_membership m ON m.id = told.id
ORDER BY told.id
ON CONFLICT DO NOTHING
RETURNING membership_id, id
"""


def notify(
    kind: str,
    cause: str,
    *,
    to: Collection[Membership],
    conversation_id: int | None = None,
    number_id: int | None = None,
    data: Mapping[str, Any] | None = None,
) -> list[Membership]:
    """Tell these members of one org, in the current transaction: once for each `cause`, whoever calls how often.

    In: `cause` names what happened, the same for everybody (≤ 80 characters); `data` holds codes and ids, no lead's
    words; that they may see what it is about is the caller's to know. Out: who is told now; nobody who is muted, wants
    nothing of this kind, or was told before.
    """
    chosen = {member.pk: member for member in to}
    ways = {pk: channels for pk, channels in channels_of(chosen.values(), kind).items() if channels}
    if not ways:
        return []
    shown = {pk: Channel.IN_APP in ways[pk] for pk in sorted(ways)}
    made = insert(kind, cause, shown, conversation_id=conversation_id, number_id=number_id, data=data or {})
    send_out(chosen, {pk: ways[pk] - {Channel.IN_APP} for pk in made}, made)
    for pk in made:
        tell_page(chosen[pk])
    return [chosen[pk] for pk in shown if pk in made]


def make(member: Membership, kind: str, cause: str) -> int | None:
    """Note, in the current transaction, that the member is told of this; it is not shown and not sent from here.

    Out: the new row's id, None when it was noted before; whoever notes the same at this moment is waited for.
    """
    return insert(kind, cause, {member.pk: False}, conversation_id=None, number_id=None, data={}).get(member.pk)


def insert(
    kind: str,
    cause: str,
    shown: Mapping[int, bool],
    *,
    conversation_id: int | None,
    number_id: int | None,
    data: Mapping[str, Any],
) -> dict[int, int]:
    """New rows for these memberships; `shown`: whether in the app. Out: the ids of new ones, by membership id."""
    with connection.cursor() as cursor:
        cursor.execute(INSERT, {
            "kind": kind, "cause": cause, "conversation": conversation_id, "number": number_id,
            "data": json.dumps(dict(data)), "members": list(shown), "shown": list(shown.values()),
            "now": timezone.now(),
        })  # fmt: skip
        return dict(cursor.fetchall())


def channels_of(members: Iterable[Membership], kind: str) -> dict[int, frozenset[str]]:
    """By which channels that reach them these members are told of the kind, by membership id. Two queries."""
    person_of = {member.pk: member.person_id for member in members}
    own = NotificationSettings.objects.in_bulk(person_of)
    pushed = set(PushSubscription.objects.filter(person_id__in=person_of.values()).values_list("person_id", flat=True))
    return {
        pk: own.get(pk, NotificationSettings(membership_id=pk)).channels_of(kind)
        - (frozenset() if person in pushed else {Channel.PUSH})
        for pk, person in person_of.items()
    }


def send_out(members: Mapping[int, Membership], ways: Mapping[int, frozenset[str]], made: Mapping[int, int]) -> None:
    """Have them sent by the channels outside the app, as soon as is polite."""
    rows = [
        NotificationDelivery(notification_id=made[pk], membership_id=pk, channel=channel)
        for pk, channels in ways.items()
        for channel in sorted(channels)
    ]
    if not rows:
        return
    NotificationDelivery.objects.bulk_create(rows)
    for row in rows:
        want(members[row.membership_id], row.channel, at=polite_time(members[row.membership_id], row.channel))
    bell.ring()


def want(member: Membership, channel: str, *, at: datetime) -> None:
    """Have what waits for the member sent by the channel at that time; in a transaction, before `bell.ring`."""
    Due.objects.want(member.org_id, KIND, f"{member.pk}/{channel}", at=at, priority=NORMAL)


def polite_time(member: Membership, channel: str, now: datetime | None = None) -> datetime:
    """When the channel may be used next: not in quiet hours, and not so soon after the last time. Two queries."""
    now = now or timezone.now()
    own = settings_of(member)
    last = (
        NotificationDelivery.objects.filter(
            membership=member, channel=channel, state=NotificationDelivery.State.SENT, ended_at__gt=now - KEPT_FOR
        )
        .order_by("-ended_at")
        .values_list("ended_at", flat=True)
        .first()
    )
    gathered = now if last is None else max(now, last + GATHERED_FOR.get(channel, timedelta()))
    return own.quiet_over(gathered) or gathered


def settings_of(member: Membership) -> NotificationSettings:
    """How the member wants to be told; an unsaved row of the usual when they have not said. One query."""
    own = NotificationSettings.objects.filter(pk=member.pk).first() or NotificationSettings(membership_id=member.pk)
    own.membership = member
    return own


def tell_page(member: Membership) -> None:
    """The member's open pages ask anew how many are unread, once the current transaction has committed. No query."""
    bell.tell(member.org_id, -member.pk)


def mark_read(member: Membership, *, pks: Collection[int] | None = None, conversation_id: int | None = None) -> int:
    """The member has read these notifications (or those of a conversation, or all). Safe to repeat. Out: how many."""
    unread = Notification.objects.filter(membership=member, read_at=None)
    if pks is not None:
        unread = unread.filter(pk__in=pks)
    if conversation_id is not None:
        unread = unread.filter(conversation_id=conversation_id)
    count = unread.update(read_at=timezone.now())
    if count:
        tell_page(member)
    return count


def prune() -> int:
    """Delete what is older than KEPT_FOR, at most PRUNE_ROWS; with their deliveries. How many rows."""
    old = Notification.objects.filter(created_at__lt=timezone.now() - KEPT_FOR)
    return Notification.objects.filter(
        pk__in=list(old.order_by("pk").values_list("pk", flat=True)[:PRUNE_ROWS])
    ).delete()[0]
