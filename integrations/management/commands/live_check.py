"""Simulated leads talk with the real Gemini: what it answered, what held, what it cost and how long it took."""

import asyncio
import io
import json
import math
import statistics
import struct
import time
import wave
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from conversations.brains import FallbackBrain
from conversations.ports import Context, Decision, ModelError, ModelUse
from conversations.simulation import counts, personas, rehearsal
from integrations.gemini import configured

AT_ONCE = 4
DECISION_SECONDS = 60.0  # generous: here it is the model that is looked at, not the turn's deadline
MOST_FALLBACKS = 0.1  # of replies: with more, the check has failed
TONE_HERTZ, TONE_SECONDS, SAMPLES_A_SECOND = 440, 1, 16_000


@dataclass
class Tally:
    """What came of every decision, in the order they ended."""

    decisions: list[Decision] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    languages: Counter[str] = field(default_factory=Counter)

    @property
    def uses(self) -> list[ModelUse]:
        return [use for decision in self.decisions for use in decision.uses]


class Command(BaseCommand):
    help = "Let simulated leads talk with Gemini (needs GEMINI_API_KEY, costs a few cents), and print a report."
    requires_system_checks: list[str] = []  # needs no database

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--conversations", type=int, default=20)
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--language", default="", choices=["", "pt-br", "en", "es"])
        parser.add_argument("--json", action="store_true", dest="as_json", help="the figures alone, as one object")
        parser.add_argument("--show", action="store_true", help="print what was said")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.GEMINI_API_KEY:
            raise CommandError("GEMINI_API_KEY is not set. Set it to the key of a paid project.")
        leads = personas.crowd(options["conversations"], seed=options["seed"], language=options["language"])
        tally = Tally()
        talks, hearing = asyncio.run(hold(leads, tally))
        figures = figures_of(talks, tally) | {"hearing": hearing}
        if options["show"]:
            self.stdout.write("\n\n".join(told(talk) for talk in talks))
        if options["as_json"]:
            self.stdout.write(json.dumps(figures, ensure_ascii=False, default=str))
        else:
            self.stdout.write("\n".join(lines(figures)))
        if figures["fallbacks"] > MOST_FALLBACKS * max(figures["replies"], 1) or not figures["by_model"]:
            raise CommandError(f"{figures['fallbacks']} of {figures['replies']} replies are not Gemini's.")


async def hold(leads: Sequence[personas.Lead], tally: Tally) -> tuple[list[counts.Talk], str]:
    """All talks, a few at once, and how a sound without speech was heard."""
    loop = asyncio.get_running_loop()
    brain = FallbackBrain(configured.brain())
    room = asyncio.Semaphore(AT_ONCE)

    async def decide(context: Context) -> Decision:
        began = time.monotonic()
        decision = await brain.decide(replace(context, seconds=DECISION_SECONDS, org="live_check"))
        tally.decisions.append(decision)
        tally.seconds.append(time.monotonic() - began)
        tally.languages[f"{context.language}→{decision.language}"] += 1
        return decision

    def decide_there(context: Context) -> Decision:
        return asyncio.run_coroutine_threadsafe(decide(context), loop).result(2 * DECISION_SECONDS)

    async def one(lead: personas.Lead) -> counts.Talk:
        async with room:
            return await asyncio.to_thread(rehearsal.talk, lead, decide=decide_there)

    talks = await asyncio.gather(*(one(lead) for lead in leads))
    return list(talks), await hear()


async def hear() -> str:
    """What is made of a second of a plain tone: there is nothing to write down."""
    try:
        heard = await configured.transcriber().transcribe(tone(), "audio/wav", language="pt-br")
    except ModelError as error:
        return str(error)
    return "unintelligible, as it is" if heard.is_unintelligible else f"wrongly heard as: {heard.text[:80]}"


def tone() -> bytes:
    """A WAV file."""
    wide = [
        int(12_000 * math.sin(2 * math.pi * TONE_HERTZ * at / SAMPLES_A_SECOND))
        for at in range(SAMPLES_A_SECOND * TONE_SECONDS)
    ]
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(SAMPLES_A_SECOND)
        sound.writeframes(struct.pack(f"<{len(wide)}h", *wide))
    return file.getvalue()


def figures_of(talks: Sequence[counts.Talk], tally: Tally) -> dict[str, Any]:
    """Everything the report says."""
    reasons = Counter(
        note.text for decision in tally.decisions for note in decision.guards if note.kind == "model"
    )  # fmt: skip
    guarded = Counter(
        f"{note.kind} {note.outcome}"
        for decision in tally.decisions
        for note in decision.guards
        if note.kind not in {"model", "form"}
    )
    uses = tally.uses
    spent = sum((use.cost_usd for use in uses), Decimal(0))
    ordered = sorted(tally.seconds)
    return {
        "conversations": len(talks),
        "replies": len(tally.decisions),
        "by_model": dict(Counter(decision.model for decision in tally.decisions if decision.model)),
        "fallbacks": sum(1 for decision in tally.decisions if decision.brain == "playbook"),
        "why": dict(reasons),
        "forms_repaired": sum(1 for decision in tally.decisions for note in decision.guards if note.kind == "form"),
        "guards": dict(guarded),
        "finds": sum(len(decision.finds) for decision in tally.decisions),
        "languages": dict(tally.languages),
        "requests": len(uses),
        "outcomes": dict(Counter(use.outcome for use in uses)),
        "tokens": {
            "in": sum(use.input_tokens for use in uses),
            "of which cached": sum(use.cached_tokens for use in uses),
            "out": sum(use.output_tokens for use in uses),
            "thought": sum(use.thought_tokens for use in uses),
        },
        "cost_usd": spent,
        "cost_usd_per_reply": (spent / max(len(tally.decisions), 1)).quantize(Decimal("0.000001")),
        "seconds": {
            "median": round(statistics.median(ordered), 2) if ordered else None,
            "p95": round(ordered[int(0.95 * (len(ordered) - 1))], 2) if ordered else None,
        },
        "talks": counts.report(talks),
    }


def lines(figures: dict[str, Any]) -> list[str]:
    """The report: one figure a line."""
    return [f"{name.replace('_', ' ')}: {_plain(value)}" for name, value in figures.items()]


def told(talk: counts.Talk) -> str:
    return "\n".join(f"{said.author}: {said.text}" for said in talk.lines)


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(inner)}" for key, inner in value.items()) or "none"
    return str(value)
