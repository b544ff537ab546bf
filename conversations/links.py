"""A number's connection: what is told of it, what is asked, and whom a loss concerns (PRODUCT 2; evolution.md 4.3).

News come late, in any order, thirteen a second or never; so equal ones cost nothing, and every number is asked for
once a minute. Who must know that a number is lost is told once, when it has not come back by itself in two minutes.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from conversations.access import members_who_answer
from conversations.models import Number
from conversations.ports import LinkState, LinkUpdate, Transport
from orgs import bell, notifications
from orgs.models import Due, Membership, NotificationKind, Org, Role
from orgs.models.queue import CALM, LIVE
from sdr.lib import metrics, phone
from sdr.lib.errors import PortError
from sdr.lib.jobs import Steps

LOOK_AFTER = timedelta(seconds=3)  # news that it is not open are checked so soon
LOOK_AGAIN = timedelta(seconds=30)  # while it connects
LOOK_EVERY = timedelta(seconds=60)  # so late a loss is noticed of which no webhook told
REOPENED_AFTER = timedelta(seconds=30)  # an "open" so long after the last one is another connection
ALERT_AFTER = timedelta(minutes=2)  # a short loss mends itself
READ_AGAIN = timedelta(minutes=10)  # before `read_until`: what was stored late, and short drops nobody told us of
NEWS_LATE = timedelta(minutes=1)  # so much later than a connection changed may be our time of it
BACK_AFTER = timedelta(minutes=1)  # and one that goes on and off is one loss
WANTED = frozenset({Number.Intent.LOGOUT, Number.Intent.REMOVE})


def change(number: Number, update: LinkUpdate) -> None:
    """The number's connection is as told. Call inside a transaction; equal news write nothing.

    What is not open is asked for soon after. Becoming open, with another phone than the declared one, switches the AI
    off on the number (evolution.md 8.23).
    """
    if is_known(number, update):
        if update.state != LinkState.OPEN:
            look_soon(number.pk)
        return
    number = Number.objects.select_for_update().get(pk=number.pk)
    if number.removed_at is not None:
        return
    if update.state != LinkState.OPEN:
        look_soon(number.pk)
    if is_known(number, update):
        return
    was_open, now = number.is_open, timezone.now()
    closed_at = max(number.state_at, number.code_at or number.state_at)
    number.state, number.state_at, number.reason = update.state, now, update.reason
    fields = ["state", "state_at", "reason", "mode", "trouble"]
    if update.state == LinkState.OPEN:
        fields += open_up(number, update, closed_at=closed_at)
    elif was_open and number.intent not in WANTED and number.lost_at is None:
        number.lost_at = now
        fields.append("lost_at")
        want("alert", number.pk, after=ALERT_AFTER)
    number.save(update_fields=fields)
    metrics.incr("sdr_number_changes", state=update.state.value)


def is_known(number: Number, update: LinkUpdate) -> bool:
    """Whether the row says so already."""
    if update.state != number.state:
        return False
    if update.state != LinkState.OPEN:
        return True
    is_recent = number.opened_at is not None and number.opened_at > timezone.now() - REOPENED_AFTER
    return is_recent and update.own_jid in {"", number.own_jid}


def open_up(number: Number, update: LinkUpdate, *, closed_at: datetime) -> list[str]:
    """What being connected means for the locked row; `closed_at`: when we last heard that it was not.

    What came before we were connected is none of our business. But news of it come late, and what leads wrote before
    they came may have been lost: it is read from the earliest moment at which it can have opened. Out: the fields that
    changed.
    """
    number.opened_at, number.reason = timezone.now(), None
    if number.read_until is None:
        earliest = max(number.created_at, closed_at - NEWS_LATE, number.opened_at - READ_AGAIN)
        number.read_until = earliest + READ_AGAIN
    number.code, number.code_at, number.pairing_until = "", None, None
    if update.own_jid:
        number.own_jid = update.own_jid
        paired = phone.canonical(update.own_jid.partition("@")[0].partition(":")[0]) or ""
        if number.phone and paired and paired != (phone.canonical(number.phone) or number.phone):
            number.mode, number.trouble = Number.Mode.OFF, "other_phone"
        else:
            number.phone = number.phone or paired
            number.trouble = "" if number.trouble == "other_phone" else number.trouble
    if number.alerted_at is not None:
        want("alert", number.pk, after=BACK_AFTER)
    else:
        number.lost_at = None
    want("wake", number.pk)
    want("gaps", number.pk)  # what was said meanwhile: webhooks of it may have been lost
    return ["opened_at", "read_until", "code", "code_at", "pairing_until", "own_jid", "phone", "lost_at"]


# --- Asking ---------------------------------------------------------------------------------------------------------
def look(number_id: int) -> Steps[None]:
    """Ask the provider how the number is connected, and believe it. Outside any transaction.

    A provider that does not answer is remembered, and people are told as of a loss.
    """
    number = Number.objects.filter(pk=number_id, removed_at=None).first()
    if number is None or not number.instance:
        return
    asked_at = timezone.now()
    try:
        state = yield transport_of(number).state
    except PortError:
        note_unreachable(number)
        return
    with transaction.atomic():
        number = Number.objects.select_for_update().get(pk=number_id)
        note_reachable(number)
        if number.state_at > asked_at:  # there was news while we asked: which of the two is older, nobody knows
            want("look", number.pk, after=LOOK_AFTER)
            return
        if state != number.state:
            change(number, LinkUpdate(state, own_jid=number.own_jid))
        if state == LinkState.CONNECTING:
            want("look", number.pk, after=LOOK_AGAIN)


def look_at_all() -> int:
    """Have every number with an instance asked for within the next minute. Scheduled each minute, outside any org.

    One statement over the public addresses: they know all numbers of all orgs. Out: how many were not due anyway.
    """
    with connection.cursor() as cursor:
        cursor.execute(LOOK_AT_ALL, {"seconds": LOOK_EVERY.total_seconds(), "priority": CALM})
        return int(cursor.rowcount)


LOOK_AT_ALL = """
INSERT INTO public.orgs_due
       (org_id, kind, ref, due_at, wanted_since, generation, priority, context, attempts, last_error)
