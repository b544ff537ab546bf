"""Calls to the Gemini API (contract gemini.md 1, 2, 9): one request each, with a deadline, tried again by our own rule.

The SDK retries nothing here and waits for nobody: its own retry ignores RetryInfo, and it has no timeout unless told.
It is imported in a thread, at the first call, because that takes more than a second.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import re
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import httpx2

from conversations.ports import ModelError, ModelUse
from integrations.gemini import wire
from sdr.lib import metrics

if TYPE_CHECKING:
    from google import genai
    from google.genai import types

TRIES = 3
ATTEMPT_SECONDS = 20.0
LEAST_SECONDS = 1.0  # with less than this left, nothing is asked any more
FIRST_PAUSE_SECONDS = 0.4  # doubled each time, with as much jitter
LONGEST_RETRY = timedelta(hours=1)  # a daily quota says nothing useful: look again then
DURATION = re.compile(r"(\d+(?:\.\d+)?)s")


class Client:
    """The door to one project's models. One SDK client for each event loop, made when it is first needed."""

    def __init__(self, *, api_key: str, base_url: str = "", api_version: str = "") -> None:
        self._api_key = api_key
        self._base_url = base_url
        self._api_version = api_version
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, genai.Client] = WeakKeyDictionary()

    def __repr__(self) -> str:
        return f"Client({self._base_url or 'Gemini'})"

    async def generate(
        self,
        *,
        model: str,
        contents: list[Any],
        config: Mapping[str, Any],
        purpose: str,
        until: float,
        uses: list[ModelUse],
    ) -> wire.Answer:
        """One request of GenerateContent, tried up to three times before `until` (`time.monotonic`).

        `config` are fields of GenerateContentConfig. Every attempt, also a failed one, is put at the end of `uses`.
        Raises ModelError: with the reason, and how long the vendor wants to be left alone.
        """
        client = await self._client()
        failure: ModelError | None = None
        for attempt in range(TRIES):
            left = min(until - time.monotonic(), ATTEMPT_SECONDS)
            if left < LEAST_SECONDS:
                break
            started = time.monotonic()
            try:
                async with asyncio.timeout(left):
                    response = await client.aio.models.generate_content(
                        model=model, contents=contents, config=_config(config, left)
                    )
                answer = wire.read(response, model=model, purpose=purpose, seconds=time.monotonic() - started)
            except Exception as error:
                failure = _failure(error)
                if failure is None:
                    raise
                seconds = round(time.monotonic() - started, 3)
                uses.append(ModelUse(purpose, model, outcome=failure.reason, seconds=seconds))
                metrics.incr("dep_requests", dep="gemini", op=purpose, outcome=failure.reason)
            else:
                uses.append(answer.use)
                metrics.incr("dep_requests", dep="gemini", op=purpose, outcome="ok")
                return answer
            pause = _pause(failure, attempt)
            if failure.permanent or time.monotonic() + pause + LEAST_SECONDS > until:
                break
            await asyncio.sleep(pause)
        raise _with_uses(failure or ModelError("Gemini: no time left.", reason="timeout"), uses)

    async def _client(self) -> genai.Client:
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            made = await asyncio.to_thread(self._make)
            self._clients.setdefault(loop, made)
        return self._clients[loop]

    def _make(self) -> genai.Client:
        from google import genai
        from google.genai import types

        logging.getLogger("google_genai").setLevel(logging.ERROR)  # it warns of every answer that calls a tool
        options = types.HttpOptions(
            base_url=self._base_url or None,
            api_version=self._api_version or None,
            timeout=int(ATTEMPT_SECONDS * 1000),
        )
        return genai.Client(api_key=self._api_key, vertexai=False, http_options=options)


def _config(fields: Mapping[str, Any], seconds: float) -> types.GenerateContentConfig:
    from google.genai import types

    return types.GenerateContentConfig(
        **fields,
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        automatic_continuation=False,  # one request is one bill
        http_options=types.HttpOptions(timeout=max(1, int(seconds * 1000))),
    )


def _pause(failure: ModelError, attempt: int) -> float:
    """Seconds to wait: what the vendor asked for, else doubling."""
    if failure.retry_after is not None:
        return failure.retry_after.total_seconds()
    return FIRST_PAUSE_SECONDS * 2.0**attempt * (1 + random.random())  # noqa: S311 (no secret)


def _with_uses(failure: ModelError, uses: list[ModelUse]) -> ModelError:
    failure.uses = tuple(uses)
    return failure


def _failure(error: Exception) -> ModelError | None:
    """What an exception of the SDK means (contract 1 and 9); None when it is our own mistake.

    Messages are ours: the vendor's may hold a proxy's page or a piece of the request.
    """
    from google.genai import errors

    match error:
        case errors.APIError():
            return _refusal(error)
        case TimeoutError() | httpx2.TimeoutException():
            return ModelError("Gemini did not answer in time.", reason="timeout")
        case httpx2.TransportError() | OSError():
            return ModelError("Gemini could not be reached.", reason="network")
        case errors.UnknownApiResponseError() | json.JSONDecodeError() | wire.Unreadable():
            return ModelError("Gemini's answer cannot be read.", reason="unreadable")
    return None


def _refusal(error: Any) -> ModelError:
    """By status; of the details only what Google types: ErrorInfo.reason, RetryInfo, QuotaFailure."""
    code, details = int(error.code or 0), _details(error.details)
    told = {str(detail.get("reason", "")) for detail in details}

    def said(reason: str, **fields: Any) -> ModelError:
        return ModelError(f"Gemini: {reason.replace('_', ' ')} ({code}).", reason=reason, status=code, **fields)

    match code:
        case 400 if "API_KEY_INVALID" in told:
            return said("refused_key", permanent=True, needs_reconnect=True)
        case 400 if error.status == "FAILED_PRECONDITION":
            return said("billing", permanent=True)
        case 401 | 403:
            return said("refused_key", permanent=True, needs_reconnect=True)
        case 404:
            return said("retired_model", permanent=True)
        case 429 if _is_daily(details):
            return said("daily_limit", retry_after=LONGEST_RETRY)
        case 429:
            return said("rate_limited", retry_after=_retry_after(details))
        case 408 | 499 | 504:
            return said("timeout")
        case _ if code >= 500:
            return said("unavailable", retry_after=_retry_after(details))
        case _:
            return said("refused_request", permanent=True)


def _details(body: Any) -> list[Mapping[str, Any]]:
    found = body.get("error", body) if isinstance(body, dict) else {}
    found = found.get("details") if isinstance(found, dict) else None
    return [detail for detail in found if isinstance(detail, dict)] if isinstance(found, list) else []


def _retry_after(details: list[Mapping[str, Any]]) -> timedelta | None:
    for detail in details:
        if str(detail.get("@type", "")).endswith("RetryInfo"):
            match = DURATION.fullmatch(str(detail.get("retryDelay", "")))
            return min(timedelta(seconds=float(match[1])), LONGEST_RETRY) if match else None
    return None


def _is_daily(details: list[Mapping[str, Any]]) -> bool:
    return any(
        "PerDay" in str(violation.get("quotaId", ""))
        for detail in details
        for violation in detail.get("violations") or ()
        if isinstance(violation, dict)
    )
