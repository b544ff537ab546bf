"""Where a lead's words are kept, and how they go: the registry that erasing and exporting a contact walk (LGPD 18).

Every model field of ours that can hold text is named here, either as held (`register`) or as free of leads' words
(`free`); a test fails when one is missing. Apps above this one name theirs in their `ready`.

How erasing stays safe while work is under way. Locks are taken in the order of intake: what arrived, contacts by id,
conversations by id. So an intake that runs has either stored its message before, which then goes too, or finds the
contact gone afterwards; a turn or a send finds its rows gone and writes nothing. What was said before the erasure and
comes again (a late webhook, the gap detective) is known by a keyed hash of the lead's phone and LID (`Erased`) and is
not taken in. Whoever writes anew is a new contact.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

from django.apps import apps
from django.conf import settings
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac

from conversations.models import Alias, Contact, Conversation, Erased, FormerConversation, MediaAsset, Message
from orgs import audit, bell
from orgs.context import current_org
from orgs.models import Due, Person, Received
from orgs.models.queue import NORMAL
from sdr.lib import phone

KIND = "erase_files"
STILL_LEAVING = timedelta(minutes=2)  # a send that was under way may reach the chat so much later
PATHS_AT_ONCE = 200  # in one row of late work
OUTSIDE = ("the WhatsApp provider's own database, and the phones of both sides",)


@dataclass(frozen=True)
class Subject:
    """Whose words: contact ids (those merged into it too), every name they had, and ids that name their messages."""

    contacts: tuple[int, ...]
    names: tuple[tuple[str, str], ...] = ()  # (sort, value) of aliases
    provider_ids: tuple[str, ...] = ()
    jids: tuple[str, ...] = ()

    @property
    def pattern(self) -> str:
        """A regular expression that finds a provider's bodies about them, "" when nothing is known to look for.

        It looks for their address, in every spelling, and for ids of their messages; not for digits that somebody else
        only mentions.
        """
        numbers = {spelling for _, value in self.names for spelling in phone.spellings(value)}
        digits = {jid.partition("@")[0].partition(":")[0] for jid in self.jids} | numbers
        people = "|".join(sorted(escaped(one) for one in digits if one))
        messages = "|".join(sorted(escaped(one) for one in self.provider_ids))
        parts = [rf"(^|[^0-9])({people})(:[0-9]+)?@", f'"({people})"'] if people else []
        return "|".join([*parts, *([f'"({messages})"'] if messages else [])])


Rows = QuerySet[Any]


@dataclass(frozen=True)
class Holding:
    """A model whose rows hold a lead's words. `fields` are theirs and are exported, `also` goes along with the row."""

    model: str
    rows: Callable[[Subject], Rows] = field(repr=False)
    fields: tuple[str, ...]
    also: tuple[str, ...] = ()
    is_queue: bool = False  # locked before the contact, as intake does


HOLDINGS: dict[str, Holding] = {}
FREE: dict[str, frozenset[str]] = {}  # model → text fields that never hold what a lead said


def register(*holdings: Holding) -> None:
    """Name places, children before parents. Raises ValueError for a model that is named already."""
    for holding in holdings:
        if holding.model in HOLDINGS:
            raise ValueError(f"{holding.model} is registered")
        HOLDINGS[holding.model] = holding


def free(model: str, *fields: str) -> None:
    """These text fields of a model hold nothing that a lead said or is."""
    FREE[model] = FREE.get(model, frozenset()) | set(fields)


def mine(model: str, path: str) -> Callable[[Subject], Rows]:
    """Rows that lead to the contact by `path`."""
    return lambda subject: manager(model).filter(**{f"{path}__in": subject.contacts})


def manager(model: str) -> Any:
    return cast(type[Model], apps.get_model(model))._default_manager


def arrived(subject: Subject) -> Rows:
    """Webhooks that nobody has read yet and that are about the lead."""
    return about(subject, Received.objects.filter(org_id=current_org().pk), "body")


def about(subject: Subject, rows: Rows, column: str) -> Rows:
    """Rows whose `column` holds a provider's body about the lead."""
    return rows.filter(**{f"{column}__regex": subject.pattern}) if subject.pattern else rows.none()


def escaped(needle: str) -> str:
    return "".join(f"\\{c}" if not (c.isalnum() or c in "-_") else c for c in needle)


