"""What the settings make of this folder: named there by dotted path (SDR_MODEL_BRAIN, SDR_TRANSCRIBER)."""

from functools import cache

from django.conf import settings

from integrations.gemini.brain import GeminiBrain
from integrations.gemini.client import Client
from integrations.gemini.transcribe import GeminiTranscriber


@cache
def client() -> Client:
    """One for the process. Raises ValueError without a key: settings name nothing of this folder then."""
    if not settings.GEMINI_API_KEY:
        raise ValueError("GEMINI_API_KEY is not set.")
    return Client(
        api_key=settings.GEMINI_API_KEY,
        base_url=settings.GEMINI_BASE_URL,
        api_version=settings.GEMINI_API_VERSION,
    )


@cache
def brain() -> GeminiBrain:
    return GeminiBrain(client(), model=settings.GEMINI_MODEL, thinking_level=settings.GEMINI_THINKING_LEVEL)


def transcriber() -> GeminiTranscriber:
    return GeminiTranscriber(client(), model=settings.GEMINI_TRANSCRIPTION_MODEL)
