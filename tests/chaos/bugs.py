"""Known mistakes, put back by name into the workers of a chaos run: the checker must catch each (DESIGN 3, 4).

Each takes exactly one protection out of the product's own code and leaves the rest as it is; `causes` are the kinds of
violation (`truth.Kind`) of which at least one must be found for the mistake to count as caught.
"""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from tests.chaos.failpoints import AFTER, BEFORE
from tests.chaos.truth import INVARIANT, Kind


@dataclass(frozen=True)
class Bug:
    """`put_back` takes the protection out of this process.

    `points`: where to freeze often, for the moment in which the protection counts; the right code must bear that too.
    """

    put_back: Callable[[], None]
    causes: frozenset[str]
    points: tuple[str, ...] = ()


def delete_without_generation() -> None:
    """Finishing deletes the row although something new was wanted meanwhile: that is never looked at."""
    from orgs.models import queue

    same = "AND d.generation = mine.generation"
    other = "d.generation <> mine.generation"
    if same not in queue.FINISH or other not in queue.FINISH:
        raise LookupError("the statement has changed")
    queue.FINISH = queue.FINISH.replace(same, "").replace(other, "FALSE")


def epoch_without_lock() -> None:
    """Owner and epoch are compared, and then the message is claimed, with nobody kept from changing them between."""
    from django.db.models import QuerySet

    from conversations import rows, sending
    from conversations.models import Conversation

    careful, lock, fetch = sending.claim_next, QuerySet.select_for_update, rows.fetch
    here = threading.local()

    def fetch_without_lock(model: Any, tail: str, values: Any) -> Any:
        return fetch(model, LOCK.sub("", tail) if getattr(here, "claims", False) else tail, values)

    def without_lock(query: Any, *args: Any, **kwargs: Any) -> Any:
        return query.all() if getattr(here, "claims", False) else lock(query, *args, **kwargs)

    def careless(conversation_id: int) -> sending.Claim | None:
        here.claims = True
        try:
            return careful(conversation_id)
        finally:
            here.claims = False

    sending.lock_share = lambda conversation_id: Conversation.objects.filter(pk=conversation_id).first()
    QuerySet.select_for_update = without_lock  # type: ignore[method-assign,assignment]
    rows.fetch = fetch_without_lock
    sending.claim_next = careless


def retake_without_token() -> None:
    """Whoever opened the turn may write it, also when it was taken from them meanwhile."""
    from conversations import turns
    from conversations.models import Turn
    from conversations.ports import Decision

    careful = turns.apply

    def careless(opened: turns.Opened, decision: Decision) -> bool:
        token = Turn.objects.values_list("attempt_token", flat=True).get(pk=opened.turn_id)
        return careful(replace(opened, token=token or opened.token), decision)

    turns.apply = careless


def early_resend() -> None:
    """A send whose answer is late counts as not sent, without the long wait and without a canary."""
    from conversations import sending

    sending.VERDICT_AFTER = EARLY
    sending.has_canary = lambda *_: True


def watermark_by_timestamp() -> None:
    """What the sender's clock says was before the newest answered message counts as answered."""
    from conversations import turns
    from conversations.models import Conversation, Message

    owed, unanswered = turns.newest_owed, turns.newest_unanswered

    def seems_answered(conversation: Conversation, newest: Message) -> bool:
        answered = (
            conversation.messages.filter(author=Message.Author.LEAD, seq__lte=conversation.watermark)
            .order_by("-sent_at")
            .first()
        )
        return answered is not None and not (newest.sent_at and answered.sent_at and newest.sent_at >= answered.sent_at)

    def careless_owed(conversation: Conversation) -> Message | None:
        newest = owed(conversation)
        return None if newest is None or seems_answered(conversation, newest) else newest

    def careless_unanswered(conversation: Conversation) -> int | None:
        up_to = unanswered(conversation)
        if up_to is None or seems_answered(conversation, conversation.messages.get(seq=up_to)):
            return None
        return up_to

    turns.newest_owed = careless_owed
    turns.newest_unanswered = careless_unanswered


LOCK = re.compile(r"\bFOR (NO KEY UPDATE|UPDATE|SHARE)\b")
CLAIMING = (f"{BEFORE} inside may_leave", f"{AFTER} inside may_leave")
EARLY = timedelta(seconds=1)
NEVER_ANSWERED = frozenset({Kind.UNANSWERED, f"{INVARIANT} unanswered_without_turn"})
BUGS: dict[str, Bug] = {
    bug.put_back.__name__: bug
    for bug in (
        Bug(delete_without_generation, NEVER_ANSWERED | {f"{INVARIANT} queued_without_send", Kind.STILL_UNDER_WAY}),
        Bug(epoch_without_lock, frozenset({Kind.CLAIMED_AFTER_TAKEOVER}), CLAIMING),
        Bug(retake_without_token, frozenset({Kind.WRITTEN_BY_FORMER_TAKER}), (f"{AFTER} thought decide",)),
        Bug(early_resend, frozenset({Kind.TWICE_ON_PHONE}), (f"{BEFORE} call send_text",)),
        Bug(watermark_by_timestamp, NEVER_ANSWERED),
    )
}
