"""The one door in: what arrived becomes contacts, conversations and messages, whatever the order and however often.

Lock order everywhere: contacts by id, then the conversation, then messages (DESIGN 4). The alias rows are the lock for
"who is this": two first messages of one person insert the same alias, one waits, and both end with one contact.
"""

from dataclasses import asdict
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import F, Max
from django.utils import timezone

from conversations import erasure, evidence, links, live, policy, rows, satisfaction, settings_of, summary, wording
from conversations.events import record, updated
from conversations.models import (
    AgentVersion,
    Alias,
    Consent,
    Contact,
    Conversation,
    Correction,
    EventName,
    FormerConversation,
    MediaAsset,
    Message,
    Number,
    OptOut,
    Pending,
    Takeover,
    Turn,
)
from conversations.ports import (
    Ack,
    Call,
    ChatAddress,
    Edit,
    Event,
    Ignored,
    Incoming,
    LinkUpdate,
    MessageKind,
    PairingCode,
    Reaction,
    Revoke,
    SentEcho,
    StatusUpdate,
)
from orgs import bell
from orgs.models import Due
from orgs.models.queue import LIVE

PARK_AGAIN = timedelta(seconds=10)
PARK_LONGEST = timedelta(seconds=30)
CONFIRMED_NEAR = timedelta(minutes=5)  # between our claim and the provider's time of the same message
APPROVED_BY = "approved_by"  # in a message's extra: the person who let this one leave
PENDING_KEPT = timedelta(days=30)  # news of a message that never came
OPTED_OUT = "opt_out"  # what the confirmation of an opt-out is marked with
FOLLOW_UP = "follow_up"  # and what is written to a silent lead (conversations.follow_ups)
PREVIEW_CHARS = 120
TEXT_CHARS = 70_000
BY_ITSELF = (Message.Author.AI, Message.Author.SYSTEM)  # written by no person: what takeovers and switches withdraw
# Why an answer was withdrawn without anybody deciding that there should be none: the lead is still owed one.
WITHDRAWN = frozenset(
    {
        "taken_over",
        "no_longer_ai",
        "opted_out",
        "ai_paused",
        "lead_changed_message",
        "heard_late",
        "not_sent_and_outdated",
    }
)
VERDICT_LATEST = timedelta(minutes=30)  # after its claim a person decides about a send whose outcome nobody knows
REWIND_TURNS = 20  # looked back at
NO_TURN = frozenset({MessageKind.STICKER, MessageKind.UNSUPPORTED})


class Parked(Exception):
    """Whether this came from a person or is the echo of a send under way cannot be told yet: look again at `until`.

    Raising it undoes the transaction, so the AI's pause is the catcher's to write: call `hold` outside of it.
    """

    def __init__(self, until: datetime, conversation: Conversation) -> None:
        super().__init__("parked")
        self.until = until
        self._conversation = conversation

    def hold(self) -> None:
        """Nothing of the AI leaves this conversation before it is clear who wrote."""
        self._conversation.hold(self.until + PARK_AGAIN)


def handle(number: Number, event: Event, *, received_at: datetime, is_recovered: bool = False) -> None:
    """Apply one thing that arrived. Call inside a transaction; safe to repeat.

    In: `received_at` (aware) is our clock. Raises Parked for a message from our own side that may be an echo.
    """
    match event:
        case Incoming():
            receive(number, event, received_at=received_at, is_recovered=is_recovered)
        case Edit() | Revoke() | StatusUpdate() | Reaction():
            apply_to_message(number, event)
        case SentEcho():
            settle_echo(number, event)
        case LinkUpdate():
            links.change(number, event)
        case PairingCode() | Call() | Ignored():
            return


def receive(number: Number, incoming: Incoming, *, received_at: datetime, is_recovered: bool = False) -> Message | None:
    """Store a message once. Out: the message, or None for one we had, also if it was erased."""
    if is_stored(number, incoming.provider_id):
        return None
    try:
        contact = identify(incoming.chat, name=incoming.sender_name, said_at=incoming.sent_at, from_us=incoming.from_us)
    except Forgotten:
        return None
    if incoming.kind == MessageKind.TEXT and policy.asks_to_stop(incoming.text):
        lock_all(contact)  # an opt-out locks them all: in their order, before any is locked alone
    conversation = converse(contact, number, incoming.chat.jid)
    if is_stored(number, incoming.provider_id):
        return None  # came in while we waited for the lock
    if incoming.from_us:
        return receive_own(number, conversation, incoming, received_at=received_at, is_recovered=is_recovered)
    return receive_lead(number, contact, conversation, incoming, received_at=received_at, is_recovered=is_recovered)


def is_stored(number: Number, provider_id: str) -> bool:
    return rows.exists(Message, "t.number_id = %s AND t.provider_id = %s", [number.pk, provider_id])


