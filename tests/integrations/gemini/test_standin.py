"""The stand-in is as strict as the contract says the real API is, so that what passes here passes there."""

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from integrations.gemini.standin import Standin, calls, writes

OI = {"role": "user", "parts": [{"text": "oi"}]}
FLASH = "gemini-3.8-flash"
VOICE_NOTE = {"mimeType": "audio/ogg; codecs=opus", "data": "eA=="}
JSON = {"responseMimeType": "application/json"}
Post = Callable[..., httpx2.Response]


@pytest.fixture
def post(gemini: Standin) -> Post:
    def send(body: Any, *, model: str = FLASH, version: str = "v1", key: str | None = None) -> httpx2.Response:
        headers = {"x-goog-api-key": gemini.api_key if key is None else key}
        url = f"{gemini.url}/{version}/models/{model}:generateContent"
        return httpx2.post(
            url, json=body, headers={name: value for name, value in headers.items() if value}, timeout=60
        )

    return send


@pytest.mark.parametrize("version", ["v1", "v1beta"])
def test_it_answers_under_both_prefixes(post: Post, version: str) -> None:
    answer = post({"contents": [OI]}, version=version)
    assert answer.status_code == 200
    assert answer.json()["candidates"][0]["finishReason"] == "STOP"
    assert answer.json()["usageMetadata"]["promptTokenCount"] > 0


def test_it_reads_keys_in_both_cases(gemini: Standin, post: Post) -> None:
    snake = {"generation_config": {"thinking_config": {"thinking_level": "LOW"}, "max_output_tokens": 9}}
    assert post({"contents": [OI], **snake}).status_code == 200
    camel = {"generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW"}, "maxOutputTokens": 9}}
    assert gemini.requests[0].body == {"contents": [OI], **camel}


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"contents": []},
        {"contents": [OI], "prompt": "x"},
        {"contents": [{"role": "tool", "parts": [{"text": "x"}]}]},
        {"contents": [{"role": "user", "parts": []}]},
        {"contents": [{"role": "user", "parts": [{"words": "x"}]}]},
        {"contents": [OI, {"role": "model", "parts": [{"text": "olá"}]}]},
        {"contents": [{"role": "user", "parts": [{"inlineData": VOICE_NOTE}]}]},
        {"contents": [OI], "generationConfig": {"temperature": 0.2}},
        {"contents": [OI], "generationConfig": {"thinkingConfig": {"thinkingLevel": "MINIMAL"}}},
        {"contents": [OI], "generationConfig": {"thinkingConfig": {"thinkingBudget": 0}}},
        {"contents": [OI], "generationConfig": {"responseSchema": {"type": "STRING"}}},
        {"contents": [OI], "generationConfig": JSON | {"responseSchema": {"type": "string"}}},
        {"contents": [OI], "generationConfig": JSON | {"responseSchema": {"type": "OBJECT"}}},
        {"contents": [OI], "tools": [{"functionDeclarations": [{"name": "9 lives"}]}]},
        {"contents": [OI], "tools": [{"functionDeclarations": [{"name": "a"}, {"name": "a"}]}]},
        {"contents": [OI], "toolConfig": {"functionCallingConfig": {"mode": "MAYBE"}}},
        {"contents": [OI], "safetySettings": [{"category": "HARM_CATEGORY_RUDENESS", "threshold": "OFF"}]},
    ],
)  # fmt: skip
def test_it_refuses_what_the_api_refuses(gemini: Standin, post: Post, body: Any) -> None:
    answer = post(body)
    assert (answer.status_code, answer.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert gemini.requests == []
    assert len(gemini.refused) == 1


def test_it_knows_its_key_and_its_models(post: Post) -> None:
    assert post({"contents": [OI]}, key="").status_code == 403
    wrong = post({"contents": [OI]}, key="guess")
    assert (wrong.status_code, wrong.json()["error"]["details"][0]["reason"]) == (400, "API_KEY_INVALID")
    assert post({"contents": [OI]}, model="gemini-2.0-flash").status_code == 404
    old = {"generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW"}}}
    assert post({"contents": [OI], **old}, model="gemini-2.5-flash").status_code == 400


def test_calls_go_back_signed_and_answered_under_their_ids(gemini: Standin, post: Post) -> None:
    gemini.will(calls(("a", {"q": 1}), ("b", {})), writes("pronto"))
    content = post({"contents": [OI]}).json()["candidates"][0]["content"]
    assert ["thoughtSignature" in part for part in content["parts"]] == [True, False]

    def given(*names: str) -> dict[str, Any]:
        ids = {part["functionCall"]["name"]: part["functionCall"]["id"] for part in content["parts"]}
        responses = [{"id": ids[name], "name": name, "response": {"result": ""}} for name in names]
        return {"role": "user", "parts": [{"functionResponse": one} for one in responses]}

    unsigned, forged = json.loads(json.dumps(content)), json.loads(json.dumps(content))
    del unsigned["parts"][0]["thoughtSignature"]
    forged["parts"][0]["thoughtSignature"] = "AAAA"
    assert "missing a thought_signature" in post({"contents": [OI, unsigned, given("a", "b")]}).text
    assert "Invalid thought signature" in post({"contents": [OI, forged, given("a", "b")]}).text
    assert post({"contents": [OI, content, given("b", "a")]}).status_code == 400
    assert post({"contents": [OI, content, given("a")]}).status_code == 400
    assert post({"contents": [OI, content, given("a", "b")]}).json()["candidates"][0]["content"]["parts"][0] == {
        "text": "pronto"
    }


def test_it_lists_its_models(gemini: Standin) -> None:
    found = httpx2.get(f"{gemini.url}/v1beta/models", timeout=60).json()["models"]
    assert {"name": f"models/{FLASH}"} in found
