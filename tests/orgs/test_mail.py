"""E-mails: rendered in the reader's language, kept safe, sent once, tried again, given up."""

import smtplib
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail as outbox
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils import timezone
from django.utils.module_loading import import_string
from django_q.models import OrmQ, Schedule

from orgs import mail, tasks
from orgs.models import Mail, Org
from sdr.lib import secrets
from tests.orgs.mailbox import last_mail

TO = "lead@example.com"
KIND = "account/email/email_confirmation"


def write(**changes: Any) -> Mail:
    options: dict[str, Any] = {"to": TO, "context": {"code": "123456"}, "language": "en", **changes}
    return mail.send(KIND, **options)


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> list[Exception]:
    """A mail server that answers each message with the next of these errors, and takes it when none is left."""
    errors: list[Exception] = []

    def send(message: Any, *args: Any, **options: Any) -> int:
        if errors:
            raise errors.pop(0)
        outbox.outbox.append(message)
        return 1

    monkeypatch.setattr("django.core.mail.EmailMultiAlternatives.send", send)
    return errors


def test_it_stores_text_and_html_and_encrypts_both(db: None) -> None:
    row = write()
    assert row.state == Mail.State.QUEUED
    with connection.cursor() as cursor:
        cursor.execute("SELECT text, html, subject FROM orgs_mail WHERE id = %s", [row.pk])
        text, html, subject = cursor.fetchone()
    assert "123456" not in text + html
    assert subject == "123456 is your confirmation code"
    stored = Mail.objects.get(pk=row.pk)
    assert "123456" in stored.text
    assert '<p class="mail-code">123456</p>' in stored.html


def test_it_writes_plain_text_without_entities_and_html_with_them(db: None) -> None:
    row = mail.send(
        "account/email/email_changed",
        to=TO,
        context={
            "from_email": "a&b@example.com",
            "to_email": "<c>@example.com",
            "timestamp": timezone.now(),
            "ip": "127.0.0.1",
        },
        language="en",
    )
    assert "a&b@example.com to <c>@example.com" in row.text
    assert "a&amp;b@example.com to &lt;c&gt;@example.com" in row.html


def test_it_enqueues_once_the_transaction_commits(db: None, django_capture_on_commit_callbacks: Any) -> None:
    before = OrmQ.objects.count()
    with django_capture_on_commit_callbacks(execute=True):
        row = write()
        assert OrmQ.objects.count() == before
    assert [task.task["args"] for task in OrmQ.objects.order_by("pk")[before:]] == [(row.pk,)]


def test_it_writes_nothing_when_the_change_is_rolled_back(db: None) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        write()
        raise RuntimeError
    assert not Mail.objects.filter(to=TO).exists()


def test_it_sends_with_an_id_a_date_and_no_request_for_answers(db: None) -> None:
    row = write()
    assert mail.deliver(row.pk) is True
    sent = outbox.outbox[-1].message()
    assert sent["To"] == TO
    assert sent["Message-ID"].startswith(f"<mail-{row.pk}-")
    assert sent["Auto-Submitted"] == "auto-generated"
    assert sent["Date"]
    assert [part.get_content_type() for part in sent.walk()][1:] == ["text/plain", "text/html"]


def test_it_empties_the_bodies_when_sent(db: None) -> None:
    row = write()
    mail.deliver(row.pk)
    row.refresh_from_db()
    assert (row.state, row.text, row.html, row.attempts) == (Mail.State.SENT, "", "", 1)
    assert row.sent_at is not None


def test_it_sends_only_once_however_often_it_is_asked(db: None) -> None:
    row = write()
    assert [mail.deliver(row.pk), mail.deliver(row.pk)] == [True, False]
    assert len(outbox.outbox) == 1


def test_it_refuses_what_is_no_address(db: None) -> None:
    with pytest.raises(ValidationError):
        write(to="lead@example.com\nBcc: all@example.com")
    assert not Mail.objects.exists()


def test_it_keeps_the_subject_on_one_line(db: None, tmp_path: Any, settings: Any) -> None:
    row = mail.send(
        "socialaccount/email/account_connected",
        to=TO,
        context={"provider": "Goo\r\nBcc: all@example.com\ngle", "timestamp": timezone.now()},
        language="en",
    )
    assert row.subject == "Goo Bcc: all@example.com gle was connected"
    mail.deliver(row.pk)
    assert outbox.outbox[-1].message()["Bcc"] is None


def test_it_tries_again_with_growing_pauses(db: None, refusing: list[Exception]) -> None:
    row = write()
    pauses = []
    for _ in range(8):
        refusing.append(ConnectionRefusedError())
        Mail.objects.filter(pk=row.pk).update(not_before=timezone.now())
        asked = timezone.now()
        assert mail.deliver(row.pk) is False
        row.refresh_from_db()
        pauses.append(round((row.not_before - asked).total_seconds() / 60))
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    assert (row.state, row.last_error) == (Mail.State.QUEUED, "ConnectionRefusedError")
    Mail.objects.filter(pk=row.pk).update(not_before=timezone.now())
    assert mail.deliver(row.pk) is True


