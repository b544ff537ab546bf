"""Private notes of a conversation, and the members they call (PRODUCT 2; FIELD 4.2, "composer").

A note is no message: it is never sent, no brain reads it, and writing one takes nothing over.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from conversations import intake, live, notices
from conversations.access import may_see
from conversations.models import Conversation, Mention, Note
from orgs.context import current_org
from orgs.models import Membership, Person

LONGEST_NAME = 130  # characters after "@" that are looked at


@dataclass(frozen=True)
class Piece:
    """A part of a note's text; `is_mention`: it calls a member."""

    text: str
    is_mention: bool = False


@transaction.atomic
def write(conversation: Conversation, person: Person, *, text: str, key: UUID | None = None) -> Note:
    """Keep a note of the person's, and a mention for each member it calls. The same `key` again is the same note.

    In: `text`, not blank. Out: the note, as it was kept the first time. Raises Conversation.DoesNotExist.
    """
    ours = intake.locked(conversation.pk)
    if key is not None and (before := ours.notes.filter(key=key).first()) is not None:
        return before
    note = Note.objects.create(conversation=ours, person_id=person.pk, text=text, seq=ours.seq, key=key)
    called = [one.pk for one in called_in(text, readers(ours)) if one.pk != person.pk]
    Mention.objects.bulk_create(Mention(note=note, conversation=ours, person_id=pk) for pk in called)
    if called:
        notices.mentioned(note, called)
    live.changed(ours.pk)
    return note


def see(conversation: Conversation, person: Person) -> bool:
    """The person has the conversation open: what called them there is no news any more. Out: whether anything was."""
    unseen = Mention.objects.filter(conversation_id=conversation.pk, person_id=person.pk, seen_at=None)
    has_seen = unseen.update(seen_at=timezone.now()) > 0
    if has_seen:
        live.changed(conversation.pk)  # their lists count it
    return has_seen


def readers(conversation: Conversation) -> list[Person]:
    """Members who may see the conversation, by name: whom a note can call."""
    org = current_org()
    members = Membership.objects.filter(org_id=org.pk, person__is_active=True).select_related("person", "org")
    seeing = (member.person for member in members if may_see(member, conversation))
    return sorted(seeing, key=lambda one: (folded(str(one)), one.pk))


def called_in(text: str, people: Sequence[Person]) -> list[Person]:
    """Whom a text calls, each once, in its order: “@” with a full name, or a first name that only one of them has.

    Case and accents do not matter. Two of the same name are both called.
    """
    named = names_of(people)
    found: dict[int, Person] = {}
    for start in ats(text):
        _, called = match(text, start, named)
        found |= {one.pk: one for one in called}
    return list(found.values())


def pieces(text: str, people: Sequence[Person]) -> list[Piece]:
    """A note's text in parts, so that a page can show whom it calls."""
    named = names_of(people)
    parts: list[Piece] = []
    done = 0
    for start in ats(text):
        length, called = match(text, start, named)
        if called:
            parts += [Piece(text[done:start]), Piece(text[start : start + 1 + length], is_mention=True)]
            done = start + 1 + length
    return [part for part in (*parts, Piece(text[done:])) if part.text]


def names_of(people: Iterable[Person]) -> dict[str, list[Person]]:
    """Folded name → who is called so, the longest name first."""
    full: dict[str, list[Person]] = {}
    first: dict[str, list[Person]] = {}
    for one in people:
        full.setdefault(folded(str(one)), []).append(one)
        first.setdefault(folded(one.get_short_name()), []).append(one)
    names = {name: called for name, called in first.items() if len(called) == 1} | full
    return dict(sorted(names.items(), key=lambda pair: -len(pair[0])))


def ats(text: str) -> list[int]:
    """Where an “@” begins a word."""
    return [place for place, c in enumerate(text) if c == "@" and not (place and text[place - 1].isalnum())]


def match(text: str, start: int, named: dict[str, list[Person]]) -> tuple[int, list[Person]]:
    """The longest name behind the “@” at `start`: its length, and who is called so; (0, []) for none."""
    said = folded(text[start + 1 : start + 1 + LONGEST_NAME])
    for name, called in named.items():
        if name and said.startswith(name) and not said[len(name) : len(name) + 1].isalnum():
            return len(name), called
    return 0, []


def folded(text: str) -> str:
    """Lower case without accents, one character for each of the text's."""
    return "".join((unicodedata.normalize("NFD", c)[:1] or c).lower()[:1] or c for c in text)
