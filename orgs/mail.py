"""E-mails: rendered in the reader's language, stored with the change that causes them, sent by a task after the commit.

A mail server that is away loses nothing: the row waits, `orgs.tasks.send_mail` tries again with a growing pause, and a
schedule picks up what a dead worker left. Sending is claimed by compare-and-swap on `attempts`, so that of two workers
one sends. A worker that dies between sending and recording it is repeated with the same Message-ID: at least once.
"""

import smtplib
from collections.abc import Mapping
from datetime import timedelta
from email.utils import format_datetime, parseaddr

import structlog
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import F, QuerySet
from django.template import Context, Engine
from django.template.loader import get_template
from django.utils import timezone, translation
from django_q.tasks import async_task

from orgs.models import Mail, Org, Person

CLAIM_LEASE = timedelta(minutes=5)  # longer than a conversation with the mail server may take
FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=1)
GIVE_UP_AFTER = timedelta(hours=24)
KEPT_FOR = timedelta(days=30)
SWEEP_ROWS = 200
PRUNE_ROWS = 5_000

logger = structlog.get_logger(__name__)


# --- Writing ----------------------------------------------------------------------------------------------------------
def send(
    template: str,
    *,
    to: str,
    context: Mapping[str, object],
    language: str,
    org: Org | None = None,
    person: Person | None = None,
) -> Mail:
    """Store an e-mail in the current transaction and send it once that commits.

    In: `template` is a prefix such as "orgs/mail/invitation": `<prefix>_subject.txt`, `_message.txt` (extends
    layouts/mail.txt) and `_message.html` (extends layouts/mail.html) are rendered in `language` with `context` and
    `brand`, `site_url`, `email`, `org`, `person`. `to` is one address; ValidationError when it is none. Links in
    `context` are absolute (`absolute_url`).
    """
    validate_email(to)
    known = {
        "brand": settings.BRAND,
        "site_url": settings.SITE_URL,
        "email": to,
        "org": org,
        "person": person,
        **context,
    }
    with translation.override(language):
        subject = " ".join(render_text(f"{template}_subject.txt", known).split())
        text = render_text(f"{template}_message.txt", known).strip() + "\n"
        html = get_template(f"{template}_message.html").render(known)
    mail = Mail.objects.create(
        to=to,
        subject=subject[: Mail._meta.get_field("subject").max_length],
        text=text,
        html=html,
        language=language,
        kind=template,
        org=org,
    )
    transaction.on_commit(lambda: enqueue(mail.pk), robust=True)
    return mail


def absolute_url(path: str) -> str:
    """The public address of a path of ours, for links in e-mails."""
    return f"{settings.SITE_URL}{path}"


def render_text(name: str, context: Mapping[str, object]) -> str:
    """A template as plain text: no character becomes an HTML entity."""
    return Engine.get_default().get_template(name).render(Context(context, autoescape=False))


def enqueue(pk: int) -> None:
    async_task("orgs.tasks.send_mail", pk, save=False)


# --- Sending ----------------------------------------------------------------------------------------------------------
def deliver(pk: int) -> bool:
    """Send the mail if it is due and nobody else is sending it. True when the mail server has taken it.

    Not for use inside a transaction: it talks to the mail server.
    """
    mail = claim(pk)
    if mail is None:
        return False
    try:
        mail.refresh_from_db(fields=["text", "html"])  # here, since a body that no key opens is a failure like others
        message_of(mail).send()
    except Exception as error:  # mail backends raise whatever they like; the row says what it was
        note_failure(mail, error)
        return False
    mine(mail).update(state=Mail.State.SENT, sent_at=timezone.now(), text="", html="", last_error="")
    return True


def claim(pk: int) -> Mail | None:
    """The mail without its bodies, ours for CLAIM_LEASE; None when it is sent, not due, or somebody else sends it."""
    now = timezone.now()
    due = Mail.objects.filter(pk=pk, state=Mail.State.QUEUED, not_before__lte=now)
    mail = due.defer("text", "html").first()
    if mail is None or not mine(mail).update(attempts=F("attempts") + 1, not_before=now + CLAIM_LEASE):
        return None
    mail.attempts += 1
    return mail


def mine(mail: Mail) -> QuerySet[Mail]:
    """The row as long as nobody has claimed it since we read it."""
    return Mail.objects.filter(pk=mail.pk, state=Mail.State.QUEUED, attempts=mail.attempts)


def note_failure(mail: Mail, error: Exception) -> None:
    """Wait and try again, or give up: at once when the server refuses for good, otherwise after GIVE_UP_AFTER."""
    now = timezone.now()
    pause = min(FIRST_PAUSE * 2 ** (mail.attempts - 1), LONGEST_PAUSE)
    is_final = is_permanent(error) or now + pause > mail.created_at + GIVE_UP_AFTER
    reason = describe(error)[:300]
    if is_final:
        mine(mail).update(state=Mail.State.FAILED, last_error=reason, text="", html="")
        logger.error("mail_failed", mail=mail.pk, kind=mail.kind, attempts=mail.attempts, reason=type(error).__name__)
        return
    mine(mail).update(not_before=now + pause, last_error=reason)
    logger.warning("mail_delayed", mail=mail.pk, kind=mail.kind, attempts=mail.attempts, reason=type(error).__name__)


def is_permanent(error: Exception) -> bool:
    """True when the server has refused this mail for good (RFC 5321 4.2.1: 5yz). A refused sign-in is our fault and may
    be mended, so it is not."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in error.recipients.values())
    return isinstance(error, smtplib.SMTPDataError) and error.smtp_code >= 500


def describe(error: Exception) -> str:
    """The kind of failure and the server's code, without the addresses that its text may repeat."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return f"Recipient refused ({', '.join(str(code) for code, _ in error.recipients.values())})"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{type(error).__name__} ({error.smtp_code})"
    return type(error).__name__


def message_of(mail: Mail) -> EmailMultiAlternatives:
    """The message, the same at every attempt: its id and date are those of the row."""
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2]
    message = EmailMultiAlternatives(
        subject=mail.subject,
        body=str(mail.text),
        to=[mail.to],
        headers={
            "Date": format_datetime(mail.created_at),
            "Message-ID": f"<mail-{mail.pk}-{mail.created_at:%Y%m%d%H%M%S}@{domain}>",
            "Content-Language": mail.language,
            "Auto-Submitted": "auto-generated",  # RFC 3834: no out-of-office answers
            "X-Auto-Response-Suppress": "All",
        },
    )
    message.attach_alternative(str(mail.html), "text/html")
    return message


# --- Keeping tidy -----------------------------------------------------------------------------------------------------
def sweep() -> int:
    """Enqueue what is due: retries whose pause is over, and mails whose task was lost. How many."""
    due = Mail.objects.filter(state=Mail.State.QUEUED, not_before__lte=timezone.now()).order_by("not_before", "pk")
    pks = list(due.values_list("pk", flat=True)[:SWEEP_ROWS])
    for pk in pks:
        enqueue(pk)
    return len(pks)


def prune() -> int:
    """Delete rows of mails that ended over KEPT_FOR ago, at most PRUNE_ROWS. How many."""
    ended = Mail.objects.exclude(state=Mail.State.QUEUED).filter(created_at__lt=timezone.now() - KEPT_FOR)
    return Mail.objects.filter(pk__in=list(ended.order_by("pk").values_list("pk", flat=True)[:PRUNE_ROWS])).delete()[0]
