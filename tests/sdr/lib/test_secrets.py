"""Secrets at rest: sealed by the first key, opened by any, unreadable to whoever looks."""

import threading
import time
from io import StringIO
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.core.exceptions import FieldError, ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from orgs.models import Mail, Person
from sdr.lib import secrets
from sdr.lib.secrets import Secret, UnreadableSecret

OLD, NEW, LOST = (secrets.generate_key() for _ in range(3))


@pytest.fixture(autouse=True)
def old_key(settings: Any) -> None:
    settings.SECRETS_KEYRING = [OLD]


def make_mail(text: str = "the link") -> Mail:
    return Mail.objects.create(to="ana@example.com", subject="s", text=text, language="en", kind="k")


def stored(pk: int) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT text FROM orgs_mail WHERE id = %s", [pk])
        return str(cursor.fetchone()[0])


@given(st.text())
def test_it_opens_what_it_sealed(text: str) -> None:
    sealed = secrets.seal(text)
    assert sealed.isascii()
    assert secrets.unseal(sealed) == text
    assert secrets.seal(text) != sealed


@given(st.text(min_size=1), st.data())
def test_it_refuses_a_changed_value(text: str, data: st.DataObject) -> None:
    sealed = secrets.seal(text)
    position = data.draw(st.integers(len(secrets.keyring().prefix), len(sealed) - 6))
    changed = sealed[:position] + ("A" if sealed[position] != "A" else "B") + sealed[position + 1 :]
    with pytest.raises(UnreadableSecret):
        secrets.unseal(changed)


@given(st.text(max_size=60))
def test_it_refuses_what_was_never_sealed(text: str) -> None:
    with pytest.raises(UnreadableSecret):
        secrets.unseal(text)


def test_it_names_the_missing_key_and_not_the_value(settings: Any) -> None:
    sealed = secrets.seal("hunter2")
    settings.SECRETS_KEYRING = [NEW]
    with pytest.raises(UnreadableSecret, match=secrets.fingerprint(OLD)) as caught:
        secrets.unseal(sealed)
    assert "hunter2" not in str(caught.value)
    assert sealed not in str(caught.value)


@pytest.mark.parametrize("keys", [[], ["short"], [OLD, "not a key"]])
def test_it_says_what_is_wrong_with_the_keyring(settings: Any, keys: list[str]) -> None:
    settings.SECRETS_KEYRING = keys
    with pytest.raises(ImproperlyConfigured, match="SECRETS_KEYRING") as caught:
        secrets.seal("x")
    assert not any(key in str(caught.value) for key in keys)


def test_it_stores_only_sealed_values(db: None) -> None:
    mail = make_mail("the link")
    Mail.objects.filter(pk=mail.pk).update(html="<b>the link</b>")
    assert "link" not in stored(mail.pk)
    found = Mail.objects.get(pk=mail.pk)
    assert (found.text, found.html) == ("the link", "<b>the link</b>")
    assert repr(found.text) == "'[secret]'"
    found.html = "again"
    assert repr(found.html) == "'[secret]'"
    Mail.objects.bulk_update([found], ["html"])
    assert str(Mail.objects.defer("html").get(pk=mail.pk).html) == "again"
    assert isinstance(found.text, Secret)


def test_it_cannot_be_searched_or_dumped(db: None) -> None:
    make_mail()
    with pytest.raises(FieldError):
        Mail.objects.filter(text="the link").exists()
    with pytest.raises(CommandError, match="encrypted"):
        call_command("dumpdata", "orgs.Mail", stdout=StringIO())
    assert Mail.objects.filter(text__isnull=False).count() == 1


