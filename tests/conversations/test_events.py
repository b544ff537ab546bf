"""Every fact leaves an event that says what its published schema promises, in the order of the conversation."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # no types in the lock
import pytest
from django.test import Client
from django.utils import timezone

from conversations import envelope, evidence, lifecycle, replies
from conversations.models import Conversation, Event, EventName, MediaAsset, Message, Number
from conversations.ports import Ack, Edit, Media, MessageKind, Revoke, StatusUpdate
from orgs.models import Org, Person
from sdr.lib.errors import PortError
from tests import fakes

from .conftest import arrive, incoming, make_number, send, the_conversation, turn

FORMATS = jsonschema.Draft202012Validator.FORMAT_CHECKER


@pytest.fixture
def number(in_acme: Org) -> Number:
    return make_number(own_jid="5511988880000:7@s.whatsapp.net")


@pytest.fixture
def sealed(in_acme: Org) -> Iterator[Any]:
    """All that was recorded, as other programs get it."""
    yield lambda: envelope.seal(Event.objects.select_related("conversation").order_by("pk"))


def validate(sealed: list[envelope.Envelope]) -> None:
    import json

    for one in sealed:
        schema = json.loads(envelope.schemas()[one.detail_type])
        jsonschema.Draft202012Validator(schema, format_checker=FORMATS).validate(one.detail)
        json.dumps(one.detail)  # nothing but JSON


def only(sealed: list[envelope.Envelope], name: EventName) -> list[dict[str, Any]]:
    return [one.detail for one in sealed if one.detail_type == name]


def a_day_in_the_life(number: Number, ana: Person) -> Conversation:
    """Everything that this app records, at least once."""
    arrive(number, incoming("Oi", pid="A1"))
    fakes.FakeBrain.script = ["Olá!|Como posso ajudar?", "Claro.", "Outra coisa?"]
    turn(the_conversation())
    send(the_conversation())
    photo = Media(mime="image/jpeg", size=1234, file_name="foto.jpg")
    arrive(number, incoming("", pid="A2", kind=MessageKind.IMAGE, media=photo))
    turn(the_conversation())
    fakes.phone.script = [PortError("number_not_on_whatsapp", permanent=True)]
    send(the_conversation())
    replies.take_over(the_conversation(), ana)
    replies.reply(the_conversation(), ana, text="Aqui é a Ana.")
    send(the_conversation())
    replies.give_back(the_conversation(), ana)
    lifecycle.snooze(the_conversation(), ana, until=timezone.now() + timedelta(hours=3))
    arrive(number, incoming("Voltei", pid="A3"))
    lifecycle.close(the_conversation(), ana, reason=Conversation.Closing.DONE)
    send(the_conversation())
    arrive(number, incoming("5", pid="A5"))
    arrive(number, incoming("Mais uma", pid="A4", sent_at=timezone.now() - timedelta(hours=9)))
    arrive(number, incoming("da loja", pid="B1", from_us=True, sender_name=""))
    evidence.requalify(the_conversation(), evidence_agent(number))
    return the_conversation()


def evidence_agent(number: Number) -> Any:
    from conversations import settings_of

    return settings_of.number(number)


def test_each_event_is_as_its_schema_says(number: Number, ana: Person, sealed: Any) -> None:
    a_day_in_the_life(number, ana)
    found = sealed()
    validate(found)
    assert {one.detail_type for one in found} == set(EventName)  # none was left out of the day
    assert {one.source for one in found} == {"app.messaging", "app.ai", "app.sessions"}


def test_sequence_counts_without_a_gap(number: Number, ana: Person, sealed: Any) -> None:
    conversation = a_day_in_the_life(number, ana)
    sequences = [one.detail["sequence"] for one in sealed()]
    assert sequences == list(range(1, len(sequences) + 1))
    assert conversation.event_seq == len(sequences)


def test_a_lead_s_message_in_full(number: Number, in_acme: Org, sealed: Any) -> None:
    arrive(number, incoming("Quanto custa?", pid="A1"))
    message, event = Message.objects.get(), Event.objects.get()
    assert [(one.source, one.detail_type, one.detail) for one in sealed()] == [
        (
            "app.messaging",
            "whatsapp.message.received.v1",
            {
                "orgId": str(in_acme.pk),
                "sessionId": str(message.conversation_id),
                "contactId": str(message.conversation.contact_id),
                "messageId": str(message.pk),
                "providerMessageId": "A1",
                "occurredAt": event.occurred_at.strftime("%Y-%m-%dT%H:%M:%S.")
                + f"{event.occurred_at.microsecond // 1000:03}Z",
                "idempotencyKey": "A1",
                "sequence": 1,
                "text": "Quanto custa?",
                "media": None,
                "number": "+5511988880000",
            },
        )
    ]


def test_what_goes_out_is_keyed_by_our_message(number: Number, sealed: Any) -> None:
    arrive(number, incoming("Oi"))
    turn(the_conversation())
    send(the_conversation())
    ours = Message.objects.get(author="ai")
    [generated] = only(sealed(), EventName.AI_RESPONDED)
    [sent] = only(sealed(), EventName.MESSAGE_SENT)
    assert generated["idempotencyKey"] == sent["idempotencyKey"] == str(ours.pk)
    assert sent["providerMessageId"] == ours.provider_id == "OUT1"
    assert (
        generated | {"stage": "situation", "brain": "playbook", "model": None, "costUsd": "0", "text": "ok"}
        == generated
    )


def test_a_turn_s_cost_counts_once(number: Number, sealed: Any) -> None:
    arrive(number, incoming("Oi"))
    fakes.FakeBrain.script = ["um|dois|três"]
    turn(the_conversation())
    assert [(one["inputTokens"], one["text"]) for one in only(sealed(), EventName.AI_RESPONDED)] == [
        (0, "um"), (0, "dois"), (0, "três"),
    ]  # fmt: skip


def test_a_session_says_how_it_stands(number: Number, ana: Person, sealed: Any) -> None:
    arrive(number, incoming("Oi"))
    replies.take_over(the_conversation(), ana)
    [taken] = only(sealed(), EventName.SESSION_TAKEN_OVER)
    [updated] = only(sealed(), EventName.SESSION_UPDATED)
    stands = {
        "stage": "situation", "score": 0, "threshold": 70, "qualified": False, "owner": "person", "lifecycle": "open",
    }  # fmt: skip
    assert updated | stands == updated
    assert taken | stands | {"cause": "inbox"} == taken
    assert (updated["messageId"], updated["providerMessageId"]) == (None, None)
    assert len({taken["idempotencyKey"], updated["idempotencyKey"]}) == 2


def test_the_ai_hands_over_once_until_somebody_has_looked(number: Number, sealed: Any) -> None:
    Number.objects.filter(pk=number.pk).update(mode=Number.Mode.OFF)
    for text in ("Oi", "alguém?"):
        arrive(number, incoming(text))
        turn(the_conversation())
    assert [one["reason"] for one in only(sealed(), EventName.SESSION_HANDED_OFF)] == ["number_off"]


def test_words_stay_at_home_when_the_org_wants_it(number: Number, in_acme: Org, ana: Person, sealed: Any) -> None:
    a_day_in_the_life(number, ana)
    Org.objects.filter(pk=in_acme.pk).update(shares_text=False)
    in_acme.refresh_from_db()
    found = sealed()
    validate(found)
    assert all("text" not in one.detail for one in found)


def test_an_old_event_tells_the_words_as_they_are_now(number: Number, sealed: Any) -> None:
    arrive(number, incoming("Meu nome é Jão", pid="A1"))
    arrive(number, Edit("A1", "Meu nome é João", timezone.now()))
    [detail] = only(sealed(), EventName.MESSAGE_RECEIVED)
    assert detail["text"] == "Meu nome é João"


def test_deleted_words_and_files_are_not_told_again(number: Number, sealed: Any) -> None:
    photo = Media(mime="image/jpeg", size=1234, file_name="segredo.jpg")
    arrive(number, incoming("minha senha", pid="A1", kind=MessageKind.IMAGE, media=photo))
    arrive(number, Revoke("A1"))
    found = sealed()
    validate(found)
    [detail] = only(found, EventName.MESSAGE_RECEIVED)
    assert "text" not in detail
    assert detail["media"] is None
    assert "segredo" not in str(found)


def test_a_file_is_told_as_it_is_known(number: Number, sealed: Any) -> None:
    voice = Media(mime="audio/ogg; codecs=opus", size=999, seconds=4, is_voice_note=True)
    arrive(number, incoming("", kind=MessageKind.AUDIO, media=voice))
    [detail] = only(sealed(), EventName.MESSAGE_RECEIVED)
    assert detail["media"] == {
        "kind": "audio", "mimeType": "audio/ogg; codecs=opus", "fileName": None, "sizeBytes": 999, "seconds": 4,
    }  # fmt: skip
    MediaAsset.objects.update(state=MediaAsset.State.STORED, mime="audio/ogg", size=1001)
    [detail] = only(sealed(), EventName.MESSAGE_RECEIVED)
    assert (detail["media"]["mimeType"], detail["media"]["sizeBytes"]) == ("audio/ogg", 1001)


def test_what_whatsapp_takes_back_is_a_failure(number: Number, sealed: Any) -> None:
    arrive(number, incoming("Oi"))
    turn(the_conversation())
    send(the_conversation())
    arrive(number, StatusUpdate("OUT1", Ack.ERROR, from_us=True))
    [detail] = only(sealed(), EventName.MESSAGE_FAILED)
    assert (detail["reason"], detail["providerMessageId"]) == ("refused_by_whatsapp", "OUT1")


def test_many_are_sealed_with_few_questions(
    number: Number, ana: Person, django_assert_max_num_queries: Any, in_acme: Org
) -> None:
    a_day_in_the_life(number, ana)
    events = list(Event.objects.select_related("conversation").order_by("pk"))
    with django_assert_max_num_queries(4):
        envelope.seal(events)


# --- Schemas ----------------------------------------------------------------------------------------------------------
def test_there_is_a_schema_for_each_event_and_for_nothing_else() -> None:
    assert set(envelope.schemas()) == set(EventName) == set(envelope.SOURCES) == set(envelope.FIELDS)


@pytest.mark.parametrize("name", list(EventName))
def test_schemas_are_strict_and_valid(name: EventName) -> None:
    import json

    schema = json.loads(envelope.schemas()[name])
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False
    assert schema["$id"] == f"/schemas/{name}.json"
    assert set(schema["properties"]) - set(schema["required"]) <= {"text"}


def test_anybody_may_read_them(db: None) -> None:
    answer = Client().get("/schemas/session.updated.v1.json")
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/schema+json"
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert answer.json()["title"] == "session.updated.v1"
    again = Client().get("/schemas/session.updated.v1.json", headers={"if-none-match": answer["ETag"]})
    assert again.status_code == 304


@pytest.mark.parametrize("name", ["session.updated.v2", "..", "%2e%2e%2fmodels", "session.updated"])
def test_there_is_nothing_else_there(db: None, name: str) -> None:
    assert Client().get(f"/schemas/{name}.json").status_code == 404
