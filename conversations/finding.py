"""Finding conversations by a name, a phone or words that were written; call inside the org.

Contacts are few enough to be looked through; messages are found by an index over their folded words
(`models.message.Words`). Both stop at a bound: a search shows the newest, and narrows with more words.
"""

import re

from django.contrib.postgres.search import SearchQuery
from django.db.models import F, Q

from conversations import policy
from conversations.models import Contact, Conversation, Message
from conversations.models.message import Words

CONTACTS = 300
MESSAGES = 400
SHORTEST_WORD = 2  # letters; a single one is in everything
SHORTEST_PHONE = 4  # digits
WORD = re.compile(r"[a-z0-9]+")
NOT_DIGITS = re.compile(r"[^0-9]")


def conversations(text: str) -> list[int]:
    """Ids of the conversations whose contact is so called, or has those digits, or in which somebody wrote the words.

    In: as a person typed it. The last word may be unfinished. Out: at most CONTACTS + MESSAGES contacts' and messages'
    conversations, each once; in no order. Two queries.
    """
    folded = policy.folded(text)
    found = set(by_contact(folded))
    query = words_query(folded)
    if query is not None:
        found.update(by_words(query))
    return sorted(found)


def by_contact(folded: str) -> list[int]:
    """By name (every word somewhere in it) or by a piece of the phone."""
    words = folded.split()
    named = Q(*(Q(name_folded__contains=word) for word in words)) if words else Q(pk=None)
    digits = NOT_DIGITS.sub("", folded)
    if len(digits) >= SHORTEST_PHONE and not re.search("[a-z]", folded):
        named |= Q(phone__contains=digits)
    contacts = Contact.objects.filter(named).order_by("-pk").values("pk")[:CONTACTS]
    return list(Conversation.objects.filter(contact__in=contacts).values_list("pk", flat=True))


def by_words(query: str) -> list[int]:
    """By what was written: the newest messages that hold all the words.

    Ordered by an expression, not by the key: or PostgreSQL would walk a million messages backwards for a rare word.
    """
    found = (
        Message.objects.alias(words=Words("text", "transcript"))
        .filter(words=SearchQuery(query, config="simple", search_type="raw"), deleted_at=None)
        .order_by((F("pk") + 0).desc())
        .values_list("conversation_id", flat=True)[:MESSAGES]
    )
    return list(set(found))


def words_query(folded: str) -> str | None:
    """The words as PostgreSQL's search takes them, the last one as a beginning; None when there is nothing to seek."""
    words = [word for word in WORD.findall(folded) if len(word) >= SHORTEST_WORD]
    if not words:
        return None
    return " & ".join([*words[:-1], f"{words[-1]}:*"])