def receive_lead(
    number: Number,
    contact: Contact,
    conversation: Conversation,
    incoming: Incoming,
    *,
    received_at: datetime,
    is_recovered: bool,
) -> Message:
    """A lead's message: reopens, wakes the turn, or waits for a person."""
    settings = settings_of.number(number)
    now = timezone.now()
    backlog = number.is_backlog(incoming.sent_at, limit_seconds=settings.backlog_minutes * 60)
    message = store(
        number, conversation, incoming, author=Message.Author.LEAD, state=Message.State.RECEIVED,
        is_recovered=is_recovered, is_backlog=backlog,
    )  # fmt: skip
    if conversation.rating_asked_at is not None and not backlog:
        rating = satisfaction.answer_in(conversation, incoming.text, now=now)
        if rating is not None:
            receive_rating(contact, conversation, message, rating, settings=settings, received_at=received_at)
            return message
    fields = touch(conversation, message, at=received_at)
    conversation.unread += 1
    conversation.last_lead_at = received_at
    conversation.first_lead_at = conversation.first_lead_at or received_at
    former = conversation.lifecycle
    fields += ["unread", "last_lead_at", "first_lead_at", *reopen(conversation, settings)]
    if conversation.follow_up_step:
        withdraw_follow_ups(conversation, why="lead_wrote")
        conversation.follow_up_step = 0
        fields.append("follow_up_step")
    if incoming.referral is not None and not contact.referral:
        contact.referral = asdict(incoming.referral)
        contact.save(update_fields=["referral"])
    leaves = incoming.kind == MessageKind.TEXT and policy.asks_to_stop(incoming.text) and contact.opted_out_at is None
    if leaves:
        opt_out(contact, message)
    elif incoming.kind == MessageKind.TEXT and contact.opted_out_at and policy.asks_to_return(incoming.text):
        opt_back(contact, message)
    if backlog:
        need(conversation, "backlog")
    elif conversation.owner != Conversation.Owner.AI:
        conversation.needs_person_since = conversation.needs_person_since or now
        conversation.needs_reason = conversation.needs_reason or "lead_waiting"
        fields += ["needs_person_since", "needs_reason"]
    rows.update(conversation, fields)
    record(
        conversation, EventName.MESSAGE_RECEIVED, message_id=message.pk,
        providerMessageId=incoming.provider_id, number=number.pk, kind=incoming.kind, recovered=is_recovered,
    )  # fmt: skip
    if former != conversation.lifecycle:
        updated(conversation, agent=settings)
    apply_pending(message)
    if leaves and not backlog:
        confirm_opt_out(conversation, contact, settings)
    if conversation.owner == Conversation.Owner.AI and not backlog and incoming.kind not in NO_TURN:
        want_turn(conversation, settings, text=incoming.text)
    return message


def receive_rating(
    contact: Contact,
    conversation: Conversation,
    message: Message,
    rating: int,
    *,
    settings: AgentVersion,
    received_at: datetime,
) -> None:
    """What the lead answers when asked how content they are: kept, thanked for, and nobody has to do anything."""
    fields = touch(conversation, message, at=received_at)
    conversation.last_lead_at, conversation.watermark = received_at, message.seq
    conversation.save(update_fields=[*fields, "last_lead_at", "watermark"])
    record(
        conversation, EventName.MESSAGE_RECEIVED, message_id=message.pk, providerMessageId=message.provider_id,
        number=conversation.number_id, kind=message.kind, recovered=message.is_recovered,
    )  # fmt: skip
    satisfaction.note(conversation, message, rating)
    apply_pending(message)
    if not contact.is_silenced:
        text = wording.rated(language=contact.language or settings.language)
        say(conversation, text, sort=satisfaction.THANKS, as_draft=False)


def receive_own(
    number: Number, conversation: Conversation, incoming: Incoming, *, received_at: datetime, is_recovered: bool
) -> Message | None:
    """From our side, not in our outbox: it came from the company's phone (contracts/evolution.md 5.5)."""
    under_way = (
        conversation.messages.filter(state__in=[Message.State.SENDING, Message.State.UNKNOWN]).order_by("seq").first()
    )
    if under_way is not None:
        if (under_way.kind, under_way.text) == (incoming.kind, incoming.text):
            settle(under_way, provider_id=incoming.provider_id, sent_at=incoming.sent_at)
            return under_way
        if timezone.now() < received_at + PARK_LONGEST:
            raise Parked(timezone.now() + PARK_AGAIN, conversation)
    if (confirmed := confirmed_unbound(conversation, incoming)) is not None:
        confirmed.provider_id = incoming.provider_id
        confirmed.save(update_fields=["provider_id"])
        apply_pending(confirmed)
        return confirmed
    settings = settings_of.number(number)
    old = number.is_backlog(incoming.sent_at, limit_seconds=settings.backlog_minutes * 60) or (
        incoming.sent_at is not None and number.opened_at is not None and incoming.sent_at < number.opened_at
    )
    message = store(
        number, conversation, incoming, author=Message.Author.PERSON, state=Message.State.SENT,
        is_recovered=is_recovered, is_backlog=old,
    )  # fmt: skip
    former = conversation.lifecycle
    conversation.save(update_fields=[*touch(conversation, message, at=received_at), *reopen(conversation, settings)])
    record(
        conversation, EventName.MESSAGE_SENT, message_id=message.pk, providerMessageId=incoming.provider_id,
        source="phone", recovered=is_recovered,
    )  # fmt: skip
    if former != conversation.lifecycle:
        updated(conversation, agent=settings)
    apply_pending(message)
    if not old:
        take_over(conversation, person_id=None, source="phone")
        no_longer_need(conversation)
        conversation.unread = 0
        conversation.save(update_fields=["needs_person_since", "needs_reason", "unread"])
    return message


def confirmed_unbound(conversation: Conversation, incoming: Incoming) -> Message | None:
    """The message of ours a person said had gone out, when this is it: no takeover then, and nothing shown twice."""
    if incoming.sent_at is None:
        return None
    near = (incoming.sent_at - CONFIRMED_NEAR, incoming.sent_at + CONFIRMED_NEAR)
    sent = conversation.messages.filter(state=Message.State.SENT, provider_id=None, claimed_at__range=near)
    return sent.filter(kind=incoming.kind, text=incoming.text).order_by("seq").first()


