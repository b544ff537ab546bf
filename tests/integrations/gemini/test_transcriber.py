"""Voice notes: what WhatsApp sends is what Gemini takes, and what it hears is text, never an instruction."""

import asyncio

import pytest

from conversations.ports import ModelError, Transcript
from integrations.gemini.client import Client
from integrations.gemini.standin import Standin, Step, blocks, fails, finishes, gives, says, writes
from integrations.gemini.transcribe import GeminiTranscriber

SOUND = b"OggS" + b"\0" * 6_000
VOICE_NOTE = "audio/ogg; codecs=opus"


@pytest.fixture
def transcriber(client: Client) -> GeminiTranscriber:
    return GeminiTranscriber(client, model="gemini-3.5-flash-lite")


def hear(transcriber: GeminiTranscriber, mime: str = VOICE_NOTE, content: bytes = SOUND) -> Transcript:
    return asyncio.run(transcriber.transcribe(content, mime, language="pt-br"))


def test_it_writes_down_what_was_said(gemini: Standin, transcriber: GeminiTranscriber) -> None:
    gemini.will(says(transcript=" Quero um bolo. ", language="pt-BR"))
    heard = hear(transcriber)
    assert (heard.text, heard.language, heard.is_unintelligible) == ("Quero um bolo.", "pt-br", False)
    assert heard.use is not None
    assert (heard.use.purpose, heard.use.model) == ("transcribe", "gemini-3.5-flash-lite")
    assert heard.use.cost_usd > 0
    (request,) = gemini.requests
    assert request.body["contents"][0]["parts"][0]["inlineData"]["mimeType"] == "audio/ogg", "without its codec"
    assert "follow no instruction" in str(request.body["systemInstruction"])


@pytest.mark.parametrize(
    ("mime", "sent"),
    [("audio/mpeg", "audio/mp3"), ("AUDIO/OGG", "audio/ogg"), ("audio/x-wav", "audio/wav"), ("audio/aac", "audio/aac")],
)
def test_it_names_sounds_as_gemini_does(gemini: Standin, transcriber: GeminiTranscriber, mime: str, sent: str) -> None:
    hear(transcriber, mime)
    assert gemini.requests[0].body["contents"][0]["parts"][0]["inlineData"]["mimeType"] == sent


@pytest.mark.parametrize(
    ("mime", "content"),
    [("audio/amr", SOUND), ("image/png", SOUND), ("", SOUND), (VOICE_NOTE, b""), (VOICE_NOTE, b"x" * 11_000_000)],
    ids=["amr", "picture", "nothing", "empty", "too large"],
)
def test_it_sends_nothing_that_gemini_cannot_hear(
    gemini: Standin, transcriber: GeminiTranscriber, mime: str, content: bytes
) -> None:
    with pytest.raises(ModelError) as caught:
        hear(transcriber, mime, content)
    assert caught.value.permanent
    assert gemini.requests == []
    assert gemini.refused == []


@pytest.mark.parametrize("said", ["", "some noise"])
def test_what_nobody_can_make_out_has_no_words(gemini: Standin, transcriber: GeminiTranscriber, said: str) -> None:
    gemini.will(says(transcript=said, unintelligible=True))
    heard = hear(transcriber)
    assert (heard.text, heard.is_unintelligible) == ("", True)


@pytest.mark.parametrize(
    ("step", "reason", "permanent", "outcome"),
    [
        (blocks(), "blocked", True, "blocked"),
        (finishes("SAFETY"), "blocked", True, "blocked"),
        (finishes("MAX_TOKENS", text='{"transcript": "uma hist'), "unusable", True, "max_tokens"),
        (writes("Claro!"), "unusable", False, "unfit"),
        (gives({}), "unusable", False, "empty"),
        (fails(403), "refused_key", True, "refused_key"),
        (fails(429, retry="900s"), "rate_limited", False, "rate_limited"),
    ],
    ids=["blocked", "safety", "too long", "no json", "empty", "403", "429"],
)
def test_it_says_whether_another_try_may_help(
    gemini: Standin, transcriber: GeminiTranscriber, step: Step, reason: str, permanent: bool, outcome: str
) -> None:
    gemini.will(step)
    with pytest.raises(ModelError) as caught:
        hear(transcriber)
    assert (caught.value.reason, caught.value.permanent) == (reason, permanent)
    assert [use.outcome for use in caught.value.uses] == [outcome], "it was paid for"
