"""Everything we keep of a contact can be shown, and goes when asked to: from every table, every file, for good."""

import json
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.postgres.fields import ArrayField
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import connection, models
from django.utils import timezone

from conversations import erasure, gaps, intake
from conversations.models import Alias, Contact, Conversation, MediaAsset, Message, Number
from conversations.ports import ChatAddress, Edit, Incoming, Media, MessageKind, Revoke
from integrations.models import Quarantine
from orgs import ingest
from orgs.models import AuditEntry, ChannelAddress, Due, Org, Received
from orgs.routing import tenant_labels
from tests import fakes

from .conftest import JID, arrive, drive, incoming, make_number, send, the_conversation, turn

WORD = "xyzzy-segredo"
PHONE, OLD_SPELLING, LID = "5541999990001", "554199990001", "210000000000123"
THEIRS = ChatAddress(f"{OLD_SPELLING}@s.whatsapp.net", phone=PHONE, lid=LID)
TEXT = (models.CharField, models.TextField, models.JSONField, models.BinaryField, models.FileField, ArrayField)


@pytest.fixture(autouse=True)
def media(tmp_path: Path, settings: Any) -> None:
    settings.MEDIA_ROOT = str(tmp_path)


@pytest.fixture
def number(in_acme: Org) -> Number:
    return make_number(instance="acme", created_at=timezone.now() - timedelta(days=1))


def said(text: str, **fields: Any) -> Incoming:
    values: dict[str, Any] = {"chat": THEIRS, "sender_name": f"Maria {WORD}"}
    return incoming(text, **values | fields)


def a_life(number: Number, org: Org) -> Contact:
    """A contact of whom something is kept in every place there is, with a word that is nowhere else."""
    arrive(number, said(f"oi {WORD}", pid="IDENTIFIER-1"))
    fakes.FakeBrain.script = [f"olá {WORD}"]
    turn(the_conversation())
    send(the_conversation())
    arrive(number, Edit("IDENTIFIER-1", f"agora {WORD}", timezone.now()))
    file = Media(mime="image/jpeg", file_name=f"{WORD}.jpg")
    arrive(number, said(f"foto {WORD}", pid="IDENTIFIER-2", kind=MessageKind.IMAGE, media=file))
    path = default_storage.save(f"{org.pk}/whatsapp/2026-11-22/one.jpg", ContentFile(WORD.encode()))
    MediaAsset.objects.update(path=path, state=MediaAsset.State.STORED)
    contact = Contact.objects.get()
    conversation = the_conversation()
    message = Message.objects.filter(author="lead").earliest("seq")
    receipt: dict[str, Any] = {"conversation": conversation, "message": message, "quote": WORD}
    make("Answer", stage="problem", **receipt)
    make("Signal", key="budget", **receipt)
    make("Fact", contact=contact, key="company", value=WORD, **receipt)
    make("Qualification", conversation=conversation, summary=WORD)
    make("Note", conversation=conversation, person_id=1, text=WORD, seq=1)
    make("Consent", contact=contact, basis="asked", source=WORD, person_id=1)
    make("EvalCase", conversation=conversation, reason="answer", should_say=WORD)
    make("Pending", number=number, target_id="IDENTIFIER-1", sort="edit", data={"text": WORD, "at": ""})
    intake.take_over(intake.locked(conversation.pk), person_id=None, source="phone")
    intake.opt_out(contact, message)
    address = ChannelAddress.objects.create(
        org=org, number_id=number.pk, key="k" * 40, auth="token", secret="s" * 20, instance="acme"
    )
    body = json.dumps({"data": {"key": {"remoteJid": THEIRS.jid}, "message": {"conversation": WORD}}})
    ingest.put_now(ingest.Arrival(org.pk, address.pk, number.pk, "key", body, {}))
    Quarantine.objects.keep(number.pk, f"{{broken {THEIRS.jid} {WORD}".encode(), reason=Quarantine.Reason.UNREADABLE)
    Quarantine.objects.keep(number.pk, f"\x00 {LID}@lid {WORD}".encode(), reason=Quarantine.Reason.UNREADABLE)
    return contact


def make(model: str, **fields: Any) -> None:
    apps.get_model("conversations", model)._default_manager.create(**fields)


def tables_with(needle: str, schema: str) -> set[str]:
    """Tables of a schema in which any value of any row holds the needle."""
    found = set()
    with connection.cursor() as cursor:
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = %s", [schema])
        for (table,) in cursor.fetchall():
            like = f"%{needle}%"
            as_hex = f"%{needle.encode().hex()}%"
            cursor.execute(
                f'SELECT EXISTS (SELECT FROM {schema}."{table}" t WHERE t::text LIKE %s OR t::text LIKE %s)',
                [like, as_hex],
            )
            if cursor.fetchone()[0]:
                found.add(table)
    return found


def everywhere(org: Org, needle: str) -> set[str]:
    return tables_with(needle, org.schema_name) | tables_with(needle, "public")


def label(table: str) -> str:
    return next(model._meta.label for model in apps.get_models() if model._meta.db_table == table)


