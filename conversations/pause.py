"""The red switch: the AI of the whole org falls silent, on every number (PRODUCT 2, "Going live safely")."""

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from conversations import intake, turns
from conversations.models import Control, Conversation, Message, Number
from conversations.policy import Silence
from orgs import audit
from orgs.context import current_org
from orgs.models import Person


def pause_all(person: Person, *, request: HttpRequest | None = None) -> int:
    """Nothing of the AI's is claimed for sending after this commit, in any conversation. Out: how many were withdrawn.

    Why that is exact. A send claims a message in one transaction, in which it takes a share lock on the conversation
    and then one on the switch's row. Here the row exists before the transaction starts, conversations with something
    queued are locked for update, and then the row is. A claim that read the switch before us still holds its share
    lock, so we wait and see its message on the wire; one that comes later waits for us and reads "paused". The same
    order of locks on both sides (conversations by id, then the switch) is what keeps them from waiting for each other.
    Who writes a reply while we work leaves it queued, and its claim reads "paused" and cancels it.

    What is withdrawn needs a person. Drafts stay: they leave by a person's hand alone, who is refused while paused.
    """
    Control.objects.bulk_create([Control(pk=1)], ignore_conflicts=True)
    with transaction.atomic():
        queued = Message.objects.filter(author__in=intake.BY_ITSELF, state=Message.State.QUEUED)
        waiting = sorted(set(queued.values_list("conversation_id", flat=True)))
        conversations = list(Conversation.objects.select_for_update().filter(pk__in=waiting).order_by("pk"))
        control = Control.objects.select_for_update().get(pk=1)
        now = timezone.now()
        withdrawn = sum(withdraw(conversation) for conversation in conversations)
        if control.paused_at is None:
            control.paused_at, control.paused_by = now, person.pk
            control.save(update_fields=["paused_at", "paused_by"])
            note(audit.Action.AI_PAUSED, person, request=request, data={"withdrawn": withdrawn})
    return withdrawn


def resume(person: Person, *, request: HttpRequest | None = None) -> None:
    """The AI may speak again, and answers what came in meanwhile where nobody has and it is not too old.

    An `open_turn` that reads "paused" does so behind the row we lock here: what it skips is there when we look, or it
    looks after us.
    """
    with transaction.atomic():
        control = Control.objects.select_for_update().filter(pk=1).first()
        if control is None or control.paused_at is None:
            return
        control.paused_at, control.paused_by = None, None
        control.save(update_fields=["paused_at", "paused_by"])
        retaken = turns.retake({Silence.PAUSED})
        note(audit.Action.AI_RESUMED, person, request=request, data={"retaken": retaken})


def set_mode(number: Number, mode: Number.Mode) -> Number:
    """How far the AI is live on a number (PRODUCT 2, "Going live safely"). Out: the row as it is now, locked.

    Raised: what it was silent about is answered where nobody has and it is not too old. Lowered to OFF: nothing of the
    AI's is claimed for sending any more. Call inside a transaction, with the audit entry of the caller.
    """
    ours = Number.objects.select_for_update().get(pk=number.pk)
    if ours.mode == mode:
        return ours
    ours.mode, ours.mode_since = mode, timezone.now()
    ours.save(update_fields=["mode", "mode_since"])
    turns.retake({Silence.OFF, Silence.OLD_CONTACT, Silence.HISTORY}, number=ours)
    return ours


def current() -> Control | None:
    """The switch, when it is on; else None."""
    return Control.objects.filter(paused_at__isnull=False).first()


def withdraw(conversation: Conversation) -> int:
    """Cancel what the AI has queued in a locked conversation and call a person. Out: how many messages."""
    cancelled = conversation.messages.filter(author__in=intake.BY_ITSELF, state=Message.State.QUEUED).update(
        state=Message.State.CANCELLED, failure="ai_paused"
    )
    if cancelled and conversation.owner == Conversation.Owner.AI:
        intake.need(conversation, "ai_paused")
        intake.want("turn", conversation.pk)  # which finds that its answer is gone, and waits for the switch
    return cancelled


def note(
    action: audit.Action, person: Person, *, request: HttpRequest | None, data: dict[str, object] | None = None
) -> None:
    org = current_org()
    audit.record(action, request=request, org=org, person=person, data=data)
