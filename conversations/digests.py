"""A summary of each day and each week, by e-mail, at the hour each member wants, on their own clock (PRODUCT 3).

Days begin and end at the member's midnight, so that one with a change of clocks has 23 or 25 hours. A row of
`Notification` says that a summary has been made: its constraint lets nobody send it twice, and one that would be empty
is remembered as well. A summary that is late by an outage is made up for until the next one is due.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.urls import reverse
from django.utils import timezone, translation

from conversations import wording
from conversations.access import MAY_ANSWER, theirs
from conversations.models import Conversation, Message, Qualification
from conversations.news import settings_url
from orgs import bell, mail, notifications
from orgs.models import Due, Membership, Notification, NotificationKind, NotificationSettings
from orgs.models.notification import MORNING
from orgs.models.queue import CALM

KIND = "digest"
LISTED = 5

# Who is due a summary at that moment, on their own clock: the hour has come, and it is not made yet. Who joined since
# the period began has not seen it.
DUE = """
SELECT member.org_id, member.id FROM (
    SELECT m.id, m.org_id, m.created_at,
           coalesce(s.daily_digest, TRUE) AS daily, coalesce(s.weekly_digest, TRUE) AS weekly,
           coalesce(s.digest_at, %(morning)s::time) AS hour,
           %(now)s AT TIME ZONE coalesce(nullif(s.time_zone, ''), o.time_zone) AS local,
           coalesce(nullif(s.time_zone, ''), o.time_zone) AS zone
    FROM public.orgs_membership m
    JOIN public.orgs_org o ON o.id = m.org_id AND o.status = 'active'
    JOIN public.orgs_person p ON p.id = m.person_id AND p.is_active
    LEFT JOIN public.orgs_notificationsettings s ON s.membership_id = m.id
    WHERE m.role = ANY(%(roles)s) AND NOT coalesce(s.is_muted, FALSE)
) AS member
WHERE (member.daily AND member.local::time >= member.hour
       AND member.created_at < date_trunc('day', member.local) AT TIME ZONE member.zone
       AND NOT EXISTS (SELECT 1 FROM public.orgs_notification n WHERE n.membership_id = member.id
                       AND n.kind = 'digest' AND n.cause = to_char(member.local, '"day/"YYYY-MM-DD')))
   OR (member.weekly AND member.local >= date_trunc('week', member.local) + member.hour
       AND member.created_at < date_trunc('week', member.local) AT TIME ZONE member.zone
       AND NOT EXISTS (SELECT 1 FROM public.orgs_notification n WHERE n.membership_id = member.id
                       AND n.kind = 'digest' AND n.cause = to_char(member.local, '"week/"IYYY-"W"IW')))