# --- The registry -----------------------------------------------------------------------------------------------------
def text_fields() -> Iterator[tuple[str, str]]:
    """Every field of ours that could hold words."""
    ours = {*tenant_labels(), "orgs"} - {"rehearsal"}
    for model in apps.get_models():
        if model._meta.app_label in ours:
            for field in model._meta.get_fields():
                if isinstance(field, TEXT) and not field.choices:
                    yield model._meta.label, field.name


def test_every_field_that_can_hold_words_is_in_the_registry() -> None:
    missing = [
        f"{model}.{name}"
        for model, name in text_fields()
        if name not in erasure.FREE.get(model, ())
        and (
            model not in erasure.HOLDINGS
            or name not in {*erasure.HOLDINGS[model].fields, *erasure.HOLDINGS[model].also}
        )
    ]
    assert missing == [], "does it hold what a lead said? conversations.erasure must know"


def test_the_registry_names_nothing_that_is_not_there() -> None:
    for model, fields in erasure.FREE.items():
        assert {*fields} <= {field.name for field in apps.get_model(model)._meta.get_fields()}, model
    for model, holding in erasure.HOLDINGS.items():
        names = {field.name for field in apps.get_model(model)._meta.get_fields()}
        assert {*holding.fields, *holding.also} <= names, model
    assert not erasure.HOLDINGS.keys() & erasure.FREE.keys()


def test_a_place_is_registered_once() -> None:
    with pytest.raises(ValueError, match="registered"):
        erasure.register(next(iter(erasure.HOLDINGS.values())))


def test_the_life_of_this_test_is_in_every_place(number: Number, in_acme: Org) -> None:
    """Else the tests below would prove nothing about a place."""
    contact = a_life(number, in_acme)
    subject = erasure.gather(contact)
    empty = [name for name, holding in erasure.HOLDINGS.items() if not holding.rows(subject).exists()]
    assert empty == []
    assert {label(table) for table in everywhere(in_acme, WORD)} <= erasure.HOLDINGS.keys()


# --- Erasing ----------------------------------------------------------------------------------------------------------
def test_nothing_is_left(number: Number, in_acme: Org) -> None:
    contact = a_life(number, in_acme)
    assert everywhere(in_acme, WORD)
    counts = erasure.erase(contact)
    for needle in (WORD, PHONE, OLD_SPELLING, LID, "IDENTIFIER"):
        assert everywhere(in_acme, needle) == set(), needle
    assert all(counts[name] for name in erasure.HOLDINGS)
    assert counts["files"] == 1


def test_files_go_with_late_work_that_survives_a_crash(number: Number, in_acme: Org) -> None:
    contact = a_life(number, in_acme)
    path = MediaAsset.objects.get().path
    erasure.erase(contact)
    row = Due.objects.get(kind=erasure.KIND)
    assert row.context == {"paths": [path]}
    for _ in range(2):
        erasure.erase_files(row.context["paths"])
    assert not default_storage.exists(path)


def test_nobody_else_loses_anything(number: Number, in_acme: Org) -> None:
    arrive(number, incoming("eu fico", jid=JID))
    Quarantine.objects.keep(number.pk, b'{"remoteJid": "5511999990001"}', reason=Quarantine.Reason.UNREADABLE)
    body = json.dumps({"data": {"key": {"remoteJid": JID}, "message": {"conversation": f"o fone dela é {PHONE}"}}})
    ingest.put_now(ingest.Arrival(in_acme.pk, 1, number.pk, "key", body, {}))
    before = contents(in_acme)
    contact = Contact.objects.exclude(pk=Contact.objects.get().pk)
    arrive(number, said("eu vou"))
    erasure.erase(contact.get())
    assert contents(in_acme) == before


def contents(org: Org) -> dict[str, int]:
    return {name: erasure.manager(name).count() for name in erasure.HOLDINGS}


def test_it_is_recorded_without_a_name(number: Number, in_acme: Org, ana: Any) -> None:
    contact = a_life(number, in_acme)
    erasure.erase(contact, person=ana)
    entry = AuditEntry.objects.get(action="contact.erased")
    assert (entry.target, entry.actor) == (f"contact:{contact.pk}", ana.email)


def test_twice_is_harmless(number: Number, in_acme: Org) -> None:
    contact = a_life(number, in_acme)
    erasure.erase(contact)
    counts = erasure.erase(contact)
    assert not any(counts.values())
    assert AuditEntry.objects.filter(action="contact.erased").count() == 1


def test_contacts_merged_into_one_go_together(number: Number, in_acme: Org) -> None:
    lid_only = ChatAddress(f"{LID}@lid", lid=LID)
    arrive(number, incoming(f"um {WORD}", chat=lid_only))
    arrive(number, incoming(f"dois {WORD}", chat=ChatAddress(THEIRS.jid, phone=PHONE)))
    arrive(number, incoming(f"três {WORD}", chat=THEIRS))
    assert Contact.objects.count() == 2
    erasure.erase(Contact.objects.get(merged_into=None))
    assert not Contact.objects.exists()
    assert everywhere(in_acme, WORD) == set()


