"""What a person does in a conversation: take it over, give it back, answer, decide about what the AI has not sent.

Each verb locks the conversation, compares, and writes in one transaction. Refused tells that nothing was changed.
"""

from dataclasses import dataclass

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from conversations import intake, media, typists
from conversations.events import record, updated
from conversations.models import Contact, Control, Conversation, EventName, Message
from conversations.ports import MessageKind
from conversations.sending import VERDICT_LATEST
from conversations.trail import note
from orgs import audit
from orgs.models import Person, Refused

CAPTION_CHARS = 1024  # WhatsApp cuts what is written under a file


@transaction.atomic
def take_over(conversation: Conversation, person: Person, *, request: HttpRequest | None = None) -> Conversation:
    """The person owns the conversation from this commit on; what the AI had queued never leaves (PRODUCT 1).

    Out: the locked row as it is now. Taking what one has already changes nothing.
    """
    ours = intake.locked(conversation.pk)
    is_theirs = ours.owner == Conversation.Owner.PERSON and ours.owner_person_id == person.pk
    former = ours.owner
    intake.take_over(ours, person_id=person.pk, source="inbox")
    if not is_theirs:
        note(audit.Action.CONVERSATION_TAKEN_OVER, ours, person, request=request, data={"from": former})
    return ours


@transaction.atomic
def give_back(conversation: Conversation, person: Person, *, request: HttpRequest | None = None) -> Conversation:
    """The AI owns the conversation again and answers what nobody has answered. Out: the locked row as it is now."""
    ours = intake.locked(conversation.pk)
    if ours.owner == Conversation.Owner.AI:
        return ours
    intake.give_back(ours, person_id=person.pk)
    note(audit.Action.CONVERSATION_GIVEN_BACK, ours, person, request=request)
    return ours


def reply(
    conversation: Conversation,
    person: Person,
    *,
    text: str = "",
    upload: media.Upload | None = None,
    key: str = "",
    quoted: Message | None = None,
    alone_since: int | None = None,
    request: HttpRequest | None = None,
) -> Message:
    """Take the conversation over and queue the person's words, or their file, for sending, in one transaction.

    In: words, a file (`media.accept`) or both; `key` names the attempt; the same one again gives back the message of
    the first. Words too long to stand under the file, or under a voice note, follow as a message of their own. `quoted`
    is what they answer (`quotable`). `alone_since`: the last arrival the person saw, to send only if nobody else is
    writing or has replied since (`ensure_alone`). The file is stored first and removed when the transaction fails. Call
    outside of one. Out: the (first) QUEUED message. Raises Refused: for that, or for a quote that cannot be sent.
    """
    if upload is None:
        with transaction.atomic():
            return queue_reply(
                conversation, person, [Part(text)], key=key, quoted=quoted, alone_since=alone_since, request=request
            )
    is_caption = not upload.is_voice_note and len(text) <= CAPTION_CHARS
    parts = [Part(text if is_caption else "", upload), *([Part(text)] if text and not is_caption else [])]
    path = media.put(upload.data, upload.ending)
    try:
        with transaction.atomic():
            message = queue_reply(
                conversation, person, parts, key=key, quoted=quoted, alone_since=alone_since, path=path,
                request=request,
            )  # fmt: skip
    except BaseException:
        media.take_back(path)
        raise
    media.take_back(path)  # only when the message is the one of a first attempt
    return message


@dataclass(frozen=True)
class Part:
    """One message of a reply."""

    text: str
    upload: media.Upload | None = None

    @property
    def may_quote(self) -> bool:
        """WhatsApp's voice notes answer nothing (contract evolution.md 6.2)."""
        return self.upload is None or not self.upload.is_voice_note


