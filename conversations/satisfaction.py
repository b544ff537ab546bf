"""How content a lead was: asked once at the end, 1 to 5, and rarely (PRODUCT 2, "Conversation rules").

The end is a person closing the conversation as done. The question leaves a closed conversation, whoever owned it; a
whole message that reads as a rating is one only as its answer, and reopens nothing. Any other word reopens as ever.
"""

import re
from datetime import datetime, timedelta

from conversations import policy
from conversations.events import record
from conversations.models import AgentVersion, Contact, Conversation, EventName, Message, Number

ASKS, THANKS = "satisfaction", "rated"  # what the words of both are marked with
FAREWELLS = frozenset({ASKS, THANKS})  # may leave a closed conversation, also one that a person owned
AGAIN_AFTER = timedelta(days=90)  # on any number of the org
FRESH = timedelta(hours=24)  # since the lead's last word: WhatsApp's own window for answers
ANSWERED_WITHIN = timedelta(days=3)
LEAST_WORDS = 2  # messages of each side: less was no conversation

DIGIT = re.compile(
    r"(?:nota|dou|minha nota e|rating|i give|le doy|doy|un|a|es)?\s*([1-5])(?:\s*(?:/|de|of|out of)\s*5)?"
    r"\s*(?:estrelas?|stars?|estrellas?|pontos?|points?|puntos?)?\s*[.!]*",
)
WORDS = {
    **dict.fromkeys(("um", "uma", "one", "uno", "una"), 1),
    **dict.fromkeys(("dois", "duas", "two", "dos"), 2),
    **dict.fromkeys(("tres", "three"), 3),
    **dict.fromkeys(("quatro", "four", "cuatro"), 4),
    **dict.fromkeys(("cinco", "five"), 5),
}
STARS = re.compile(r"(?:⭐️?|🌟|★){1,5}")
KEYCAP = "\ufe0f\u20e3"


def rating_of(text: str) -> int | None:
    """1 to 5 when the whole message is a rating in one of the three languages, else None. Pure."""
    plain = text.replace(KEYCAP, "").strip()
    if STARS.fullmatch(plain):
        return sum(1 for one in plain if one in "⭐🌟★")
    if found := DIGIT.fullmatch(plain.casefold()):
        return int(found.group(1))
    words = policy.folded(plain).removeprefix("nota ").split()
    return WORDS.get(words[0]) if len(words) == 1 else None


def may_be_asked(conversation: Conversation, contact: Contact, agent: AgentVersion, *, now: datetime) -> bool:
    """Whether the lead of a conversation that a person closes now should be asked. Reads, at most three queries."""
    if not agent.asks_satisfaction or contact.is_silenced:
        return False
    if conversation.number.mode in {Number.Mode.OFF, Number.Mode.DRAFTS}:
        return False
    if conversation.last_lead_at is None or conversation.last_lead_at < now - FRESH:
        return False
    asked = Conversation.objects.filter(contact=contact, rating_asked_at__gt=now - AGAIN_AFTER)
    if asked.exists():
        return False
    said = conversation.messages.filter(deleted_at=None)
    theirs = said.filter(author=Message.Author.LEAD)
    ours = said.filter(author__in=[Message.Author.AI, Message.Author.PERSON], state=Message.State.SENT)
    return theirs.count() >= LEAST_WORDS and ours.count() >= LEAST_WORDS


def answer_in(conversation: Conversation, text: str, *, now: datetime) -> int | None:
    """The rating that a lead's new message is, None when it is none. The conversation must be locked, and not yet open
    again."""
    asked_at = conversation.rating_asked_at
    if asked_at is None or conversation.rating is not None or now > asked_at + ANSWERED_WITHIN:
        return None
    if conversation.lifecycle != Conversation.Lifecycle.CLOSED:
        return None
    rating = rating_of(text)
    if rating is None:
        return None
    ours = conversation.messages.exclude(author=Message.Author.LEAD)
    last = ours.exclude(state__in=[Message.State.CANCELLED, Message.State.FAILED]).order_by("-seq").first()
    is_question = last is not None and last.state == Message.State.SENT and last.extra.get("sort") == ASKS
    return rating if is_question else None


def note(conversation: Conversation, message: Message, rating: int) -> None:
    """Keep the rating, and record it. The conversation must be locked."""
    conversation.rating = rating
    conversation.save(update_fields=["rating"])
    record(conversation, EventName.SESSION_RATED, message_id=message.pk, rating=rating)