SELECT org_id, 'look', number_id::text, statement_timestamp() + make_interval(secs => random() * %(seconds)s),
       statement_timestamp(), 1, %(priority)s, '{}', 0, ''
FROM public.orgs_channeladdress WHERE instance <> ''
ON CONFLICT (org_id, kind, ref) DO UPDATE SET
    generation = orgs_due.generation + 1, due_at = excluded.due_at, attempts = 0, dead_at = NULL
    WHERE orgs_due.dead_at IS NOT NULL
"""


def look_soon(number_id: int) -> None:
    """Have it asked for, unless somebody will anyway in a moment: a flood of news must not put that off, nor write."""
    soon = timezone.now() + LOOK_AFTER
    is_due = Due.objects.filter(org_id=org().pk, kind="look", ref=str(number_id), dead_at=None, due_at__lte=soon)
    if not is_due.exists():
        want("look", number_id, after=LOOK_AFTER)


def note_unreachable(number: Number) -> None:
    """The provider did not answer: since when, and look again."""
    with transaction.atomic():
        first = Number.objects.filter(pk=number.pk, unreachable_at=None, removed_at=None)
        if first.update(unreachable_at=timezone.now()) and number.is_open:
            want("alert", number.pk, after=ALERT_AFTER)


def note_reachable(number: Number) -> None:
    """The provider answers again. The row must be locked."""
    if number.unreachable_at is None:
        return
    number.unreachable_at = None
    number.save(update_fields=["unreachable_at"])
    if number.alerted_at is not None:
        want("alert", number.pk, after=BACK_AFTER)


def transport_of(number: Number) -> Transport:
    make = import_string(settings.SDR_TRANSPORT)
    found: Transport = make(number)
    return found


# --- Telling --------------------------------------------------------------------------------------------------------
def alert(number_id: int) -> None:
    """Tell owners and administrators that the number is lost, or is back: once for each loss, whoever calls how often.

    The row's lock and `alerted_at` decide; who is told is written in the same transaction.
    """
    with transaction.atomic():
        number = Number.objects.select_for_update().filter(pk=number_id, removed_at=None).first()
        if number is None:
            return
        now = timezone.now()
        since = lost_since(number)
        if since is not None and number.alerted_at is None:
            if now < since + ALERT_AFTER:
                want("alert", number.pk, after=since + ALERT_AFTER - now)
                return
            told = tell(number, "lost", since=since)
            number.alerted_to = [member.person_id for member in told]
            number.alerted_at = now
        elif since is None and number.alerted_at is not None:
            opened = number.opened_at or now
            if now < opened + BACK_AFTER:
                want("alert", number.pk, after=opened + BACK_AFTER - now)
                return
            tell(number, "back", since=number.alerted_at, only=set(number.alerted_to))
            number.alerted_at, number.alerted_to, number.lost_at = None, [], None
        number.save(update_fields=["alerted_at", "alerted_to", "lost_at"])


def lost_since(number: Number) -> datetime | None:
    """Since when nobody can be reached through it, without that having been wanted; None while all is well."""
    return number.unreachable_at if number.is_open else number.lost_at


def tell(number: Number, what: str, *, since: datetime | None, only: set[int] | None = None) -> list[Membership]:
    """Owners and administrators are told that the (locked) number is `what`: lost, or back.

    In: `since`, which names the loss; `only`, ids of people where not all of them are meant. Out: who is told.
    """
    at = since.isoformat() if since is not None else ""
    return notifications.notify(
        NotificationKind.NUMBER, f"{number.pk}/{what}/{at}",
        to=[member for member in steering() if only is None or member.person_id in only],
        number_id=number.pk, data={"what": what, "since": at},
    )  # fmt: skip


def tell_limit(number: Number) -> list[Membership]:
    """Owners and administrators are told, once a day, that the number has sent as much as it may. Out: who is told."""
    return notifications.notify(
        NotificationKind.LIMIT, f"{number.pk}/{number.sent_on or ''}", to=steering(), number_id=number.pk,
        data={"cap": number.daily_cap},
    )  # fmt: skip


def steering() -> list[Membership]:
    """Owners and administrators of the org that is entered."""
    return [member for member in members_who_answer() if member.may(Role.ADMIN)]


# --- Late work ------------------------------------------------------------------------------------------------------
def want(kind: str, number_id: int, *, after: timedelta = timedelta()) -> None:
    """Have the kind run for the number, at once or `after` that time; in the transaction of what makes it necessary."""
    priority = CALM if kind == "look" else LIVE
    Due.objects.want(org().pk, kind, number_id, at=timezone.now() + after if after else None, priority=priority)
    bell.ring()


def org() -> Org:
    """The org that is entered."""
    found: Org = connection.tenant  # type: ignore[attr-defined]  # of django-tenants' backend
    return found
