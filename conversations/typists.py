"""Who is writing a reply to a lead right now, for the others who have the conversation open (FIELD 4.2)."""

from datetime import datetime

from django.db import connection
from django.utils import timezone

from conversations import live
from conversations.models import Conversation, Typist
from conversations.models.conversation import KEYSTROKE_HOLD
from orgs.models import Person

# A first keystroke makes the row, a later one moves its end; the answer says whether the others must be told.
TYPE = """
WITH before AS (
    SELECT until > %(now)s AS wrote FROM conversations_typist
    WHERE conversation_id = %(conversation)s AND person_id = %(person)s
)
INSERT INTO conversations_typist (conversation_id, person_id, until)
VALUES (%(conversation)s, %(person)s, %(until)s)
ON CONFLICT (conversation_id, person_id) DO UPDATE SET until = EXCLUDED.until
RETURNING coalesce((SELECT wrote FROM before), false)
"""


def types(conversation: Conversation, person: Person) -> None:
    """A keystroke of theirs: nothing of the AI's leaves (DESIGN 4.4), and the others see who writes, for 20 s."""
    now = timezone.now()
    until = now + KEYSTROKE_HOLD
    conversation.hold(until)
    with connection.cursor() as cursor:
        cursor.execute(TYPE, {"conversation": conversation.pk, "person": person.pk, "now": now, "until": until})
        (wrote,) = cursor.fetchone()
    if not wrote:
        Typist.objects.filter(person_id=person.pk, until__lte=now).delete()  # elsewhere, long over
        live.changed(conversation.pk)


def stops(conversation: Conversation, person: Person) -> None:
    """They have sent or deleted what they wrote. Nothing happens where they wrote nothing."""
    if Typist.objects.filter(conversation_id=conversation.pk, person_id=person.pk).delete()[0]:
        live.changed(conversation.pk)


def others(conversation: Conversation, me: Person, *, now: datetime | None = None) -> list[int]:
    """Ids of the other people who write there now, in the order in which they began."""
    writing = Typist.objects.filter(conversation_id=conversation.pk, until__gt=now or timezone.now())
    return list(writing.exclude(person_id=me.pk).order_by("pk").values_list("person_id", flat=True))