def test_it_gives_up_after_a_day(db: None, refusing: list[Exception]) -> None:
    row = write()
    Mail.objects.filter(pk=row.pk).update(created_at=timezone.now() - timedelta(hours=24))
    refusing.append(TimeoutError())
    mail.deliver(row.pk)
    row.refresh_from_db()
    assert (row.state, row.last_error, row.text) == (Mail.State.FAILED, "TimeoutError", "")


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (smtplib.SMTPRecipientsRefused({TO: (550, b"no such user lead@example.com")}), Mail.State.FAILED),
        (smtplib.SMTPRecipientsRefused({TO: (451, b"greylisted")}), Mail.State.QUEUED),
        (smtplib.SMTPDataError(554, b"spam"), Mail.State.FAILED),
        (smtplib.SMTPAuthenticationError(535, b"bad credentials"), Mail.State.QUEUED),
    ],
)
def test_it_gives_up_at_once_only_when_refused_for_good(
    db: None, refusing: list[Exception], error: Exception, state: str
) -> None:
    row = write()
    refusing.append(error)
    mail.deliver(row.pk)
    row.refresh_from_db()
    assert row.state == state
    assert TO not in row.last_error


def test_it_tries_again_when_no_key_opens_it(db: None, settings: Any) -> None:
    """Otherwise it stays due, and every sweep stumbles over it for ever."""
    row = write()
    kept, settings.SECRETS_KEYRING = settings.SECRETS_KEYRING, [secrets.generate_key()]
    assert not mail.deliver(row.pk)
    assert mail.sweep() == 0
    assert Mail.objects.values_list("last_error", flat=True).get(pk=row.pk) == "UnreadableSecret"
    settings.SECRETS_KEYRING = kept
    Mail.objects.filter(pk=row.pk).update(not_before=timezone.now())
    assert mail.deliver(row.pk)


def test_it_waits_for_its_turn(db: None) -> None:
    row = write()
    Mail.objects.filter(pk=row.pk).update(not_before=timezone.now() + timedelta(minutes=1))
    assert mail.deliver(row.pk) is False
    assert outbox.outbox == []


def test_it_enqueues_what_was_left_behind(db: None) -> None:
    left, later, done = write(), write(), write()
    Mail.objects.filter(pk=later.pk).update(not_before=timezone.now() + timedelta(minutes=5))
    mail.deliver(done.pk)
    before = OrmQ.objects.count()
    assert mail.sweep() == 1
    assert [task.task["args"] for task in OrmQ.objects.order_by("pk")[before:]] == [(left.pk,)]


def test_it_takes_over_from_a_worker_that_died(db: None) -> None:
    row = write()
    assert mail.claim(row.pk) is not None
    assert mail.claim(row.pk) is None
    Mail.objects.filter(pk=row.pk).update(not_before=timezone.now())  # the lease is over
    assert mail.deliver(row.pk) is True


def test_it_leaves_the_row_to_the_worker_that_took_over(db: None) -> None:
    row = write()
    slow = mail.claim(row.pk)
    assert slow is not None
    Mail.objects.filter(pk=row.pk).update(not_before=timezone.now())
    assert mail.deliver(row.pk) is True
    mail.note_failure(slow, TimeoutError())
    row.refresh_from_db()
    assert row.state == Mail.State.SENT


def test_it_prunes_what_ended_a_month_ago(db: None) -> None:
    old, young, waiting = write(), write(), write()
    mail.deliver(old.pk)
    mail.deliver(young.pk)
    Mail.objects.filter(pk__in=[old.pk, waiting.pk]).update(created_at=timezone.now() - timedelta(days=31))
    assert mail.prune() == 1
    assert set(Mail.objects.filter(to=TO).values_list("pk", flat=True)) == {young.pk, waiting.pk}


def test_it_belongs_to_its_org(acme: Org) -> None:
    write(org=acme)
    assert last_mail(TO).org == acme


def test_it_makes_the_schedules_once(db: None) -> None:
    tasks.ensure_schedules()
    tasks.ensure_schedules()
    funcs = [repeat.func for repeat in tasks.REPEATS]
    assert sorted(Schedule.objects.filter(func__in=funcs).values_list("func", flat=True)) == sorted(funcs)


@pytest.mark.parametrize("repeat", tasks.REPEATS, ids=lambda repeat: repeat.name)
def test_it_can_run_each_schedule(db: None, repeat: tasks.Repeat) -> None:
    import_string(repeat.func)()


def test_it_sends_once_when_many_workers_ask_at_the_same_time(committed: None) -> None:
    row = write()
    barrier = threading.Barrier(8)
    sent: list[bool] = []

    def work() -> None:
        try:
            barrier.wait()
            sent.append(mail.deliver(row.pk))
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(sent) == [False] * 7 + [True]
    assert len(outbox.outbox) == 1