# --- Who is this ----------------------------------------------------------------------------------------------------
class Forgotten(Exception):
    """Said before its author's words were erased (`conversations.erasure`): not taken in again."""


def identify(chat: ChatAddress, *, name: str = "", said_at: datetime | None = None, from_us: bool = False) -> Contact:
    """The contact behind a chat, made or merged as needed; its row is locked.

    Raises Forgotten for what was said (`said_at`, by us or by them) before it was erased; nobody is made then.
    """
    names = sorted(
        ([(Alias.Sort.PHONE.value, chat.phone)] if chat.phone else [])
        + ([(Alias.Sort.LID.value, chat.lid)] if chat.lid else [])
    )
    if not names:
        raise ValueError("a chat has a phone or a LID")
    while True:
        known = aliases_of(names) or introduce(chat, names, said_at, from_us=from_us)
        ids = set(known.values())
        contacts = rows.fetch(Contact, "WHERE t.id = ANY(%s) ORDER BY t.id FOR NO KEY UPDATE", [list(ids)])
        known = aliases_of(names)
        if contacts and set(known.values()) == ids:
            break  # else they were merged, or erased, while we waited for them
    if any(erasure.is_erased(contact.erased_until, said_at, from_us=from_us) for contact in contacts):
        raise Forgotten
    contact = contacts[0]
    for other in contacts[1:]:
        merge(contact, other)
    add_aliases(contact, [name for name in names if name not in known])
    changed = []
    if chat.phone and not contact.phone:
        contact.phone = chat.phone
        changed.append("phone")
    if name and contact.name_is_theirs and contact.name != name[:120]:
        contact.name, contact.name_folded = name[:120], policy.folded(name)[:120]
        changed += ["name", "name_folded"]
    if changed:
        contact.save(update_fields=changed)
    return contact


def introduce(
    chat: ChatAddress, names: list[tuple[str, str]], said_at: datetime | None, *, from_us: bool
) -> dict[tuple[str, str], int]:
    """Make a contact for names nobody had, or find whose they are by now. Raises Forgotten.

    Whether they were erased is asked last: inserting the names has waited for whoever was erasing them.
    """
    fresh = Contact.objects.create(phone=chat.phone or "")
    add_aliases(fresh, names)  # waits for anybody inserting the same one, and then lets them win
    known = aliases_of(names)
    if fresh.pk not in known.values():
        fresh.delete()
        return known
    until = erasure.erased_until(names)
    if erasure.is_erased(until, said_at, from_us=from_us):
        fresh.delete()
        raise Forgotten
    if until is not None:
        fresh.erased_until = until
        fresh.save(update_fields=["erased_until"])
    return known