def test_it_seals_everything_anew_once_and_changes_nothing_the_second_time(
    transactional: None, settings: Any, ana: Person
) -> None:
    mail = make_mail()
    TOTP.activate(ana, "JBSWY3DPEHPK3PXP")
    codes = RecoveryCodes.activate(ana).generate_codes()
    settings.SECRETS_KEYRING = [NEW, OLD]
    call_command("rotate_secrets", stdout=StringIO())
    settings.SECRETS_KEYRING = [NEW]
    assert Mail.objects.get(pk=mail.pk).text == "the link"
    data = Authenticator.objects.get(user=ana, type=Authenticator.Type.TOTP).data
    assert secrets.unseal(data["secret"]) == "JBSWY3DPEHPK3PXP"
    recovery = Authenticator.objects.get(user=ana, type=Authenticator.Type.RECOVERY_CODES)
    assert RecoveryCodes(recovery).generate_codes() == codes
    before = stored(mail.pk)
    output = StringIO()
    call_command("rotate_secrets", stdout=output)
    assert output.getvalue().startswith("0 values sealed")
    assert stored(mail.pk) == before


def test_it_reports_what_no_key_opens_and_seals_the_rest(transactional: None, settings: Any) -> None:
    settings.SECRETS_KEYRING = [LOST]
    lost = make_mail("lost")
    settings.SECRETS_KEYRING = [OLD]
    kept = make_mail("kept")
    settings.SECRETS_KEYRING = [NEW, OLD]
    with pytest.raises(CommandError, match=f"1 values .*orgs_mail.text {lost.pk}"):
        call_command("rotate_secrets", stdout=StringIO())
    settings.SECRETS_KEYRING = [NEW]
    assert Mail.objects.get(pk=kept.pk).text == "kept"


def test_it_walks_batches_and_goes_on_where_it_was_stopped(transactional: None, settings: Any) -> None:
    mails = [make_mail(f"number {n}") for n in range(7)]
    settings.SECRETS_KEYRING = [NEW, OLD]
    column: Any = Mail._meta.get_field("text")

    class Stop(Exception):
        pass

    def stop() -> None:
        raise Stop

    with pytest.raises(Stop):
        secrets.rotate_column(connection, Mail, column, batch_rows=3, after_batch=stop)
    assert sum(secrets.is_current(stored(mail.pk)) for mail in mails) == 3
    assert secrets.rotate_column(connection, Mail, column, batch_rows=3).rotated == 4
    assert [Mail.objects.get(pk=mail.pk).text for mail in mails] == [f"number {n}" for n in range(7)]


def test_it_loses_no_change_made_while_it_rotates(transactional: None, settings: Any) -> None:
    mails = [make_mail("before") for _ in range(40)]
    settings.SECRETS_KEYRING = [NEW, OLD]
    start = threading.Barrier(2)

    def write() -> None:
        start.wait()
        for mail in mails:
            Mail.objects.filter(pk=mail.pk).update(text="after")
        connection.close()

    writer = threading.Thread(target=write)
    writer.start()
    start.wait()
    column: Any = Mail._meta.get_field("text")
    secrets.rotate_column(connection, Mail, column, batch_rows=5)
    writer.join()
    assert {str(Mail.objects.get(pk=mail.pk).text) for mail in mails} == {"after"}


@pytest.fixture
def transactional(committed: None) -> None:
    """Rotation commits row by row."""


def test_it_seals_recovery_codes_of_which_one_is_used_meanwhile(committed: None, settings: Any) -> None:
    ana = Person.objects.get(email="ana@example.com")
    codes = RecoveryCodes.activate(ana).generate_codes()
    settings.SECRETS_KEYRING = [NEW, OLD]
    locked = threading.Event()

    def use_one() -> None:
        try:
            with transaction.atomic():
                assert RecoveryCodes(Authenticator.objects.get(user=ana)).validate_code(codes[0])
                locked.set()
                wait_for_a_waiter()
        finally:
            connection.close()

    def wait_for_a_waiter() -> None:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        for _ in range(200):
            with connection.cursor() as cursor:
                cursor.execute(query)
                if cursor.fetchone()[0]:
                    return
            time.sleep(0.05)
        raise AssertionError("the rotation does not wait for the row")

    user = threading.Thread(target=use_one)
    user.start()
    assert locked.wait(10)
    call_command("rotate_secrets", stdout=StringIO())
    user.join()
    settings.SECRETS_KEYRING = [NEW]
    assert RecoveryCodes(Authenticator.objects.get(user=ana)).get_unused_codes() == codes[1:]