# --- What comes again -------------------------------------------------------------------------------------------------
def test_what_was_said_before_does_not_come_back(number: Number, in_acme: Org) -> None:
    lost = said(f"antes {WORD}", sent_at=timezone.now() - timedelta(minutes=3))
    contact = a_life(number, in_acme)
    erasure.erase(contact)
    arrive(number, lost)
    arrive(number, said(WORD, chat=ChatAddress(f"{LID}@lid", lid=LID), sent_at=timezone.now() - timedelta(minutes=1)))
    assert not Contact.objects.exists()
    assert everywhere(in_acme, WORD) == set()


def test_who_writes_anew_is_a_new_contact_without_the_old_words(number: Number, in_acme: Org) -> None:
    lost = said(f"antes {WORD}", sent_at=timezone.now() - timedelta(minutes=3))
    contact = a_life(number, in_acme)
    erasure.erase(contact)
    arrive(number, said("oi de novo", sender_name="Maria"))
    arrive(number, lost)  # a webhook that was very late
    assert list(Message.objects.values_list("text", flat=True)) == ["oi de novo"]
    assert Contact.objects.get().pk != contact.pk
    assert Contact.objects.get().opted_out_at is None


def test_an_echo_of_ours_that_was_under_way_does_not_come_back(number: Number, in_acme: Org) -> None:
    contact = a_life(number, in_acme)
    erasure.erase(contact)
    arrive(number, said(WORD, from_us=True, sender_name="", sent_at=timezone.now() + timedelta(seconds=20)))
    assert not Contact.objects.exists()


def test_reading_back_does_not_bring_it_back(number: Number, in_acme: Org) -> None:
    now = timezone.now()
    Number.objects.filter(pk=number.pk).update(read_until=now)
    fakes.phone.log += [
        said(f"um {WORD}", sent_at=now - timedelta(minutes=4)),
        said(f"dois {WORD}", from_us=True, sent_at=now - timedelta(minutes=3)),
    ]
    arrive(number, fakes.phone.log[0])
    erasure.erase(Contact.objects.get())
    drive(lambda hands: gaps.look(number.pk, hands))
    assert len(fakes.phone.readings) == 1
    assert not Contact.objects.exists()
    assert everywhere(in_acme, WORD) == set()


def test_a_rotated_key_forgets_nobody(number: Number, in_acme: Org, settings: Any) -> None:
    arrive(number, said("oi"))
    erasure.erase(Contact.objects.get())
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another" * 9, [settings.SECRET_KEY]
    arrive(number, said(WORD, sent_at=timezone.now() - timedelta(minutes=1)))
    assert not Contact.objects.exists()


def test_the_hash_says_nothing_about_the_person(number: Number, in_acme: Org, settings: Any) -> None:
    first = erasure.digest_of("phone", PHONE)
    assert PHONE not in first
    settings.SECRET_KEY = "another" * 9
    assert erasure.digest_of("phone", PHONE) != first


def test_news_about_an_erased_message_find_nothing(number: Number, in_acme: Org) -> None:
    contact = a_life(number, in_acme)
    erasure.erase(contact)
    arrive(number, Revoke("IDENTIFIER-2"))
    assert not Message.objects.exists()


# --- Showing ----------------------------------------------------------------------------------------------------------
def test_the_export_holds_it_all(number: Number, in_acme: Org) -> None:
    contact = a_life(number, in_acme)
    out = StringIO()
    call_command("erase_contact", "--org", "acme", "--phone", f"+{OLD_SPELLING}", stdout=out)
    kept = json.loads(out.getvalue())
    assert set(kept) == set(erasure.HOLDINGS)
    assert [one["text"] for one in kept["conversations.Message"]] == [f"agora {WORD}", f"olá {WORD}", f"foto {WORD}"]
    assert kept["conversations.Correction"][0]["former_text"] == f"oi {WORD}"
    assert kept["conversations.Fact"][0]["value"] == WORD
    assert kept["conversations.Contact"][0]["phone"] == PHONE
    assert Contact.objects.get() == contact  # showing erases nothing


def test_the_command_erases_and_says_what_it_cannot(number: Number, in_acme: Org) -> None:
    a_life(number, in_acme)
    out = StringIO()
    call_command("erase_contact", "--org", "acme", "--phone", PHONE, "--yes", stdout=out)
    assert "conversations.Message: 3" in out.getvalue()
    assert "Not ours to erase" in out.getvalue()
    assert not Contact.objects.exists()
    with pytest.raises(CommandError, match="no such contact"):
        call_command("erase_contact", "--org", "acme", "--phone", PHONE, "--yes")
    with pytest.raises(CommandError, match="No org"):
        call_command("erase_contact", "--org", "nobody", "--phone", PHONE)


def test_another_org_s_contact_is_out_of_reach(number: Number, in_acme: Org, globex: Org) -> None:
    a_life(number, in_acme)
    contact = Contact.objects.get()
    with pytest.raises(CommandError, match="no such contact"):
        call_command("erase_contact", "--org", "globex", "--contact", str(contact.pk), "--yes")
    assert Message.objects.exists()
    assert Received.objects.exists()
    assert Alias.objects.exists()
    assert Conversation.objects.exists()
