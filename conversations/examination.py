"""Any brain, examined on the formats of `tests/evals`: a row becomes a context, its decision the predicted fields.

Claims and knowledge questions are no brain's: guards and search answer them the same whoever speaks.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from conversations.playbook import evaluation
from conversations.ports import (
    AnswerFound,
    Context,
    Decision,
    FactFound,
    Known,
    KnownAnswer,
    Line,
    SignalFound,
    Slot,
    Snippet,
    Wish,
)
from conversations.qualification import STAGES, Evidence, Rules, SignalKey, judge

Row = Mapping[str, Any]
Decide = Callable[[Context], Awaitable[Decision]]
BEGAN = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
BETWEEN = timedelta(seconds=30)
SECONDS = 60.0  # a decision may take: here nobody waits for an answer
NO_BRAINS = frozenset({"claims", "knowledge"})
FLAGS = {
    Wish.OPT_OUT: ("opt_out", True), Wish.DOUBTFUL_OPT_OUT: ("opt_out", "doubtful"),
    Wish.HUMAN: ("wants_human", True), Wish.DOUBTFUL_HUMAN: ("wants_human", "doubtful"),
}  # fmt: skip


async def predict(row: Row, decide: Decide) -> dict[str, Any]:
    """`id` and the predicted fields, named as in `expect`. Raises ValueError for a row of no known format."""
    match evaluation.format_of(row).name:
        case name if name in NO_BRAINS:
            return evaluation.predict(row)
        case "conversation":
            return {"id": row.get("id"), **await _conversation(row, decide)}
        case _:
            return {"id": row.get("id"), **await _message(row, decide)}


async def _conversation(row: Row, decide: Decide) -> dict[str, Any]:
    context = _context(row)
    known = context.known
    lines: list[Line] = []
    last = Decision(bubbles=())
    said: Sequence[Mapping[str, str]] = row["messages"]
    for place, message in enumerate(said):
        author = "lead" if message["from"] == "lead" else "ai"
        lines.append(Line(place + 1, author, message["text"], BEGAN + BETWEEN * place))
        ends_turn = place + 1 == len(said) or said[place + 1]["from"] != "lead"
        if author == "lead" and ends_turn:
            last = await decide(replace(context, lines=tuple(lines), known=known, now=lines[-1].at))
            known = learnt(known, last)
    answers = {str(stage): sum(1 for one in known.answers if one.stage == stage) for stage in STAGES}
    rows = {stage: tuple(range(count)) for stage, count in answers.items()}
    signals = {str(key): bool(known.signals.get(key)) for key in SignalKey}
    verdict = judge(Evidence(rows, {key: 0 for key, is_true in signals.items() if is_true}, known.facts), Rules())
    return {
        "facts": dict(known.facts),
        "answers": answers,
        "completed_stages": [str(stage) for stage in verdict.complete],
        "signals": signals,
        "score": verdict.score,
        "qualified": verdict.qualified,
        "last_intent": last.intent,
        "slot_choice": last.slot,
    }


async def _message(row: Row, decide: Decide) -> dict[str, Any]:
    now = datetime.fromisoformat(row["now"]) if row.get("now") else BEGAN
    lines = [Line(2, "lead", row["text"], now)]
    if row.get("context_question"):
        lines.insert(0, Line(1, "ai", row["context_question"], now - BETWEEN))
    slots = tuple(Slot(one["n"], datetime.fromisoformat(one["start"])) for one in row.get("slots") or ())
    made = await decide(replace(_context(row), lines=tuple(lines), now=now, slots=slots))
    found = learnt(Known(), made)
    predicted: dict[str, Any] = {
        "intent": made.intent,
        "opt_out": False,
        "wants_human": False,
        "facts": dict(found.facts),
        "answers": [one.stage for one in found.answers],
        "signals": {str(key): bool(found.signals.get(key)) for key in SignalKey},
        "slot_choice": made.slot,
    }
    if made.wish in FLAGS:
        flag, value = FLAGS[made.wish]
        predicted[flag] = value
    return predicted


def learnt(known: Known, decision: Decision) -> Known:
    """What is known after a decision, by the rules of `evidence`: words count once, the newer fact stands."""
    gone = {pk for find in decision.finds if isinstance(find, AnswerFound) for pk in find.replaces}
    answers = [one for one in known.answers if one.id not in gone]
    facts, signals = dict(known.facts), dict(known.signals)
    fresh = max((one.id for one in known.answers), default=0) + 1
    for find in decision.finds:
        match find:
            case AnswerFound():
                if not any(one.stage == find.stage and one.quote == find.quote for one in answers):
                    answers.append(KnownAnswer(fresh, find.stage, find.quote))
                    fresh += 1
            case FactFound():
                facts[find.key] = find.value
            case SignalFound():
                signals[find.key] = find.is_true
    asked = (*known.asked, decision.asks) if decision.asks else known.asked
    return replace(known, answers=tuple(answers), facts=facts, signals=signals, asked=asked)


def _context(row: Row) -> Context:
    business = row.get("business") or {}
    texts = [*(business.get("knowledge") or ()), *([row["document"]] if row.get("document") else ())]
    told = (business.get("name"), business.get("segment"), business.get("offer"))
    return Context(
        lines=(),
        language=str(row.get("language") or "pt-br").lower(),
        business=". ".join(part for part in told if part),
        company=business.get("name") or "",
        disclosure="",
        is_first_reply=False,
        snippets=tuple(Snippet(number, "", "", text) for number, text in enumerate(texts, start=1)),
        contact_name=row.get("lead_name") or "",
        seconds=SECONDS,
        org="evaluate",
    )
