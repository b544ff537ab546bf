"""Voice notes, written down by Gemini (contract gemini.md 7)."""

import time
from dataclasses import replace
from typing import Any

from conversations import prompts
from conversations.ports import ModelError, ModelUse, Transcript
from integrations.gemini import asking, wire
from integrations.gemini.client import Client

SECONDS = 45.0  # all attempts together
OUTPUT_TOKENS = 8_192  # some twenty minutes of speech
PURPOSE = "transcribe"
LANGUAGES = {"pt": "pt-br", "en": "en", "es": "es"}


class GeminiTranscriber:
    def __init__(self, client: Client, *, model: str) -> None:
        self.client = client
        self.model = model

    async def transcribe(self, content: bytes, mime: str, *, language: str) -> Transcript:
        """What was said, word for word. Raises ModelError; permanent when this sound can never be read."""
        sound = asking.bare(mime)
        if not sound.startswith("audio/") or not 0 < len(content) <= asking.LARGEST_FILES_BYTES:
            raise ModelError("Gemini cannot listen to this file.", reason="unfit_file", permanent=True)
        uses: list[ModelUse] = []
        answer = await self.client.generate(
            model=self.model,
            contents=[{"role": "user", "parts": [{"inline_data": {"data": content, "mime_type": sound}}]}],
            config=self._config(language),
            purpose=PURPOSE,
            until=time.monotonic() + SECONDS,
            uses=uses,
        )
        return _transcript(answer, uses)

    def _config(self, language: str) -> dict[str, Any]:
        return {
            "system_instruction": prompts.load("transcribe").fill(language=asking.spoken(language)),
            "max_output_tokens": OUTPUT_TOKENS,
            "thinking_config": wire.thinking(self.model, "minimal"),
            "response_mime_type": "application/json",
            "response_schema": wire.Heard,
        }


def _transcript(answer: wire.Answer, uses: list[ModelUse]) -> Transcript:
    """Raises ModelError for an answer that is none; blocked ones and such as will not get better are permanent."""

    def unusable(reason: str, outcome: str, *, permanent: bool) -> ModelError:
        uses[-1] = replace(uses[-1], outcome=outcome)
        return ModelError(
            f"Gemini gave no transcript ({outcome}).", reason=reason, permanent=permanent, uses=tuple(uses)
        )

    if answer.blocked or answer.finish in wire.BLOCKED:
        raise unusable("blocked", "blocked", permanent=True)
    if answer.finish == "MAX_TOKENS":
        raise unusable("unusable", "max_tokens", permanent=True)
    try:
        heard = wire.heard_of(answer.text)
    except wire.Unfit:
        raise unusable("unusable", "unfit" if answer.text else "empty", permanent=False) from None
    text = "" if heard.unintelligible else heard.transcript.strip()
    language = LANGUAGES.get(heard.language.strip().lower()[:2], "")
    return Transcript(text, language, is_unintelligible=not text, use=uses[-1])