def aliases_of(names: list[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Which contact has which of these names."""
    condition = " OR ".join(["(sort = %s AND value = %s)"] * len(names))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT sort, value, contact_id FROM conversations_alias WHERE {condition}",  # noqa: S608  # ours
            [text for name in names for text in name],
        )
        return {(sort, value): contact_id for sort, value, contact_id in cursor.fetchall()}


def add_aliases(contact: Contact, names: list[tuple[str, str]]) -> None:
    Alias.objects.bulk_create(
        [Alias(contact=contact, sort=sort, value=value) for sort, value in names], ignore_conflicts=True
    )


def lock_all(*contacts: Contact) -> None:
    """Lock the conversations of contacts by id, as everybody does who needs more than one (DESIGN 4, lock order)."""
    list(Conversation.objects.select_for_update().filter(contact__in=contacts).order_by("pk").values_list("pk"))


def merge(keep: Contact, other: Contact) -> None:
    """Two contacts turn out to be one person. Both rows are locked; conversations on one number become one."""
    Alias.objects.filter(contact=other).update(contact=keep)
    OptOut.objects.filter(contact=other).update(contact=keep)
    Consent.objects.filter(contact=other).update(contact=keep)
    lock_all(keep, other)
    evidence.join_facts(keep, other)
    for theirs in Conversation.objects.select_for_update().filter(contact=other).order_by("pk"):
        ours = Conversation.objects.select_for_update().filter(contact=keep, number=theirs.number_id).first()
        if ours is None:
            theirs.contact = keep
            theirs.save(update_fields=["contact"])
        else:
            absorb(ours, theirs)
    if not keep.name:
        keep.name, keep.name_folded, keep.name_is_theirs = other.name, other.name_folded, other.name_is_theirs
    keep.phone = keep.phone or other.phone
    keep.referral = keep.referral or other.referral
    keep.opted_out_at = keep.opted_out_at or other.opted_out_at
    keep.blocked_at = keep.blocked_at or other.blocked_at
    keep.ignored_as = keep.ignored_as or other.ignored_as
    keep.has_history = keep.has_history or other.has_history
    keep.erased_until = max(filter(None, (keep.erased_until, other.erased_until)), default=None)
    keep.save()
    other.merged_into = keep
    other.phone = ""
    other.save(update_fields=["merged_into", "phone"])


def absorb(ours: Conversation, theirs: Conversation) -> None:
    """Move everything of `theirs` behind what `ours` has; a person's ownership of either wins.

    Its old address leads to `ours` from then on. What was answered there stays answered, unless something waits here.
    """
    waited = has_unanswered(ours)
    moved: dict[int, int] = {}  # their arrival numbers → ours
    for message in theirs.messages.order_by("seq"):
        moved[message.seq] = ours.seq + 1
        message.conversation, message.seq, message.turn, message.bubble = ours, ours.next_seq(), None, None
        if message.author in BY_ITSELF and message.state == Message.State.QUEUED:
            message.state, message.failure = Message.State.CANCELLED, "merged"
        message.save(update_fields=["conversation", "seq", "turn", "bubble", "state", "failure"])
    for event in theirs.events.order_by("sequence"):
        ours.event_seq += 1
        event.conversation, event.sequence = ours, ours.event_seq
        event.save(update_fields=["conversation", "sequence"])
    theirs.takeovers.update(conversation=ours)
    theirs.eval_cases.update(conversation=ours, turn=None)
    theirs.notes.update(conversation=ours, seq=ours.seq)
    theirs.mentions.update(conversation=ours)
    FormerConversation.objects.filter(into=theirs).update(into=ours)
    FormerConversation.objects.update_or_create(former_id=theirs.pk, defaults={"into": ours})
    has_evidence = evidence.join_answers(ours, theirs)
    if not waited:
        ours.watermark = max([ours.watermark, *(now for then, now in moved.items() if then <= theirs.watermark)])
    if theirs.needs_person_since is not None:
        if ours.needs_person_since is None:
            ours.needs_reason = theirs.needs_reason
        ours.needs_person_since = min(filter(None, (ours.needs_person_since, theirs.needs_person_since)))
    if ours.lifecycle == Conversation.Lifecycle.CLOSED and theirs.lifecycle != Conversation.Lifecycle.CLOSED:
        reopen(ours, settings_of.number(ours.number))
    if ours.assignee_id is None:
        ours.assignee_id, ours.assigned_at = theirs.assignee_id, theirs.assigned_at
    if theirs.last_message_at > ours.last_message_at:
        ours.preview, ours.preview_author, ours.reply_jid = theirs.preview, theirs.preview_author, theirs.reply_jid
    if theirs.owner == Conversation.Owner.PERSON and ours.owner != Conversation.Owner.PERSON:
        ours.owner, ours.owner_person_id = theirs.owner, theirs.owner_person_id
        ours.epoch += 1
    if ours.assignee_id is None:
        ours.assignee_id, ours.assigned_at = theirs.assignee_id, theirs.assigned_at
    ours.unread += theirs.unread
    ours.last_message_at = max(ours.last_message_at, theirs.last_message_at)
    ours.first_lead_at = min(filter(None, (ours.first_lead_at, theirs.first_lead_at)), default=None)
    ours.last_lead_at = max(filter(None, (ours.last_lead_at, theirs.last_lead_at)), default=None)
    ours.save()
    theirs.delete()
    if has_evidence:
        evidence.requalify(ours, settings_of.number(ours.number))
    if ours.messages.filter(state=Message.State.QUEUED).exists():
        want("send", ours.pk)
    if ours.owner == Conversation.Owner.AI:
        want_turn(ours, settings_of.number(ours.number), text="")


def has_unanswered(conversation: Conversation) -> bool:
    """Whether the lead has written something above the watermark."""
    waiting = conversation.messages.filter(author=Message.Author.LEAD, seq__gt=conversation.watermark, deleted_at=None)
    return waiting.exists()


def converse(contact: Contact, number: Number, jid: str) -> Conversation:
    """The conversation with the contact on the number, made if new; its row is locked and knows where replies go."""
    theirs, key = "WHERE t.contact_id = %s AND t.number_id = %s FOR UPDATE", [contact.pk, number.pk]
    conversation = rows.first(Conversation, theirs, key)
    if conversation is None:
        Conversation.objects.bulk_create(
            [Conversation(contact=contact, number=number, reply_jid=jid)], ignore_conflicts=True
        )
        conversation = rows.first(Conversation, theirs, key)
    if conversation is None:
        raise Conversation.DoesNotExist
    if conversation.seq == 0:  # new: from now on the clock is looked at
        want_tending(conversation)
    if conversation.reply_jid != jid:
        conversation.reply_jid = jid
        conversation.save(update_fields=["reply_jid"])
    return conversation


# --- What was said --------------------------------------------------------------------------------------------------
def store(
    number: Number,
    conversation: Conversation,
    incoming: Incoming,
    *,
    author: Message.Author,
    state: Message.State,
    is_recovered: bool,
    is_backlog: bool,
) -> Message:
    """The message and its file's place, with the next arrival number of the (locked) conversation."""
    message = Message(
        conversation=conversation, number=number, author=author, state=state, seq=conversation.next_seq(),
        provider_id=incoming.provider_id, kind=incoming.kind, type_name=incoming.type_name[:60],
        text=incoming.text[:TEXT_CHARS], quoted_id=incoming.quoted_id[:120],
        extra={**incoming.extra, **({"choice": incoming.choice} if incoming.choice else {})},
        sent_at=incoming.sent_at, is_recovered=is_recovered, is_backlog=is_backlog,
    )  # fmt: skip
    rows.insert(message)
    media = incoming.media
    if media is not None:
        asset = MediaAsset.objects.create(
            message=message, claimed_mime=media.mime[:120], file_name=media.file_name[:200], size=media.size,
            seconds=media.seconds, is_voice_note=media.is_voice_note,
            state=MediaAsset.State.REFUSED if media.is_view_once else MediaAsset.State.WANTED,
            failure="view_once" if media.is_view_once else "", path=media.kept,
        )  # fmt: skip
        if asset.state == MediaAsset.State.WANTED:
            want("media", message.pk)
    return message


def touch(conversation: Conversation, message: Message, *, at: datetime) -> list[str]:
    """The list row's denormalised fields. Out: names of the fields changed; the caller saves."""
    conversation.last_message_at = max(conversation.last_message_at, at)
    conversation.preview = (message.text or message.kind)[:PREVIEW_CHARS]
    conversation.preview_author = message.author
    return ["seq", "last_message_at", "preview", "preview_author"]


def apply_to_message(number: Number, news: Edit | Revoke | StatusUpdate | Reaction) -> None:
    """News about a message; kept until it arrives when it has not."""
    if isinstance(news, StatusUpdate) and tick(number, news):
        return
    target = Message.objects.filter(number=number, provider_id=news.target_id).only("conversation_id").first()
    if target is None:
        await_arrival(number.pk, news.target_id)
        target = Message.objects.filter(number=number, provider_id=news.target_id).only("conversation_id").first()
    if target is None:
        Pending.objects.create(number=number, target_id=news.target_id[:120], sort=SORTS[type(news)], data=packed(news))
        return
    locked(target.conversation_id)
    message = Message.objects.select_for_update().get(pk=target.pk)
    live.changed(target.conversation_id)
    apply_news(message, SORTS[type(news)], packed(news))


# The message alone is locked, and nothing after it, so its conversation need not be.
TICK = """
UPDATE conversations_message SET ack = %(rank)s
WHERE number_id = %(number)s AND provider_id = %(target)s AND ack < %(rank)s AND author <> %(lead)s
RETURNING conversation_id
"""


def tick(number: Number, news: StatusUpdate) -> bool:
    """Sent, delivered, read or played, news to a message of ours: one statement. Out: False when it was none."""
    if news.ack is Ack.ERROR:
        return False
    with connection.cursor() as cursor:
        cursor.execute(TICK, {
            "lead": Message.Author.LEAD.value, "rank": news.ack.rank, "number": number.pk, "target": news.target_id,
        })  # fmt: skip
        for (conversation_id,) in cursor.fetchall():
            live.changed(conversation_id)
        return bool(cursor.rowcount)


def apply_pending(message: Message) -> bool:
    """What had come before its message, in the order it came. The message must be stored under its id already.

    Out: whether there was something, so that the conversation's row may be another.
    """
    await_arrival(message.number_id, message.provider_id or "")
    waiting = rows.fetch(
        Pending, "WHERE t.number_id = %s AND t.target_id = %s ORDER BY t.id", [message.number_id, message.provider_id]
    )
    for one in waiting:
        apply_news(message, one.sort, one.data)
        one.delete()
    return bool(waiting)


def prune_pending(now: datetime) -> int:
    """Inside the org: news of messages that have not come in PENDING_KEPT goes. Out: how many pieces."""
    return Pending.objects.filter(created_at__lt=now - PENDING_KEPT).delete()[0]


def await_arrival(number_id: int, provider_id: str) -> None:
    """A message and the news about it take turns until their transactions end, when they arrive at once.

    Without it the news would not see the message, the message not the news, and the news would wait for ever.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"{org_id()}/{number_id}/{provider_id}"]
        )


SORTS: dict[type[object], str] = {StatusUpdate: "ack", Edit: "edit", Revoke: "revoke", Reaction: "reaction"}


def packed(news: Edit | Revoke | StatusUpdate | Reaction) -> dict[str, object]:
    match news:
        case StatusUpdate():
            return {"ack": news.ack.value, "from_us": news.from_us, "reason": news.reason}
        case Edit():
            return {"text": news.text, "at": news.edited_at.isoformat() if news.edited_at else ""}
        case Reaction():
            return {"emoji": news.emoji, "from_us": news.from_us}
        case Revoke():
            return {}


def apply_news(message: Message, sort: str, data: dict[str, object]) -> None:
    """Apply one piece of news to a locked message; twice is harmless, late is ignored."""
    match sort:
        case "ack":
            apply_ack(message, Ack(str(data["ack"])), reason=str(data.get("reason", "")))
        case "edit":
            apply_edit(message, str(data["text"]), at=str(data["at"]))
        case "revoke":
            apply_revoke(message)
        case "reaction" if not data["from_us"]:
            message.reaction = str(data["emoji"])[:16]
            message.save(update_fields=["reaction"])


def apply_ack(message: Message, ack: Ack, *, reason: str) -> None:
    if message.author == Message.Author.LEAD:
        return  # our own devices reading it is no status of ours
    if ack is Ack.ERROR:
        if message.state in {Message.State.SENT, Message.State.UNKNOWN}:
            message.state, message.failure = Message.State.FAILED, reason[:200] or "refused_by_whatsapp"
            message.save(update_fields=["state", "failure"])
            record(
                locked(message.conversation_id), EventName.MESSAGE_FAILED, message_id=message.pk, reason=message.failure
            )
        return
    if ack.rank > message.ack:
        message.ack = ack.rank
        message.save(update_fields=["ack"])


def apply_edit(message: Message, text: str, *, at: str) -> None:
    """The lead (or the company's phone) changed a message; the AI must answer what stands now."""
    when = datetime.fromisoformat(at) if at else timezone.now()
    if message.deleted_at or text == message.text or (message.edited_at and when < message.edited_at):
        return
    Correction.objects.create(message=message, former_text=message.text, at=when)
    message.text, message.edited_at = text[:TEXT_CHARS], when
    message.save(update_fields=["text", "edited_at"])
    refresh_list_row(message)
    refresh_turn(message)


def apply_revoke(message: Message) -> None:
    if message.deleted_at:
        return
    Correction.objects.create(message=message, former_text="", is_deletion=True)
    message.corrections.update(former_text="")  # deleted for everyone: the words go
    message.text, message.transcript, message.deleted_at = "", "", timezone.now()
    message.save(update_fields=["text", "transcript", "deleted_at"])
    if MediaAsset.objects.filter(message=message).update(
        state=MediaAsset.State.REFUSED, failure="deleted", file_name=""
    ):
        want("media", message.pk)  # which removes the file, outside of this transaction
    refresh_list_row(message)
    refresh_turn(message)


def refresh_list_row(message: Message) -> None:
    """A message was changed or deleted: the list shows what stands now, counts it no more, calls nobody for it."""
    conversation = locked(message.conversation_id)
    shown = conversation.messages.filter(deleted_at=None).exclude(state=Message.State.DRAFT).order_by("-seq").first()
    conversation.preview = (shown.text or shown.kind)[:PREVIEW_CHARS] if shown else ""
    conversation.preview_author = shown.author if shown else ""
    fields = ["preview", "preview_author"]
    if message.deleted_at is not None and message.author == Message.Author.LEAD:
        theirs = conversation.messages.filter(author=Message.Author.LEAD)
        newer = theirs.filter(seq__gt=message.seq, deleted_at=None).count()
        if newer < conversation.unread:  # it was among those nobody has read
            conversation.unread -= 1
            fields.append("unread")
        waiting = theirs.filter(seq__gt=max(conversation.watermark, last_answered(conversation)), deleted_at=None)
        if conversation.needs_reason in WAITING and not waiting.exists():
            no_longer_need(conversation)
            fields += ["needs_person_since", "needs_reason"]
    conversation.save(update_fields=fields)


def refresh_turn(message: Message) -> None:
    """The lead changed a message: think again. What waits to leave as its answer is withdrawn first.

    A draft that is being thought over now is for the former revision, and will not be written.
    """
    conversation = locked(message.conversation_id)
    if message.author != Message.Author.LEAD:
        return
    conversation.revision += 1
    conversation.save(update_fields=["revision"])
    if evidence.review(message):
        agent, found = settings_of.number(conversation.number), evidence.current(conversation)
        evidence.requalify(conversation, agent, found=found)
        summary.keep(conversation, agent, found=found)
    if conversation.owner != Conversation.Owner.AI:
        return
    settings = settings_of.number(conversation.number)
    if message.seq > conversation.watermark:
        want_turn(conversation, settings, text=message.text)
        return
    withdrawn = conversation.messages.filter(
        author=Message.Author.AI, state__in=[Message.State.QUEUED, Message.State.DRAFT],
        turn__up_to_seq__gte=message.seq,
    )  # fmt: skip
    if withdrawn.filter(bubble=0).exists():  # not even its first bubble has left
        withdrawn.update(state=Message.State.CANCELLED, failure="lead_changed_message")
        settle_need(conversation)
        rewind(conversation)
        want_turn(conversation, settings, text=message.text)


def rewind(conversation: Conversation) -> bool:
    """Count as unanswered again what was answered by nothing but withdrawn messages. The row must be locked.

    A new epoch, so that the turn can be made anew. Out: whether the watermark was moved back.
    """
    turns = conversation.turns.filter(state=Turn.State.APPLIED, up_to_seq__lte=conversation.watermark)
    newest = list(turns.order_by("-pk").prefetch_related("messages")[:REWIND_TURNS])
    if not newest or newest[0].up_to_seq != conversation.watermark:
        return False  # somebody else has dealt with what came last
    kept = next((turn.up_to_seq for turn in newest if not is_withdrawn(turn)), 0)
    level = max(kept, last_answered(conversation))
    if level >= conversation.watermark:
        return False
    conversation.watermark = level
    conversation.epoch += 1
    conversation.save(update_fields=["watermark", "epoch"])
    return True


def is_withdrawn(turn: Turn) -> bool:
    """Nothing of the turn has left or may still leave, and nobody decided so."""
    messages = list(turn.messages.all())
    return bool(messages) and all(one.state == Message.State.CANCELLED and one.failure in WITHDRAWN for one in messages)


def settle_echo(number: Number, echo: SentEcho) -> None:
    """The provider reports a send of ours: it may be the one whose answer never came."""
    if Message.objects.filter(number=number, provider_id=echo.provider_id).exists():
        return
    names = [
        *([("phone", echo.chat.phone)] if echo.chat.phone else []),
        *([("lid", echo.chat.lid)] if echo.chat.lid else []),
    ]
    contacts = set(aliases_of(names).values()) if names else set()
    conversation = Conversation.objects.select_for_update().filter(number=number, contact_id__in=contacts).first()
    if conversation is None:
        return
    uncertain = conversation.messages.filter(state=Message.State.UNKNOWN).order_by("seq").first()
    if uncertain is not None and uncertain.text == echo.text:
        settle(uncertain, provider_id=echo.provider_id, sent_at=echo.sent_at)


def settle(message: Message, *, provider_id: str, sent_at: datetime | None) -> None:
    """An uncertain send did go out: bind it, and let what waited behind it leave."""
    bind(message, locked(message.conversation_id), provider_id=provider_id, sent_at=sent_at)
    want("send", message.conversation_id)


def bind(message: Message, conversation: Conversation, *, provider_id: str, sent_at: datetime | None) -> None:
    """A message of ours went out under this id. Both rows are locked."""
    message.provider_id, message.state, message.failure = provider_id, Message.State.SENT, ""
    message.sent_at = sent_at or message.sent_at or timezone.now()
    message.ack = max(message.ack, Ack.PENDING.rank)
    rows.update(message, ["provider_id", "state", "failure", "sent_at", "ack"])
    if apply_pending(message):
        conversation.refresh_from_db()
    record(conversation, EventName.MESSAGE_SENT, message_id=message.pk, providerMessageId=provider_id)


# --- Owners ---------------------------------------------------------------------------------------------------------
def take_over(conversation: Conversation, *, person_id: int | None, source: str) -> None:
    """The conversation belongs to a person from now on; what the AI had queued never leaves. The row must be locked.

    At most one message can be on the wire already: it stays SENDING and is shown so.
    """
    same = conversation.owner == Conversation.Owner.PERSON and conversation.owner_person_id == person_id
    cancel_queued(conversation, why="taken_over")
    if same:
        return
    conversation.owner, conversation.owner_person_id = Conversation.Owner.PERSON, person_id
    conversation.epoch += 1
    conversation.hold_until = None
    conversation.save(update_fields=["owner", "owner_person_id", "epoch", "hold_until"])
    conversation.takeovers.filter(ended_at=None).update(ended_at=timezone.now(), ended_by=person_id)
    Takeover.objects.create(conversation=conversation, person_id=person_id, source=source, epoch=conversation.epoch)
    want_tending(conversation)
    record(conversation, EventName.SESSION_TAKEN_OVER, person_id=person_id, source=source)
    updated(conversation, person_id=person_id)


def give_back(conversation: Conversation, *, person_id: int | None, source: str = "inbox") -> None:
    """Back to the AI, which answers what is unanswered and not too old. The row must be locked.

    What needs a person for another reason than the talk itself (a message that did not go out) still does.
    """
    if conversation.owner == Conversation.Owner.AI:
        return
    conversation.owner, conversation.owner_person_id = Conversation.Owner.AI, None
    conversation.epoch += 1
    conversation.ai_in_a_row = 0
    conversation.watermark = max(conversation.watermark, last_answered(conversation))
    conversation.save(update_fields=["owner", "owner_person_id", "epoch", "ai_in_a_row", "watermark"])
    if conversation.needs_reason in SETTLED:
        settle_need(conversation)
    else:
        no_longer_need(conversation)
        conversation.save(update_fields=["needs_person_since", "needs_reason"])
    conversation.takeovers.filter(ended_at=None).update(ended_at=timezone.now(), ended_by=person_id)
    record(conversation, EventName.SESSION_GIVEN_BACK, person_id=person_id, source=source)
    updated(conversation, person_id=person_id)
    want("turn", conversation.pk)  # also for what was answered by words that a takeover withdrew


def last_answered(conversation: Conversation) -> int:
    """Arrival number of the last message a person of ours wrote: what came before it counts as answered."""
    last = conversation.messages.filter(author=Message.Author.PERSON).aggregate(Max("seq"))["seq__max"]
    return int(last or 0)


def cancel_queued(conversation: Conversation, *, why: str) -> int:
    """Withdraw what the AI has waiting to leave. The conversation must be locked."""
    return conversation.messages.filter(
        author__in=BY_ITSELF, state__in=[Message.State.QUEUED, Message.State.DRAFT]
    ).update(state=Message.State.CANCELLED, failure=why)


def withdraw_follow_ups(conversation: Conversation, *, why: str) -> None:
    """What waits to be written to a silent lead is not wanted any more. The conversation must be locked."""
    waiting = conversation.messages.filter(
        author=Message.Author.SYSTEM, state__in=[Message.State.QUEUED, Message.State.DRAFT], extra__sort=FOLLOW_UP
    )
    if waiting.update(state=Message.State.CANCELLED, failure=why):
        settle_need(conversation)


def opt_out(contact: Contact, message: Message | None, *, person_id: int | None = None, note: str = "") -> None:
    """They want to be left alone: on every number of the org, from this commit on. The contact must be locked."""
    contact.opted_out_at = timezone.now()
    contact.save(update_fields=["opted_out_at"])
    OptOut.objects.create(
        contact=contact, message_id=message.pk if message else None, person_id=person_id, is_out=True, note=note
    )
    for conversation in Conversation.objects.select_for_update().filter(contact=contact).order_by("pk"):
        cancel_queued(conversation, why="opted_out")
        Conversation.objects.filter(pk=conversation.pk).update(epoch=F("epoch") + 1)
    if message is not None:
        message.conversation.refresh_from_db(fields=["epoch"])


def opt_back(contact: Contact, message: Message | None, *, person_id: int | None = None, note: str = "") -> None:
    """They ask in words to be written to again, or a person says so. The contact must be locked.

    What they wrote meanwhile is answered where it is unanswered and not too old.
    """
    contact.opted_out_at = None
    contact.save(update_fields=["opted_out_at"])
    OptOut.objects.create(
        contact=contact, message_id=message.pk if message else None, person_id=person_id, is_out=False, note=note
    )
    for pk in contact.conversations.filter(owner=Conversation.Owner.AI).order_by("pk").values_list("pk", flat=True):
        if message is None or pk != message.conversation_id:  # there the turn is wanted once they are quiet
            want("turn", pk)


def confirm_opt_out(conversation: Conversation, contact: Contact, settings: AgentVersion) -> None:
    """The one word they still get, where the AI might have spoken. The conversation is locked and saved."""
    number = conversation.number
    if conversation.owner != Conversation.Owner.AI or number.mode in {Number.Mode.OFF, Number.Mode.DRAFTS}:
        return
    if contact.blocked_at or contact.ignored_as:
        return
    language = contact.language or settings.language
    say(conversation, wording.opted_out(language=language), sort=OPTED_OUT, as_draft=False)


def say(conversation: Conversation, text: str, *, sort: str, as_draft: bool) -> Message:
    """Queue words of ours that are no move of the AI: no turn, no count for its loop guard. The row must be locked.

    They leave, or are withdrawn, as the AI's do.
    """
    message = Message.objects.create(
        conversation=conversation, number_id=conversation.number_id, author=Message.Author.SYSTEM,
        state=Message.State.DRAFT if as_draft else Message.State.QUEUED, seq=conversation.next_seq(),
        epoch=conversation.epoch, text=text, extra={"sort": sort},
    )  # fmt: skip
    conversation.save(update_fields=["seq"])
    if as_draft:
        need(conversation, "draft_waits")
    else:
        want("send", conversation.pk)
    return message


# --- Who is needed --------------------------------------------------------------------------------------------------
SETTLED = frozenset({"draft_waits", "not_sent", "unknown_send", "daily_cap"})  # what happens to a message ends these
WAITING = frozenset({"lead_waiting", "backlog", *policy.Silence})  # what an answer, or nothing left to answer, ends
UNSETTLED = {
    "draft_waits": (Message.State.DRAFT,),
    "not_sent": (Message.State.DRAFT, Message.State.SENDING, Message.State.UNKNOWN),
    "unknown_send": (Message.State.DRAFT, Message.State.SENDING, Message.State.UNKNOWN),
    "daily_cap": (Message.State.QUEUED,),
}


def need(conversation: Conversation, reason: str) -> None:
    """A person must look, since the first time, for the latest reason. The row must be locked; saved here.

    The AI handing over is an event; a draft that waits for approval is no handing over.
    """
    is_first = conversation.needs_person_since is None
    conversation.needs_person_since = conversation.needs_person_since or timezone.now()
    conversation.needs_reason = reason
    conversation.save(update_fields=["needs_person_since", "needs_reason"])
    if is_first and conversation.owner == Conversation.Owner.AI and reason != "draft_waits":
        record(conversation, EventName.SESSION_HANDED_OFF, reason=str(reason))


def settle_need(conversation: Conversation) -> None:
    """Nobody is needed any more once no message of the (locked) conversation waits for a decision."""
    waiting = UNSETTLED.get(conversation.needs_reason)
    if waiting is None or conversation.messages.filter(state__in=waiting).exists():
        return
    no_longer_need(conversation)
    conversation.save(update_fields=["needs_person_since", "needs_reason"])


def no_longer_need(conversation: Conversation) -> None:
    """What a person was called for is over; they are still needed where only they can end a doubt. Not saved here.

    The row has one reason, the latest, so an earlier one comes back when that is over.
    """
    if conversation.needs_person_since is not None and has_parked(conversation):
        conversation.needs_reason = "unknown_send"
        return
    conversation.needs_person_since, conversation.needs_reason = None, ""


def has_parked(conversation: Conversation) -> bool:
    """Whether there is a send of which nobody knows the outcome, or tries to know it any more: a person decides."""
    long_ago = timezone.now() - VERDICT_LATEST
    values = [conversation.pk, Message.State.UNKNOWN.value, long_ago]
    return rows.exists(Message, "t.conversation_id = %s AND t.state = %s AND t.claimed_at <= %s", values)


# --- Open and closed ------------------------------------------------------------------------------------------------
def reopen(conversation: Conversation, settings: AgentVersion) -> list[str]:
    """Somebody speaks: it is open, whatever it was. The row is locked. Out: fields for the caller to save."""
    if conversation.lifecycle == Conversation.Lifecycle.CLOSED:
        want_tending(conversation, settings)
    conversation.lifecycle = Conversation.Lifecycle.OPEN
    conversation.closed_reason, conversation.snoozed_until = "", None
    return ["lifecycle", "closed_reason", "snoozed_until"]


def want_tending(conversation: Conversation, settings: AgentVersion | None = None) -> None:
    """Let the clock's rules be looked at when the first of them may hold (`conversations.lifecycle`)."""
    settings = settings or settings_of.number(conversation.number)
    now = timezone.now()
    owned = conversation.owner == Conversation.Owner.PERSON
    times = [
        *([now + timedelta(hours=settings.hand_back_hours)] if owned and settings.hand_back_hours else []),
        *([now + timedelta(days=settings.close_after_days)] if settings.close_after_days else []),
        *([conversation.snoozed_until] if conversation.snoozed_until else []),
    ]
    if times:
        want("tend", conversation.pk, at=min(times))


# --- Late work ------------------------------------------------------------------------------------------------------
def want_turn(conversation: Conversation, settings: AgentVersion, *, text: str) -> None:
    """Let the AI look at this conversation once it is quiet for a while; each message restarts the wait, bounded."""
    batching = timedelta(seconds=settings.batching_seconds)
    wait = policy.wait_for_more(text, batching=batching)
    Due.objects.want(
        org_id(),
        "turn",
        conversation.pk,
        at=timezone.now() + wait,
        priority=LIVE,
        no_later_than=batching * policy.PUSHES,
    )
    bell.ring()


def want(kind: str, ref: int, *, at: datetime | None = None) -> None:
    Due.objects.want(org_id(), kind, ref, at=at, priority=LIVE)
    if kind in OF_CONVERSATIONS:
        live.changed(ref)
    bell.ring()


OF_CONVERSATIONS = frozenset({"turn", "send", "tend"})  # kinds whose `ref` is a conversation


def org_id() -> int:
    """The org that is entered. Raises AttributeError outside one, which is a mistake of the caller."""
    return int(connection.tenant.pk)  # type: ignore[attr-defined]


def locked(conversation_id: int) -> Conversation:
    """The conversation, locked. Raises Conversation.DoesNotExist."""
    conversation = rows.conversation_locked(conversation_id)
    if conversation is None:
        raise Conversation.DoesNotExist
    return conversation
