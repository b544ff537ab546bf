"""What the composer of an open conversation shows: reply or note, what is answered, and who else writes."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from conversations import notes, replies, wording
from conversations.forms import NoteForm, ReplyForm
from conversations.models import Conversation, Message, Note
from orgs.http import OrgRequest
from orgs.models import Person

QUOTE_CHARS = 120
NOTES_PER_PAGE = 200
WRITES = ("reply", "note")


@dataclass(frozen=True)
class NoteLine:
    """A note among the messages: who wrote it, when, and its words in pieces. `day` as in `Bubble`."""

    note: Note
    by: str
    pieces: tuple[notes.Piece, ...]
    day: date | None = None
    calls_me: bool = False


@dataclass(frozen=True)
class Answered:
    """The message that the reply answers."""

    pk: int
    by: str
    text: str


def context_of(
    request: OrgRequest,
    conversation: Conversation,
    *,
    form: ReplyForm | None = None,
    note_form: NoteForm | None = None,
    write: str = "",
) -> dict[str, Any]:
    """What the composer's template needs. `write`: which of the two forms is shown, else as the address asks."""
    asked = request.GET.get("write", "")
    form = form or ReplyForm(initial={"quoted": request.GET.get("quote")})
    return {
        "form": form,
        "note_form": note_form or NoteForm(),
        "write": write or (asked if asked in WRITES else WRITES[0]),
        "answered": answered_of(conversation, str(form["quoted"].value() or ""), request.user),
        "needs_sure": form.has_error("text", "others_write") or form.has_error("text", "others_replied"),
    }


def answered_of(conversation: Conversation, pk: str, me: Person) -> Answered | None:
    """The message of that id, if a reply in this conversation can answer it."""
    found = quoted_message(conversation, pk)
    if found is None:
        return None
    names = dict(Person.objects.filter(pk=found.person_id).values_list("pk", "name")) if found.person_id else {}
    words = Truncator(found.text or found.transcript).chars(QUOTE_CHARS) or wording.kind(found)
    return Answered(found.pk, author_of(found, me, names), words)


def quoted_message(conversation: Conversation, pk: str) -> Message | None:
    """What a reply answers, by the id a form gave; None for none, or for one that cannot be answered."""
    if not (pk.isascii() and pk.isdigit() and len(pk) < 19):
        return None
    found = conversation.messages.select_related("media").filter(pk=int(pk)).first()
    return found if found is not None and replies.quotable(found) else None


def author_of(message: Message, me: Person, people: dict[int, str]) -> str:
    """Who speaks, in words."""
    if message.author != Message.Author.PERSON:
        return str(message.get_author_display())
    if message.person_id is None:
        return _("Company's phone")
    if message.person_id == me.pk:
        return _("You")
    return people.get(message.person_id) or str(message.get_author_display())


def notes_among(conversation: Conversation, *, low: int, high: int | None) -> list[Note]:
    """The notes that stand among the messages from arrival `low` to before `high`, oldest first, the newest at most."""
    found = conversation.notes.filter(seq__gte=low).order_by("-pk")
    if high is not None:
        found = found.filter(seq__lt=high)
    return list(found[:NOTES_PER_PAGE])[::-1]


def note_lines(conversation: Conversation, kept: list[Note], me: Person, people: dict[int, str]) -> list[NoteLine]:
    """The notes as a thread shows them; one query more when one of them may call somebody."""
    members = notes.readers(conversation) if any("@" in note.text for note in kept) else []
    return [
        NoteLine(
            note=note,
            by=_("You") if note.person_id == me.pk else people.get(note.person_id) or _("Former member"),
            pieces=tuple(notes.pieces(note.text, members)),
            calls_me=note.person_id != me.pk and me in notes.called_in(note.text, members),
        )
        for note in kept
    ]


def merged(bubbles: list[Any], lines: list[NoteLine], zone: ZoneInfo) -> list[Any]:
    """Messages and notes by time, with the first of each day marked."""
    everything = sorted([*bubbles, *lines], key=at_of)
    last_day: date | None = None
    marked = []
    for one in everything:
        day = timezone.localtime(at_of(one), zone).date()
        marked.append(replace(one, day=day if day != last_day else None))
        last_day = day
    return marked


def at_of(line: Any) -> datetime:
    """When a message, or a note, was written."""
    if isinstance(line, NoteLine):
        return line.note.created_at
    message: Message = line.message
    return message.sent_at or message.created_at


def writing_words(names: list[str]) -> str:
    """“Ana is replying”, or nothing."""
    if not names:
        return ""
    return ngettext("%(names)s is replying.", "%(names)s are replying.", len(names)) % {"names": ", ".join(names)}