def queue_reply(
    conversation: Conversation,
    person: Person,
    parts: list[Part],
    *,
    key: str,
    quoted: Message | None = None,
    alone_since: int | None = None,
    path: str = "",
    request: HttpRequest | None = None,
) -> Message:
    """The messages of `reply`, inside its transaction. Out: the first, or the one that `key` had made before."""
    ours = intake.locked(conversation.pk)
    if key and (before := ours.messages.filter(author=Message.Author.PERSON, extra__key=key).first()) is not None:
        return before
    if alone_since is not None:
        ensure_alone(ours, person, since=alone_since)
    answering = next((part for part in parts if part.may_quote), None)
    if quoted is not None and answering is None:
        raise Refused("voice_quotes_nothing", _("A voice note cannot answer a certain message. Take the quote away."))
    ours = take_over(ours, person, request=request)
    messages = [
        Message.objects.create(
            conversation=ours, number_id=ours.number_id, author=Message.Author.PERSON, person_id=person.pk,
            state=Message.State.QUEUED, seq=ours.next_seq(), epoch=ours.epoch, text=part.text,
            kind=part.upload.kind if part.upload else MessageKind.TEXT,
            quoted_id=(quoted.provider_id or "") if quoted is not None and part is answering else "",
            extra={"key": key} if key and part is parts[0] else {},
        )
        for part in parts
    ]  # fmt: skip
    if (upload := parts[0].upload) is not None:
        media.attach(messages[0], upload, path)
    fields = intake.touch(ours, messages[-1], at=timezone.now())
    former = ours.lifecycle
    ours.needs_person_since, ours.needs_reason, ours.unread = None, "", 0
    ours.lifecycle, ours.closed_reason, ours.snoozed_until = Conversation.Lifecycle.OPEN, "", None
    ours.save(
        update_fields=[
            *fields, "needs_person_since", "needs_reason", "unread", "lifecycle", "closed_reason", "snoozed_until",
        ]
    )  # fmt: skip
    if former != ours.lifecycle:
        updated(ours, person_id=person.pk)
    typists.stops(ours, person)
    intake.want("send", ours.pk)
    return messages[0]


def ensure_alone(conversation: Conversation, person: Person, *, since: int) -> None:
    """Raise Refused when somebody else is writing a reply, or has replied behind the arrival number `since`.

    The conversation must be locked: of two who send at once, the second finds the first one's message.
    """
    writing = typists.others(conversation, person)
    if writing:
        name = str(Person.objects.filter(pk=writing[0]).first() or _("Somebody"))
        raise Refused("others_write", _("%(name)s is replying, too. Send yours all the same?") % {"name": name})
    theirs = conversation.messages.filter(author=Message.Author.PERSON, seq__gt=since, is_backlog=False)
    if theirs.exclude(person_id=person.pk).exists():
        raise Refused("others_replied", _("Somebody has replied meanwhile. Send yours all the same?"))


def quotable(message: Message) -> bool:
    """Whether a reply can answer this message: WhatsApp knows it, and it is still there."""
    return bool(message.provider_id) and message.deleted_at is None


@transaction.atomic
def approve(message: Message, person: Person, *, request: HttpRequest | None = None) -> None:
    """Let a draft of the AI leave. Raises Refused when it is no draft any more or the AI may not speak here."""
    conversation, draft = both_locked(message)
    if draft.state != Message.State.DRAFT:
        raise Refused(
            "no_draft", _("This is no longer a draft: somebody has decided, or the conversation was taken over.")
        )
    ensure_ai_may_speak(conversation)
    draft.state, draft.epoch = Message.State.QUEUED, conversation.epoch
    draft.extra = {**draft.extra, intake.APPROVED_BY: person.pk}
    draft.save(update_fields=["state", "epoch", "extra"])
    intake.settle_need(conversation)
    note(audit.Action.DRAFT_APPROVED, conversation, person, request=request, data={"id": draft.pk})
    intake.want("send", conversation.pk)


