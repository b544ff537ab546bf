"""A person asks once more for the words of a voice note; a long transcript is folded, a player has its speed."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from conversations import transcripts
from conversations.models import MediaAsset, Message, Number
from orgs.models import Due, Person
from tests.conversations.conftest import the_conversation
from tests.conversations.test_transcripts import Ears, ears, hear, hearing, said, store, voice

__all__ = ["ears"]  # a fixture, for all of this file

SignIn = Callable[[Person], Client]


@pytest.fixture
def unheard(number: Number) -> Message:
    """A stored voice note that could not be heard."""
    message = voice(number)
    store(message)
    transcripts.settle(message.pk, MediaAsset.Hearing.FAILED)
    Due.objects.filter(kind="transcribe").delete()
    return message


def address(message: Message) -> str:
    return f"/o/acme/inbox/{the_conversation().pk}/messages/{message.pk}/transcript/retry/"


def page(client: Client) -> str:
    return str(client.get(f"/o/acme/inbox/{the_conversation().pk}/").content.decode())


def test_the_words_are_asked_for_once_more(unheard: Message, sign_in: SignIn, beto: Person) -> None:
    client = sign_in(beto)
    assert address(unheard) in page(client)
    for _ in range(2):  # the second is refused in words
        assert client.post(address(unheard)).status_code == 302
    assert Due.objects.filter(kind="transcribe", ref=str(unheard.pk)).count() == 1
    assert address(unheard) not in page(client)
    Ears.script = [said("quero saber o preço")]
    hear(unheard)
    assert hearing(unheard) == "heard"
    assert "quero saber o preço" in page(client)


def test_what_was_heard_or_cannot_be_is_not_asked_for(
    unheard: Message, sign_in: SignIn, beto: Person, vera: Person, settings: Any
) -> None:
    assert sign_in(vera).post(address(unheard)).status_code == 403
    assert address(unheard) not in page(sign_in(vera))
    client = sign_in(beto)
    asset = MediaAsset.objects.filter(message=unheard)
    for state in (MediaAsset.Hearing.HEARD, MediaAsset.Hearing.TOO_LONG, MediaAsset.Hearing.WANTED):
        asset.update(hearing=state)
        assert address(unheard) not in page(client)
        client.post(address(unheard))
        assert hearing(unheard) == state
    asset.update(hearing=MediaAsset.Hearing.FAILED)
    settings.SDR_TRANSCRIBER = ""
    assert address(unheard) not in page(client)
    assert not Due.objects.filter(kind="transcribe").exists()


def test_a_long_transcript_is_folded_and_the_player_has_a_speed(
    unheard: Message, sign_in: SignIn, beto: Person
) -> None:
    Message.objects.filter(pk=unheard.pk).update(transcript="curto")
    short = page(sign_in(beto))
    assert "bubble__transcript--long" not in short
    assert f'<play-speed for="message-{unheard.pk}-sound" hidden>' in short
    Message.objects.filter(pk=unheard.pk).update(transcript="muito " * 60)
    assert "bubble__transcript--long" in page(sign_in(beto))


def test_words_that_came_late_are_told_from_those_in_time(unheard: Message, sign_in: SignIn, beto: Person) -> None:
    asset = MediaAsset.objects.filter(message=unheard)
    came = asset.get().created_at
    late = "Entendido com atraso"
    asset.update(hearing=MediaAsset.Hearing.HEARD, heard_at=came + transcripts.WAIT)
    assert late not in page(sign_in(beto))
    asset.update(heard_at=came + transcripts.WAIT + timedelta(seconds=1))
    assert late in page(sign_in(beto))
