"""Gemini's JSON, parsed before anybody believes it: what came back, what it cost, and the form of a reply.

Nothing past this file sees a type of the SDK, except the model's own content, which goes back unchanged (contract 0.8).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ValidationError

from conversations.ports import ModelUse
from integrations.gemini import prices

LONGEST_NAME_CHARS = 60  # of a model and of a finish reason, as the ledger keeps them
BUDGETS = {"minimal": 0, "low": 512, "medium": 2048, "high": 8192}  # thinking tokens, where a model knows no levels
LEVELS = ("minimal", "low", "medium", "high")
WITHOUT_MINIMAL = re.compile(r"gemini-(?:3\.[78]-flash(?!-lite)|4-|3\.\d-pro)")  # they answer it with 400 (contract 2)
BY_BUDGET = re.compile(r"gemini-2\.")
COMBINES = re.compile(r"gemini-(?:[3-9]|\d\d)")  # tools and a schema in one request
# finishReason → what to make of it (contract 4)
BLOCKED = frozenset({
    "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "MODEL_ARMOR", "ESCALATION",
    "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION",
})  # fmt: skip
AT_FAULT = frozenset({
    "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MALFORMED_RESPONSE",
    "MISSING_THOUGHT_SIGNATURE",
})  # fmt: skip


class Unreadable(Exception):
    """A 200 that is no GenerateContentResponse."""


@dataclass(frozen=True)
class Call:
    """A tool the model wants called; `id` is echoed with the result."""

    id: str | None
    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """What one request gave. `finish` is "" when nothing came, `blocked` why the prompt was refused, if it was.

    `content` is the model's, to be sent back as it is.
    """

    text: str
    finish: str
    blocked: str
    calls: tuple[Call, ...]
    content: Any = field(repr=False)
    use: ModelUse


def read(response: Any, *, model: str, purpose: str, seconds: float) -> Answer:
    """Parse a response of the SDK; `model` is the one asked for. Raises Unreadable."""
    candidates = getattr(response, "candidates", None) or []
    if not hasattr(response, "usage_metadata"):
        raise Unreadable
    first = candidates[0] if candidates else None
    content = first.content if first else None
    parts = (content.parts or []) if content else []
    feedback = response.prompt_feedback
    return Answer(
        text="".join(part.text for part in parts if part.text and not part.thought),
        finish=_named(first.finish_reason) if first else "",
        blocked=_named(feedback.block_reason) if feedback and feedback.block_reason else "",
        calls=tuple(
            Call(part.function_call.id, part.function_call.name or "", dict(part.function_call.args or {}))
            for part in parts
            if part.function_call
        ),
        content=content,
        use=_use(response, model=model, purpose=purpose, seconds=seconds),
    )


def thinking(model: str, level: str) -> dict[str, Any]:
    """The field of ThinkingConfig by which this model is told how long to think (contract 2)."""
    wanted = level if level in LEVELS else "low"
    if BY_BUDGET.match(model):
        least = 128 if "-pro" in model else 0
        return {"thinking_budget": max(least, BUDGETS[wanted])}
    return {"thinking_level": "low" if wanted == "minimal" and WITHOUT_MINIMAL.match(model) else wanted}


def combines_tools(model: str) -> bool:
    """Whether tools and structured output may stand in one request."""
    return bool(COMBINES.match(model))


def _named(value: Any) -> str:
    """An enum of the SDK, also one it has made up on the fly for a value it does not know, by its name."""
    return str(getattr(value, "value", value) or "")[:LONGEST_NAME_CHARS]


def _use(response: Any, *, model: str, purpose: str, seconds: float) -> ModelUse:
    usage = response.usage_metadata

    def count(name: str) -> int:
        return int(getattr(usage, name, None) or 0)

    heard = sum(
        int(detail.token_count or 0)
        for detail in (getattr(usage, "prompt_tokens_details", None) or [])
        if _named(detail.modality) == "AUDIO"
    )
    tokens = prices.Tokens(
        prompt=count("prompt_token_count"),
        cached=count("cached_content_token_count"),
        audio=heard,
        tools=count("tool_use_prompt_token_count"),
        output=count("candidates_token_count"),
        thoughts=count("thoughts_token_count"),
    )
    answered_by = (response.model_version or model).removeprefix("models/")[:LONGEST_NAME_CHARS]
    today = datetime.now(UTC).date()
    price = prices.price_of(answered_by, today) or prices.price_of(model, today)
    return ModelUse(
        purpose=purpose,
        model=answered_by,
        response_id=(response.response_id or "")[:120],
        input_tokens=tokens.prompt + tokens.tools,
        cached_tokens=tokens.cached,
        output_tokens=tokens.output,
        thought_tokens=tokens.thoughts,
        seconds=round(seconds, 3),
        cost_usd=prices.cost(price, tokens) if price else Decimal(0),
        price_from=price.since if price else None,
    )


# --- The form of a reply ----------------------------------------------------------------------------------------------
Stage = Literal["situation", "problem", "implication", "need_payoff"]
Language = Literal["pt-br", "en", "es"]
Form = TypeVar("Form", bound=BaseModel)


class Quoted(BaseModel):
    """What was heard, where: `message` is the number it has in the request."""

    message: int
    quote: str
    confidence: float


class HeardAnswer(Quoted):
    stage: Stage
    replaces: list[int]


class HeardFact(Quoted):
    key: Literal[
        "name", "person_type", "company", "role", "email", "phone", "segment", "team_size", "current_tool", "budget",
        "timeline", "decision_maker", "preferred_times",
    ]  # fmt: skip
    value: str


class HeardSignal(Quoted):
    key: Literal["budget", "urgency", "decision_maker"]
    is_true: bool


class Reply(BaseModel):
    """What the model fills in; prompts/reply.md says how. No defaults: they are sent, but not enforced."""

    intent: Literal[
        "opt_out", "wants_human", "off_topic", "cancel", "reschedule", "choose_slot", "wants_meeting",
        "not_interested", "objection", "question", "answer", "thanks", "greeting",
    ]  # fmt: skip
    language: Language
    answers: list[HeardAnswer]
    facts: list[HeardFact]
    signals: list[HeardSignal]
    wish: Literal["none", "opt_out", "human", "doubtful_opt_out", "doubtful_human", "come_back"]
    slot: int | None
    rating: int | None
    handoff: Literal["none", "lead_asked", "hostile", "unknown_answer", "wants_meeting", "reschedule", "cancel"]
    bubbles: list[str]
    asks_about: str
    passages: list[int]
    summary: str


class Heard(BaseModel):
    """A recording, written down."""

    transcript: str
    language: str
    unintelligible: bool


class Unfit(ValueError):
    """A text that is not the form; says what is wrong with it, without quoting more than names of fields."""


def reply_of(text: str) -> Reply:
    """Raises Unfit."""
    return _fitted(Reply, text)


def heard_of(text: str) -> Heard:
    """Raises Unfit."""
    return _fitted(Heard, text)


def _fitted(form: type[Form], text: str) -> Form:
    try:
        return form.model_validate_json(text)
    except ValidationError as error:
        wrong = [f"{'.'.join(str(step) for step in one['loc']) or 'the whole'}: {one['msg']}" for one in error.errors()]
        raise Unfit("; ".join(wrong[:8])) from None
