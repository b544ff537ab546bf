"""A language model first, the playbook when it fails, within one deadline: the one place where that is decided.

PRODUCT 2, "Brains" and "Guards": a draft that breaks a rule is repaired once by the model, then the playbook speaks,
and `vetting` hands over what even that cannot support. Which model there is says settings.SDR_MODEL_BRAIN.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol

from django.conf import settings
from django.utils.module_loading import import_string

from conversations import attachments, tools, vetting
from conversations.guards import Violation
from conversations.playbook.brain import PlaybookBrain
from conversations.ports import Brain, Context, Decision, GuardNote, ModelError, ModelUse
from sdr.lib import metrics
from sdr.lib.errors import PortError

logger = logging.getLogger(__name__)

PLAYBOOK_SECONDS = 3.0  # kept of a turn's time, for the fallback and for writing
GRACE_SECONDS = 0.5  # a model ends by itself; who does not is ended
REPAIR_SECONDS = 3.0  # with less left, a draft that breaks a rule is not sent back
FAILURES_IN_A_ROW = 5
PAUSE = timedelta(seconds=60)  # how long a failing model is left alone
LONGEST_PAUSE = timedelta(minutes=15)
BLOCKED = "model_blocked"  # why a person must look


class ModelBrain(Brain, Protocol):
    """A brain that can be told what is wrong with its words. Both methods raise ModelError."""

    async def repair(self, context: Context, decision: Decision, *, problems: Sequence[str]) -> Decision: ...


class Breaker:
    """Leaves a failing model alone, for each org by itself; in this process only. Safe from many threads.

    After FAILURES_IN_A_ROW, or at once when trying again cannot help or the vendor names a time, it is open for a
    while; then one request is let through, and closes it or opens it anew.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: dict[str, int] = {}
        self._open_until: dict[str, float] = {}

    def lets_through(self, org: str) -> bool:
        with self._lock:
            until = self._open_until.get(org)
            if until is None:
                return True
            if self._clock() < until:
                return False
            self._open_until[org] = self._clock() + PAUSE.total_seconds()  # one goes ahead, the others wait for it
            return True

    def worked(self, org: str) -> None:
        with self._lock:
            self._failures.pop(org, None)
            self._open_until.pop(org, None)

    def failed(self, org: str, error: PortError) -> None:
        with self._lock:
            failures = self._failures[org] = self._failures.get(org, 0) + 1
            if error.needs_reconnect or error.retry_after is not None or failures >= FAILURES_IN_A_ROW:
                pause = min(max(error.retry_after or PAUSE, timedelta(seconds=1)), LONGEST_PAUSE)
                self._open_until[org] = self._clock() + pause.total_seconds()


breaker = Breaker()


@dataclass(frozen=True)
class _Attempt:
    """What became of asking the model: a decision, or why there is none. What it cost is known either way."""

    decision: Decision | None = None
    why: str = ""
    uses: tuple[ModelUse, ...] = ()
    notes: tuple[GuardNote, ...] = ()


class FallbackBrain:
    """The model of the settings, else the playbook; `Decision.brain` says which one spoke, and `guards` why."""

    is_informed = True

    def __init__(self, model: ModelBrain | None = None) -> None:
        self.model = model or configured()
        self.playbook = PlaybookBrain()
        self.name = self.model.name if self.model else self.playbook.name

    async def decide(self, context: Context) -> Decision:
        """Within `context.seconds`, whatever the model does. Raises nothing of the model's."""
        attempt = await self._ask(context)
        if attempt.decision is not None:
            return attempt.decision
        decision = await self.playbook.decide(context)
        notes = (GuardNote("model", attempt.why, "replaced"),) if attempt.why else ()
        return replace(
            decision,
            brain=decision.brain or self.playbook.name,
            handoff=decision.handoff or (BLOCKED if attempt.why == "blocked" else ""),
            uses=(*attempt.uses, *decision.uses),
            guards=(*attempt.notes, *notes, *decision.guards),
        )

    async def _ask(self, context: Context) -> _Attempt:
        model = self.model
        if model is None:
            return _Attempt()
        if why := self._why_not(context):
            metrics.incr("sdr_model_fallbacks", reason=why)
            return _Attempt(why=why)
        until = time.monotonic() + context.seconds - PLAYBOOK_SECONDS
        try:
            async with asyncio.timeout(until - time.monotonic() + GRACE_SECONDS):
                decision = await model.decide(replace(context, seconds=until - time.monotonic()))
        except (PortError, TimeoutError) as error:
            return self._failed(context, error)
        breaker.worked(context.org)
        return await _vetted(model, context, decision, until=until)

    def _why_not(self, context: Context) -> str:
        if context.is_over_budget:
            return "over_budget"
        if context.seconds <= PLAYBOOK_SECONDS + 1:
            return "no_time"
        return "" if breaker.lets_through(context.org) else "left_alone"

    def _failed(self, context: Context, error: Exception) -> _Attempt:
        failure = error if isinstance(error, ModelError) else ModelError("No answer in time.", reason="timeout")
        if failure.is_blocked:
            breaker.worked(context.org)  # it answered: that it refused is about this conversation
        else:
            breaker.failed(context.org, failure)
        logger.warning("the model gave nothing: %s", failure)
        metrics.incr("sdr_model_fallbacks", reason=failure.reason)
        return _Attempt(why=failure.reason, uses=failure.uses)


async def equipped(brain: Brain, context: Context, run: tools.Run) -> Context:
    """The context with the lead's files and the tools of this turn, for a brain with a model that will be asked."""
    if not isinstance(brain, FallbackBrain) or brain.model is None or context.is_over_budget:
        return context
    return replace(context, attachments=await run(attachments.of, context), tools=tools.toolbox(context, run))


def configured() -> ModelBrain | None:
    """The model brain that the settings name, None without one (no key)."""
    if not settings.SDR_MODEL_BRAIN:
        return None
    brain: ModelBrain = import_string(settings.SDR_MODEL_BRAIN)()
    return brain


def told(violation: Violation) -> str:
    """What is wrong, as a model is told."""
    return f"{violation.kind}: “{violation.text}” may not be said; nothing supports it, or a rule forbids it."


async def _vetted(model: ModelBrain, context: Context, decision: Decision, *, until: float) -> _Attempt:
    """A draft that may leave: as it came, or repaired once; else none, with what was wrong."""
    found = await _violations(context, decision)
    if not found:
        return _Attempt(decision)
    notes = vetting.notes(found, "replaced")
    left = until - time.monotonic()
    if left < REPAIR_SECONDS:
        return _Attempt(why="guarded", uses=decision.uses, notes=notes)
    try:
        async with asyncio.timeout(left + GRACE_SECONDS):
            repaired = await model.repair(
                replace(context, seconds=left), decision, problems=[told(one) for one in found]
            )
    except ModelError as error:
        return _Attempt(why="guarded", uses=(*decision.uses, *error.uses), notes=notes)
    except (PortError, TimeoutError):
        return _Attempt(why="guarded", uses=decision.uses, notes=notes)
    again = await _violations(context, repaired)
    if again:
        metrics.incr("sdr_model_fallbacks", reason="guarded")
        return _Attempt(why="guarded", uses=repaired.uses, notes=(*notes, *vetting.notes(again, "replaced")))
    return _Attempt(replace(repaired, guards=(*repaired.guards, *vetting.notes(found, "repaired"))))


async def _violations(context: Context, decision: Decision) -> list[Violation]:
    """On a thread: it is CPU work."""
    return await asyncio.to_thread(vetting.violations, context, decision) if decision.bubbles else []
