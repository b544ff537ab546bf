"""Known mistakes, put back by name into a worker of the chaos run: the checker must catch each (DESIGN 3, 4)."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from django.utils import timezone

RACE_SECONDS = 0.4  # as wide as a busy machine makes it


def delete_without_generation() -> None:
    """Finishing deletes the row although something new was wanted meanwhile: that is never looked at."""
    from orgs.models import queue

    queue.FINISH = """
    DELETE FROM public.orgs_due d
    USING unnest(%(ids)s::bigint[], %(tokens)s::uuid[], %(generations)s::bigint[]) AS m(id, token, generation)
    WHERE d.id = m.id AND d.token = m.token RETURNING d.id
    """


def epoch_without_lock() -> None:
    """Owner and epoch are compared first, the message is claimed a moment later, without the conversation's lock."""
    from conversations import intake, sending
    from conversations.models import Conversation, Message

    careful = sending.claim_next

    def careless(conversation_id: int) -> sending.Claim | None:
        conversation = Conversation.objects.filter(pk=conversation_id).first()
        message = None
        if conversation is not None and not sending.on_the_wire(conversation):
            message = conversation.messages.filter(state=Message.State.QUEUED).order_by("seq").first()
        if conversation is None or message is None or not sending.may_leave(conversation, message):
            return careful(conversation_id)
        time.sleep(RACE_SECONDS)
        message.state, message.claimed_at = Message.State.SENDING, timezone.now()
        message.attempts += 1
        message.save(update_fields=["state", "claimed_at", "attempts"])
        intake.want("reconcile", message.pk, at=timezone.now() + sending.VERDICT_AFTER)
        return sending.Claim(
            message_id=message.pk, number_id=message.number_id, jid=conversation.reply_jid, text=message.text,
            quoted_id="", attempt=message.attempts, claimed_at=time.monotonic(), is_ai=True, typing=timedelta(),
        )  # fmt: skip

    sending.claim_next = careless


def retake_without_token() -> None:
    """Whoever opened the turn may write it, also when it was taken from them meanwhile."""
    from conversations import turns
    from conversations.models import Turn
    from conversations.ports import Draft

    careful = turns.apply

    def careless(opened: turns.Opened, draft: Draft) -> bool:
        token = Turn.objects.values_list("attempt_token", flat=True).get(pk=opened.turn_id)
        return careful(replace(opened, token=token or opened.token), draft)

    turns.apply = careless


def early_resend() -> None:
    """A send whose answer is late counts as not sent, without the long wait and without a canary."""
    from conversations import sending

    sending.VERDICT_AFTER = timedelta(seconds=1)
    sending.has_canary = lambda *_: True


def watermark_by_timestamp() -> None:
    """What the sender's clock says was before the newest answered message counts as answered."""
    from conversations import turns
    from conversations.models import Conversation, Message

    careful = turns.newest_unanswered

    def careless(conversation: Conversation) -> int | None:
        answered = (
            conversation.messages.filter(author=Message.Author.LEAD, seq__lte=conversation.watermark)
            .order_by("-sent_at")
            .first()
        )
        up_to = careful(conversation)
        if answered is None or up_to is None:
            return up_to
        newest = conversation.messages.get(seq=up_to)
        return up_to if newest.sent_at and answered.sent_at and newest.sent_at >= answered.sent_at else None

    turns.newest_unanswered = careless


BUGS: dict[str, Callable[[], None]] = {
    bug.__name__: bug
    for bug in (
        delete_without_generation,
        epoch_without_lock,
        retake_without_token,
        early_resend,
        watermark_by_timestamp,
    )
}
