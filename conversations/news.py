"""Notifications in words, and on their way out of the app (`orgs.notifications` has the rows). Call inside the org.

In the app a lead is called by name, as it stands now. What leaves the app carries no name and no word of a lead's: we
could not erase it there.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from conversations import settings_of, summary, wording
from conversations.access import may_see
from conversations.links import lost_since
from conversations.models import Conversation, Number
from conversations.ports import LinkState
from conversations.sending import Hands
from orgs import mail, notifications, push
from orgs.models import (
    Channel,
    Membership,
    Notification,
    NotificationDelivery,
    NotificationKind,
    NotificationSettings,
    Person,
    Role,
)
from sdr.lib.errors import PortError

ICONS: dict[str, str] = {
    NotificationKind.HANDOFF: "alert",
    NotificationKind.HOT: "flame",
    NotificationKind.ASSIGNED: "user",
    NotificationKind.MENTION: "at",
    NotificationKind.NUMBER: "phone",
    NotificationKind.LIMIT: "gauge",
}
LISTED = 20  # in one e-mail; more are counted
SHOWN_ALONE = 3  # pushes at once; of more only the number is shown
NEEDS_SDR = frozenset({NotificationKind.HANDOFF, NotificationKind.HOT, NotificationKind.ASSIGNED})
NEEDS_ADMIN = frozenset({NotificationKind.NUMBER, NotificationKind.LIMIT})


@dataclass(frozen=True)
class News:
    """A notification as people read it. `path` leads to what it is about, "" when that is gone."""

    notification: Notification
    icon: str
    title: str
    detail: str
    path: str

    @property
    def url(self) -> str:
        return mail.absolute_url(self.path)


@dataclass(frozen=True)
class Parcel:
    """What leaves for one member: the notifications, and the ids of their deliveries."""

    member: Membership
    own: NotificationSettings
    rows: list[Notification]
    deliveries: list[int]


@dataclass(frozen=True)
class Pushed:
    """What browsers are to show, and the ids of the deliveries."""

    targets: list[push.Target]
    messages: list[dict[str, str]]
    deliveries: list[int]


@dataclass(frozen=True)
class About:
    """What notifications are about, by id."""

    conversations: dict[int, Conversation]
    numbers: dict[int, Number]
    people: dict[int, str]


def of(rows: Sequence[Notification], member: Membership, *, may_name: bool) -> list[News]:
    """These notifications in the language that is active. In: `may_name`, whether leads may be called by name.

    What is about a conversation that is gone, or not theirs to see any more, says so and leads nowhere. Three queries.
    """
    about = gather(rows, member)
    return [word(row, about, member.org.slug, may_name=may_name) for row in rows]


def gather(rows: Iterable[Notification], member: Membership) -> About:
    rows = list(rows)
    conversations = Conversation.objects.select_related("contact", "number").filter(
        pk__in={row.conversation_id for row in rows if row.conversation_id is not None}
    )
    people = {row.data["by"] for row in rows if row.data.get("by")}
    return About(
        {one.pk: one for one in conversations if may_see(member, one)},
        Number.objects.in_bulk({row.number_id for row in rows if row.number_id is not None}),
        dict(Person.objects.filter(pk__in=people).values_list("pk", "name")) if people else {},
    )


def word(row: Notification, about: About, slug: str, *, may_name: bool) -> News:
    """One notification in words."""
    icon = ICONS.get(row.kind, "info")
    if row.number_id is not None:
        number = about.numbers.get(row.number_id)
        if number is None or number.removed_at is not None:
            return News(row, icon, str(row.get_kind_display()), _("The number has been removed."), "")
        title, detail = about_number(row, number)
        return News(row, icon, title, detail, reverse("numbers:show", kwargs={"slug": slug, "pk": number.pk}))
    conversation = about.conversations.get(row.conversation_id or 0)
    if conversation is None:
        return News(row, icon, str(row.get_kind_display()), _("It is not here any more, or not yours to see."), "")
    path = reverse("conversations:conversation", kwargs={"slug": slug, "pk": conversation.pk})
    title, detail = about_lead(row, conversation, about, may_name=may_name)
    return News(row, icon, title, detail, path)


def about_lead(row: Notification, conversation: Conversation, about: About, *, may_name: bool) -> tuple[str, str]:
    """Title and detail of what is about a lead."""
    number = conversation.number.name
    by = about.people.get(row.data.get("by") or 0, "")
    named = {"name": str(conversation.contact), "number": number}
    match row.kind:
        case NotificationKind.HOT:
            title = _("%(name)s is qualified") if may_name else _("A lead on “%(number)s” is qualified")
            detail = _("Somebody should arrange the meeting.")
        case NotificationKind.ASSIGNED:
            title = _("%(name)s is yours now") if may_name else _("A lead on “%(number)s” is yours now")
            detail = _("Given to you by %(person)s.") % {"person": by} if by else _("It was your turn.")
        case NotificationKind.MENTION:
            title = _("You are called in a note about %(name)s") if may_name else _("You are called in a note")
            detail = _("Written by %(person)s.") % {"person": by} if by else ""
        case _:
            title = _("%(name)s needs a person") if may_name else _("A lead on “%(number)s” needs a person")
            detail = f"{wording.need(row.data.get('reason', ''))}."
    return title % named, detail


def about_number(row: Notification, number: Number) -> tuple[str, str]:
    """Title and detail of what is about a number."""
    named = {"number": number.name}
    if row.kind == NotificationKind.LIMIT:
        return (
            _("“%(number)s” has reached its limit of the day") % named,
            _("The AI sends nothing more on it until tomorrow; people may."),
        )
    if row.data.get("what") == "back":
        return _("“%(number)s” is connected again") % named, _("Messages come in and go out.")
    return (
        _("“%(number)s” is not connected to WhatsApp") % named,
        _("Messages neither come in nor go out on this number."),
    )


# --- Out of the app -------------------------------------------------------------------------------------------------
async def send(ref: str, hands: Hands) -> None:
    """Send what waits for one member on one channel, as `notifications.want` has named it: the kind `notify`."""
    if ref.endswith(f"/{Channel.PUSH}"):
        await push_all(ref, hands)
    else:
        await hands.run(deliver, ref)


def deliver(ref: str) -> int:
    """Send the e-mail that waits for one member. Out: of how many things it tells.

    One transaction: the e-mail exists exactly when its deliveries are marked as sent, whoever runs it how often.
    """
    with transaction.atomic():
        parcel = take(ref)
        if parcel is None:
            return 0
        send_mail(parcel.member, parcel.rows, parcel.own)
        close(parcel.deliveries, NotificationDelivery.State.SENT)
        return len(parcel.rows)


def take(ref: str) -> Parcel | None:
    """What is to be sent now, its deliveries locked; None when there is nothing, or it must wait. In a transaction.

    What was read meanwhile, is settled, is not wanted any more or not theirs to see is dropped.
    """
    pk, _sep, channel = ref.partition("/")
    member = Membership.objects.select_related("person", "org").filter(pk=int(pk), person__is_active=True).first()
    if member is None:
        return None
    waiting = list(
        NotificationDelivery.objects.select_for_update(of=("self",))
        .select_related("notification")
        .filter(membership=member, channel=channel, state=NotificationDelivery.State.WAITING)
        .order_by("notification_id")
    )
    now = timezone.now()
    at = notifications.polite_time(member, channel, now)
    if waiting and at > now:
        notifications.want(member, channel, at=at)
        return None
    own = notifications.settings_of(member)
    about = gather([one.notification for one in waiting], member)
    good = [one for one in waiting if is_wanted(one.notification, member, own=own, about=about, channel=channel)]
    kept = {one.pk for one in good}
    close([one.pk for one in waiting if one.pk not in kept], NotificationDelivery.State.DROPPED)
    if not good:
        return None
    return Parcel(member, own, [one.notification for one in good], [one.pk for one in good])


def close(deliveries: list[int], state: NotificationDelivery.State) -> None:
    """These deliveries have come to that end; one that had before keeps it."""
    waiting = NotificationDelivery.objects.filter(pk__in=deliveries, state=NotificationDelivery.State.WAITING)
    waiting.update(state=state, ended_at=timezone.now())


async def push_all(ref: str, hands: Hands) -> None:
    """Show what waits for one member in their browsers. At least once: a repetition replaces what is shown.

    Raises PortError while the server of a browser's maker is away: the whole is tried again.
    """
    pushed = await hands.run(take_push, ref)
    if pushed is None:
        return
    for target in pushed.targets:
        await hands.call(partial(push_to, target, pushed.messages), then=partial(note_browser, target.pk))
    state = NotificationDelivery.State.SENT if pushed.targets else NotificationDelivery.State.DROPPED
    await hands.run(close, pushed.deliveries, state)


def take_push(ref: str) -> Pushed | None:
    """What is to be shown, and in which browsers; without the database from here on."""
    with transaction.atomic():
        parcel = take(ref)
        if parcel is None:
            return None
        member = parcel.member
        with translation.override(member.person.language):
            messages = push_messages(of(parcel.rows, member, may_name=False), member)
        return Pushed(push.targets(member.person_id), messages, parcel.deliveries)


def push_messages(news: list[News], member: Membership) -> list[dict[str, str]]:
    """Each thing by itself, or how many there are. Its address marks it as read. In the language that is active."""
    index = reverse("notifications:index", kwargs={"slug": member.org.slug})
    if len(news) > SHOWN_ALONE:
        return [{"title": how_many(len(news)), "body": member.org.name, "url": index, "tag": f"several-{member.pk}"}]
    return [
        {
            "title": one.title,
            "body": one.detail,
            "url": reverse("notifications:show", kwargs={"slug": member.org.slug, "pk": one.notification.pk}),
            "tag": f"notification-{one.notification.pk}",
        }
        for one in news
    ]


def push_to(target: push.Target, messages: list[dict[str, str]]) -> bool:
    """Calls alone. Out: whether the browser is still there. Raises PortError."""
    return all(push.send(target, message) for message in messages)


def note_browser(pk: int, outcome: "Future[bool]") -> None:
    """A browser that has gone, or lets us show nothing any more, is forgotten. Raises PortError for what may pass."""
    try:
        is_there = outcome.result()
    except PortError as error:
        if not error.permanent:
            raise
        is_there = False
    if not is_there:
        push.forget([pk])


def is_wanted(row: Notification, member: Membership, *, own: NotificationSettings, about: About, channel: str) -> bool:
    """Whether it is still to be sent: unread, wanted on this channel, theirs to see, and not settled."""
    if row.read_at is not None or channel not in own.channels_of(row.kind):
        return False
    if row.kind in NEEDS_SDR and not member.may(Role.SDR):
        return False
    if row.kind in NEEDS_ADMIN:
        number = about.numbers.get(row.number_id or 0)
        is_over = number is None or (row.data.get("what") == "lost" and number.alerted_at is None)
        return member.may(Role.ADMIN) and not is_over
    conversation = about.conversations.get(row.conversation_id or 0)
    if conversation is None:
        return False
    return row.kind != NotificationKind.HANDOFF or conversation.needs_person_since is not None


def send_mail(member: Membership, rows: list[Notification], own: NotificationSettings) -> None:
    """One e-mail: about the one thing, or a list of them. In the transaction that marks them as sent."""
    person = member.person
    with translation.override(person.language), timezone.override(own.zone()):
        news = of(rows, member, may_name=False)
        template, context = one_thing(news[0], member) if len(news) == 1 else several(news)
        mail.send(
            f"conversations/mail/{template}", to=person.email, language=person.language, org=member.org, person=person,
            context=context | {"settings_url": settings_url(member)},
        )  # fmt: skip


def one_thing(news: News, member: Membership) -> tuple[str, dict[str, Any]]:
    """Template and context of an e-mail about one thing."""
    row = news.notification
    if row.kind in {NotificationKind.HANDOFF, NotificationKind.HOT}:
        conversation = Conversation.objects.with_inbox_data().get(pk=row.conversation_id or 0)
        agent = settings_of.number(conversation.number)
        return "qualified" if row.kind == NotificationKind.HOT else "handed_off", {
            "reason": wording.need(row.data.get("reason", "")),
            "number": conversation.number.name,
            "since": moment(row) or row.created_at,
            "brief": summary.of(conversation, agent, language=member.person.language).brief,
            "url": news.url,
        }
    if row.kind == NotificationKind.NUMBER:
        number = Number.objects.get(pk=row.number_id or 0)
        return f"number_{row.data.get('what', 'lost')}", {
            "number": number.name,
            "since": moment(row) or lost_since(number) or number.lost_at or row.created_at,
            "is_unreachable": number.is_open,
            "needs_scan": number.state in {LinkState.CLOSED, LinkState.REFUSED, LinkState.REMOVED},
            "url": news.url,
        }
    return "news", {"title": news.title, "detail": news.detail, "url": news.url}


def several(news: list[News]) -> tuple[str, dict[str, Any]]:
    """Template and context of an e-mail about several things, newest first."""
    return "several", {"title": how_many(len(news)), "news": news[::-1][:LISTED], "more": max(0, len(news) - LISTED)}


def how_many(count: int) -> str:
    return ngettext("%(count)s thing to look at", "%(count)s things to look at", count) % {"count": count}


def moment(row: Notification) -> datetime | None:
    """Since when what it tells of has been so."""
    since = row.data.get("since")
    return datetime.fromisoformat(since) if since else None


def settings_url(member: Membership) -> str:
    return mail.absolute_url(reverse("notifications:settings", kwargs={"slug": member.org.slug}))