register(
    Holding("orgs.Received", arrived, ("body",), ("dedupe_key", "context"), is_queue=True),
    Holding("conversations.Correction", mine("conversations.Correction", "message__conversation__contact"),
            ("former_text",)),
    Holding("conversations.MediaAsset", mine("conversations.MediaAsset", "message__conversation__contact"),
            ("file_name", "mime"), ("path", "claimed_mime", "hearing", "failure")),
    Holding("conversations.EvalCase", mine("conversations.EvalCase", "conversation__contact"),
            ("expect", "should_say", "note", "created_at"), ("reason", "seen", "language")),
    Holding("conversations.Answer", mine("conversations.Answer", "conversation__contact"), ("stage", "quote")),
    Holding("conversations.Signal", mine("conversations.Signal", "conversation__contact"), ("key", "quote")),
    Holding("conversations.Fact", mine("conversations.Fact", "contact"), ("key", "value", "quote")),
    Holding("conversations.Qualification", mine("conversations.Qualification", "conversation__contact"),
            ("stage", "score", "is_qualified", "points", "summary"), ("ruled_out_by",)),
    Holding("conversations.Pending", lambda subject: manager("conversations.Pending").filter(
            target_id__in=subject.provider_ids), ("data",), ("target_id", "sort")),
    Holding("conversations.Message", mine("conversations.Message", "conversation__contact"),
            ("author", "kind", "text", "transcript", "extra", "reaction", "sent_at", "created_at"),
            ("provider_id", "type_name", "quoted_id", "failure")),
    Holding("conversations.Note", mine("conversations.Note", "conversation__contact"), ("text", "created_at")),
    Holding("conversations.Event", mine("conversations.Event", "conversation__contact"),
            ("name", "data", "occurred_at")),
    Holding("conversations.Takeover", mine("conversations.Takeover", "conversation__contact"),
            ("source", "started_at", "ended_at")),
    Holding("conversations.Turn", mine("conversations.Turn", "conversation__contact"),
            ("intent", "opened_at"), ("reason", "brain", "model", "prompt_hash", "seen", "timings", "tools", "guards")),
    Holding("conversations.Conversation", mine("conversations.Conversation", "contact"),
            ("reply_jid", "owner", "lifecycle", "rating", "created_at"),
            ("needs_reason", "preview", "preview_author")),
    Holding("conversations.Alias", mine("conversations.Alias", "contact"), ("sort", "value", "created_at")),
    Holding("conversations.OptOut", mine("conversations.OptOut", "contact"), ("is_out", "at", "note")),
    Holding("conversations.Consent", mine("conversations.Consent", "contact"), ("basis", "source", "at")),
    Holding("conversations.Contact", lambda subject: Contact.objects.filter(pk__in=subject.contacts),
            ("name", "phone", "language", "opted_out_at", "referral", "created_at"), ("name_folded",)),
)  # fmt: skip

# What we wrote, what is about ourselves, and keys and codes.
free("conversations.AgentVersion", "language", "name", "instructions", "business", "disclosure", "hours", "time_zone",
     "away_text", "brain", "model", "thinking_level", "questions", "answers_needed", "stage_points", "signal_points",
     "disqualifiers", "objections", "forbidden", "follow_ups", "holidays", "answers_at_most", "goals", "facts_left_out",
     "human_topics", "handoff_text", "handoff_away_text", "yearly_holidays", "note")  # fmt: skip
free("conversations.Assignment", "rules", "turns")
free("conversations.Document", "title", "language", "text", "path", "url", "mime", "digest", "failure")
free("conversations.Passage", "heading", "text", "terms")
free("conversations.Product", "name", "description", "currency", "unit", "conditions")
free("conversations.CannedReply", "shortcut", "text")
free("conversations.SavedView", "name", "query")  # filters, without what was searched for
free("conversations.ModelCall", "model", "response_id", "outcome")  # costs, kept for the books
free("conversations.Erased", "digest")
free("conversations.Number", "name", "phone", "own_jid", "state", "alerted_to", "provider_url", "provider_key",
     "server_key", "instance", "leftovers", "instance_id", "trouble", "code", "rhythm")  # fmt: skip
free("orgs.ChannelAddress", "key", "secret", "former_secret", "instance", "instance_id", "former_instances", "own_jid")
free("orgs.AuditEntry", "org_slug", "actor", "action", "target", "data", "user_agent", "request_id")  # masks words
free("orgs.Flag", "name")
free("orgs.FlagOverride", "name")
free("orgs.Heartbeat", "name", "kind")
free("orgs.Mail", "to", "subject", "text", "html", "language", "kind", "last_error")  # to members, without leads' words
free("orgs.Notification", "kind", "cause", "data")  # codes and ids
free("orgs.NotificationDelivery", "channel", "state")
free("orgs.NotificationSettings", "channels", "time_zone")
free("orgs.Org", "schema_name", "name", "name_folded", "slug", "suspended_reason", "time_zone", "schema_version")
free("orgs.Domain", "domain")
free("orgs.Person", "password", "email", "name")
free("orgs.Invitation", "email", "token_hash")
free("orgs.Due", "kind", "ref", "context", "last_error")  # ids
free("orgs.Later", "kind", "ref", "context", "last_error")
free("orgs.PushSubscription", "digest", "endpoint", "auth", "p256dh", "session_key", "user_agent")
free("orgs.RateBucket", "key")
free("orgs.SchemaVersion", "name", "version", "migrations", "sql")