"""


@dataclass(frozen=True)
class Period:
    """What a summary is of: from `first` to the day before `end`, by the member's calendar. `cause` names it."""

    name: str  # day or week
    cause: str
    first: date
    end: date

    def bounds(self, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """Its beginning and end, aware; the end is not part of it."""
        start, end = (datetime.combine(day, time.min, tzinfo=zone) for day in (self.first, self.end))
        return start, end


@dataclass(frozen=True)
class Waiting:
    """A lead who needs a person: why, on which number, since when, and where. No name: it goes into an e-mail."""

    reason: str
    number: str
    since: datetime
    url: str


@dataclass(frozen=True)
class Digest:
    """What happened in a period to the leads a member may see, and who waits now."""

    answered: int
    qualified: int
    needing: int
    waiting: list[Waiting]

    @property
    def is_empty(self) -> bool:
        return not (self.answered or self.qualified or self.needing)


def call(now: datetime | None = None) -> int:
    """Have summaries made for whom they are due. Scheduled every five minutes, outside any org. Out: for how many.

    One statement over public tables. In: `now`, aware.
    """
    with connection.cursor() as cursor:
        cursor.execute(DUE, {
            "now": now or timezone.now(), "morning": MORNING.isoformat(), "roles": [str(role) for role in MAY_ANSWER],
        })  # fmt: skip
        due = cursor.fetchall()
    for org_id, membership_id in due:
        Due.objects.want(org_id, KIND, membership_id, priority=CALM)
    if due:
        bell.ring()
    return len(due)


def send(membership_id: int, now: datetime | None = None) -> list[str]:
    """Make the summaries that are due for a member. Call inside the org. Out: causes of those that were sent.

    Each in one transaction with the row that says so: whoever runs it how often, one e-mail. Quiet hours are waited
    for: the next call asks again.
    """
    now = now or timezone.now()
    found = Membership.objects.select_related("person", "org").filter(
        pk=membership_id,
        person__is_active=True,
        role__in=MAY_ANSWER,
        org_id=connection.tenant.pk,  # type: ignore[attr-defined]
    )
    member = found.first()
    if member is None or not member.org.is_open:
        return []
    own = notifications.settings_of(member)
    if own.is_muted or own.quiet_over(now) is not None:
        return []
    return [period.cause for period in periods(own, now) if send_one(member, own, period)]


def periods(own: NotificationSettings, now: datetime) -> list[Period]:
    """The day and the week of which a summary may be sent at `now`; whether it was is the row's to know."""
    local = now.astimezone(own.zone())
    today = local.date()
    monday = today - timedelta(days=today.weekday())
    joined = own.membership.created_at.astimezone(own.zone()).date()
    year, week, _ = today.isocalendar()
    found = []
    if own.daily_digest and local.time() >= own.digest_at and joined < today:
        found.append(Period("day", f"day/{today.isoformat()}", today - timedelta(days=1), today))
    is_week_due = today > monday or local.time() >= own.digest_at
    if own.weekly_digest and is_week_due and joined < monday:
        found.append(Period("week", f"week/{year}-W{week:02}", monday - timedelta(days=7), monday))
    return found


@transaction.atomic
def send_one(member: Membership, own: NotificationSettings, period: Period) -> bool:
    """Send the summary of a period unless it was made; an empty one is made and not sent. Out: whether it was sent."""
    pk = notifications.make(member, NotificationKind.DIGEST, period.cause)
    if pk is None:
        return False
    person = member.person
    with translation.override(person.language), timezone.override(own.zone()):
        digest = of(member, period, own.zone())
        Notification.objects.filter(pk=pk).update(
            data={"answered": digest.answered, "qualified": digest.qualified, "needing": digest.needing}
        )
        if digest.is_empty:
            return False
        mail.send(
            f"conversations/mail/digest_{period.name}", to=person.email, language=person.language, org=member.org,
            person=person, context={
                "digest": digest, "first": period.first, "last": period.end - timedelta(days=1),
                "url": mail.absolute_url(reverse("conversations:inbox", kwargs={"slug": member.org.slug})),
                "settings_url": settings_url(member),
            },
        )  # fmt: skip
    return True


def of(member: Membership, period: Period, zone: ZoneInfo) -> Digest:
    """What happened, as the rows say: leads who got an answer, who became qualified, and who needs a person now.

    Test leads count nowhere. Call inside the org, in the member's language. Four queries.
    """
    start, end = period.bounds(zone)
    seen = Conversation.objects.filter(theirs(member), contact__is_test=False)
    ours = Message.objects.filter(
        conversation__in=seen.filter(last_message_at__gte=start), author__in=[Message.Author.AI, Message.Author.PERSON],
        state=Message.State.SENT, sent_at__gte=start, sent_at__lt=end,
    )  # fmt: skip
    needing = seen.filter(needs_person_since__isnull=False).exclude(lifecycle=Conversation.Lifecycle.CLOSED)
    rows = needing.select_related("number").order_by("needs_person_since", "pk")[:LISTED]
    return Digest(
        answered=ours.values("conversation_id").distinct().count(),
        qualified=Qualification.objects.filter(conversation__in=seen, told_at__gte=start, told_at__lt=end).count(),
        needing=needing.count(),
        waiting=[
            Waiting(
                reason=wording.need(row.needs_reason),
                number=row.number.name,
                since=row.needs_person_since or end,
                url=mail.absolute_url(
                    reverse("conversations:conversation", kwargs={"slug": member.org.slug, "pk": row.pk})
                ),
            )
            for row in rows
        ],
    )
