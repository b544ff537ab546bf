"""A reply can answer a certain message: sent as a quote, shown as one, and one click away from it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from conversations.models import Conversation, Message, Number
from integrations.whatsapp.standin import samples
from orgs.models import Person
from tests import fakes
from tests.conversations.conftest import arrive, incoming, ours, send, the_conversation

SignIn = Callable[[Person], Client]


@pytest.fixture
def asked(number: Number, settings: Any, tmp_path: Path) -> Message:
    settings.MEDIA_ROOT = str(tmp_path)
    arrive(number, incoming("Quanto custa?", pid="ASKED"))
    arrive(number, incoming("E demora?"))
    return Message.objects.get(provider_id="ASKED")


def address(end: str = "") -> str:
    return f"/o/acme/inbox/{the_conversation().pk}/{end}"


def test_a_reply_is_sent_as_the_answer_to_it(asked: Message, sign_in: SignIn, beto: Person) -> None:
    client = sign_in(beto)
    html = client.get(address(f"?quote={asked.pk}")).content.decode()
    assert f'name="quoted" value="{asked.pk}"' in html  # without scripts, too
    client.post(address("replies/"), {"text": "R$ 97", "quoted": str(asked.pk)})
    send(the_conversation())
    assert fakes.phone.quoted == ["ASKED"]
    main = client.get(address()).content.decode().split('class="thread__messages"')[1]
    assert f'data-message="message-{asked.pk}"' in main


def test_a_picture_answers_and_a_voice_note_does_not(asked: Message, sign_in: SignIn, beto: Person) -> None:
    def attach(data: bytes, name: str, text: str = "") -> Any:
        given = {"text": text, "file": SimpleUploadedFile(name, data), "quoted": str(asked.pk)}
        return sign_in(beto).post(address("replies/"), given)

    assert attach(samples.picture(16), "a.png").status_code == 302
    answer = attach(samples.voice_note(1), "voice.ogg")
    assert (answer.status_code, len(ours())) == (422, 1)
    assert attach(samples.voice_note(1), "voice.ogg", "E por escrito").status_code == 302
    send(the_conversation())
    assert fakes.phone.quoted == ["ASKED", "", "ASKED"]


@pytest.mark.parametrize("spoilt", ["elsewhere", "deleted", "unknown"])
def test_what_cannot_be_answered_is_said_and_nothing_is_sent(
    asked: Message, number: Number, sign_in: SignIn, beto: Person, spoilt: str
) -> None:
    if spoilt == "elsewhere":
        arrive(number, incoming("de outra", jid="5511999990002@s.whatsapp.net"))
        other = Conversation.objects.latest("pk")
        Message.objects.filter(pk=asked.pk).update(conversation=other, seq=99)
    elif spoilt == "deleted":
        Message.objects.filter(pk=asked.pk).update(deleted_at=timezone.now())
    else:
        Message.objects.filter(pk=asked.pk).update(provider_id=None)
    here = Message.objects.get(text="E demora?").conversation_id
    answer = sign_in(beto).post(f"/o/acme/inbox/{here}/replies/", {"text": "R$ 97", "quoted": str(asked.pk)})
    assert answer.status_code == 422
    assert "R$ 97</textarea>" in answer.content.decode()
    assert ours() == []


def test_the_quote_stays_when_the_form_comes_back(asked: Message, sign_in: SignIn, beto: Person) -> None:
    answer = sign_in(beto).post(address("replies/"), {"text": " ", "quoted": str(asked.pk)})
    assert (answer.status_code, f'name="quoted" value="{asked.pk}"' in answer.content.decode()) == (422, True)


def test_a_leads_quote_leads_to_what_it_answers(asked: Message, sign_in: SignIn, vera: Person) -> None:
    arrive(asked.number, incoming("isto", quoted_id="ASKED"))
    main = sign_in(vera).get(address()).content.decode().split('class="thread__messages"')[1]
    assert f'#message-{asked.pk}" data-message="message-{asked.pk}"' in main
    assert "bubble__answer" not in main  # viewers answer nothing