@transaction.atomic
def discard(message: Message, person: Person, *, request: HttpRequest | None = None) -> None:
    """A draft, or a message that did not go out, is not to be sent. Raises Refused when it is neither any more."""
    conversation, unwanted = both_locked(message)
    if unwanted.state != Message.State.DRAFT and not is_stuck(unwanted):
        raise Refused("not_stuck", _("There is nothing to decide about this message any more."))
    unwanted.state, unwanted.failure = Message.State.CANCELLED, "discarded"
    unwanted.save(update_fields=["state", "failure"])
    intake.settle_need(conversation)
    note(audit.Action.DRAFT_DISCARDED, conversation, person, request=request, data={"id": unwanted.pk})
    intake.want("send", conversation.pk)


@transaction.atomic
def retry(message: Message, person: Person, *, attempt: int | None = None, request: HttpRequest | None = None) -> None:
    """Try again to send what failed, or what nobody knows the fate of after half an hour (DESIGN 4.5).

    `attempt`: the try whose failure the person saw; a click repeated after the next one failed as well does nothing.
    `attempts` goes on rising: it is what keeps a sender who was frozen from writing over the new try. Raises Refused
    while the message may still settle by itself, and for the AI's words when the AI may not speak here.
    """
    conversation, stuck = both_locked(message)
    if not is_stuck(stuck) or (attempt is not None and attempt != stuck.attempts):
        raise Refused("not_stuck", _("There is nothing to decide about this message any more."))
    if stuck.author in intake.BY_ITSELF:
        ensure_ai_may_speak(conversation)
    former = stuck.state
    stuck.state, stuck.failure, stuck.not_before, stuck.epoch = Message.State.QUEUED, "", None, conversation.epoch
    stuck.extra = {**stuck.extra, intake.APPROVED_BY: person.pk}
    stuck.save(update_fields=["state", "failure", "not_before", "epoch", "extra"])
    intake.settle_need(conversation)
    data: dict[str, object] = {"id": stuck.pk, "from": former}
    note(audit.Action.MESSAGE_RETRIED, conversation, person, request=request, data=data)
    intake.want("send", conversation.pk)


@transaction.atomic
def confirm_sent(message: Message, person: Person, *, request: HttpRequest | None = None) -> None:
    """A person has seen on a phone that an uncertain message did arrive: it is SENT, and what waited behind it leaves.

    Raises Refused when it is not uncertain any more, or may still settle by itself.
    """
    conversation, doubtful = both_locked(message)
    if doubtful.state != Message.State.UNKNOWN or not is_stuck(doubtful):
        raise Refused("not_stuck", _("There is nothing to decide about this message any more."))
    doubtful.state, doubtful.failure = Message.State.SENT, ""
    doubtful.sent_at = doubtful.sent_at or doubtful.claimed_at or timezone.now()
    doubtful.save(update_fields=["state", "failure", "sent_at"])
    intake.settle_need(conversation)
    record(conversation, EventName.MESSAGE_SENT, message_id=doubtful.pk, person_id=person.pk, providerMessageId=None)
    note(audit.Action.MESSAGE_CONFIRMED, conversation, person, request=request, data={"id": doubtful.pk})
    intake.want("send", conversation.pk)


def is_stuck(message: Message) -> bool:
    """It will not go out unless a person says so: it failed, or stayed uncertain until nobody looks any more."""
    if message.state == Message.State.UNKNOWN:
        return timezone.now() >= (message.claimed_at or message.created_at) + VERDICT_LATEST
    return message.state == Message.State.FAILED


def both_locked(message: Message) -> tuple[Conversation, Message]:
    """Conversation, then message: the lock order of everything here."""
    conversation = intake.locked(message.conversation_id)
    return conversation, Message.objects.select_for_update().get(pk=message.pk)


def ensure_ai_may_speak(conversation: Conversation) -> None:
    """Raise Refused where the send would withdraw the AI's words, so that the person learns it now."""
    if conversation.owner != Conversation.Owner.AI:
        raise Refused("not_ai", _("The AI no longer has this conversation. Write the reply yourself."))
    if Contact.objects.get(pk=conversation.contact_id).is_silenced:
        raise Refused("silenced", _("The AI must not write to this contact."))
    if Control.objects.filter(paused_at__isnull=False).exists():
        raise Refused("paused", _("The AI is paused. Resume it first, or write the reply yourself."))