# --- Verbs ------------------------------------------------------------------------------------------------------------
@transaction.atomic
def erase(contact: Contact, *, person: Person | None = None, request: HttpRequest | None = None) -> dict[str, int]:
    """Everything we keep of a contact goes; safe while work on it is under way, and to repeat. Call inside the org.

    Out: rows that went, by model, and `files`. What others keep is in OUTSIDE. Of an erased contact there is nothing
    to count.
    """
    counts: dict[str, int] = {}
    subject = gather(contact)
    for holding in HOLDINGS.values():
        if holding.is_queue:
            counts[holding.model] = remove(holding, subject)
    subject = lock(contact)
    paths = list(
        MediaAsset.objects.filter(message__conversation__contact__in=subject.contacts)
        .exclude(path="")
        .values_list("path", flat=True)
    )
    addresses = Conversation.objects.filter(contact__in=subject.contacts).values_list("pk", flat=True)
    gone = [FormerConversation(former_id=pk) for pk in addresses]  # whoever opens it learns that it was erased
    FormerConversation.objects.bulk_create(gone, ignore_conflicts=True)
    until = timezone.now()
    for digest in (digest_of(*name) for name in subject.names):
        Erased.objects.update_or_create(digest=digest, defaults={"until": until})
    for holding in HOLDINGS.values():
        counts[holding.model] = counts.get(holding.model, 0) + remove(holding, subject)
    for start in range(0, len(paths), PATHS_AT_ONCE):
        part = paths[start : start + PATHS_AT_ONCE]
        Due.objects.want(current_org().pk, KIND, f"{contact.pk}/{start}", priority=NORMAL, context={"paths": part})
    bell.ring()
    counts["files"] = len(paths)
    if counts["conversations.Contact"]:
        audit.record(
            audit.Action.CONTACT_ERASED, request=request, org=current_org(), person=person,
            target=f"contact:{contact.pk}", data={"rows": sum(counts.values())},
        )  # fmt: skip
    return counts


def remove(holding: Holding, subject: Subject) -> int:
    """Delete the rows of one place. Out: how many of that model."""
    rows = holding.rows(subject)
    _, by_model = rows.delete()
    return int(by_model.get(holding.model, 0))


def gather(contact: Contact) -> Subject:
    """Who is meant, as the rows say at this moment."""
    contacts = sorted({contact.pk, *Contact.objects.filter(merged_into=contact.pk).values_list("pk", flat=True)})
    conversations = Conversation.objects.filter(contact__in=contacts)
    return Subject(
        contacts=tuple(contacts),
        names=tuple(Alias.objects.filter(contact__in=contacts).order_by("pk").values_list("sort", "value")),
        provider_ids=tuple(
            str(provider_id)
            for provider_id in Message.objects.filter(conversation__in=conversations, provider_id__isnull=False)
            .order_by("pk")
            .values_list("provider_id", flat=True)
        ),
        jids=tuple(conversations.order_by("pk").values_list("reply_jid", flat=True)),
    )


def lock(contact: Contact) -> Subject:
    """Contacts by id, then their conversations by id: whoever works on them has ended, or waits for us.

    The contacts' keys stay free until the conversations are ours: PostgreSQL checks a conversation's foreign key at
    commit once it was written twice, so that a turn's end would wait for us and we for it.
    """
    while True:
        subject = gather(contact)
        list(Contact.objects.select_for_update(no_key=True).filter(pk__in=subject.contacts).order_by("pk"))
        list(Conversation.objects.select_for_update().filter(contact__in=subject.contacts).order_by("pk"))
        now = gather(contact)
        if now.contacts == subject.contacts:
            return now


def export(contact: Contact) -> dict[str, list[dict[str, Any]]]:
    """What we keep of a contact, by model: plain values for `DjangoJSONEncoder`. Call inside the org."""
    subject = gather(contact)
    return {
        holding.model: list(holding.rows(subject).order_by("pk").values("id", *holding.fields))
        for holding in HOLDINGS.values()
    }


def erase_files(paths: Iterable[str]) -> None:
    """Delete stored files; one that is not there is fine. No transaction."""
    for path in paths:
        default_storage.delete(path)


# --- What comes again -------------------------------------------------------------------------------------------------
def erased_until(names: Iterable[tuple[str, str]]) -> datetime | None:
    """Up to when the words of somebody of these names were erased; None for somebody we have not erased."""
    digests = [digest for name in names for digest in digests_of(*name)]
    return (
        Erased.objects.filter(digest__in=digests).order_by("-until").values_list("until", flat=True).first()
        if digests
        else None
    )


def is_erased(until: datetime | None, sent_at: datetime | None, *, from_us: bool) -> bool:
    """Whether a message of that time belongs to what was erased. One of ours may have been on its way."""
    if until is None or sent_at is None:
        return False
    return sent_at <= (until + STILL_LEAVING if from_us else until)


def digest_of(sort: str, value: str) -> str:
    return digests_of(sort, value)[0]


def digests_of(sort: str, value: str) -> list[str]:
    """A name's keyed hashes: by today's key first, then by former ones, so that a rotation forgets nobody."""
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    about = f"{current_org().pk}/{sort}/{value}"
    return [salted_hmac("conversations.erasure", about, secret=key, algorithm="sha256").hexdigest() for key in keys]
