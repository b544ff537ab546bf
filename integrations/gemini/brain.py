"""A brain that asks Gemini: one object with what the lead revealed and what to say (contract gemini.md 2 to 4, 10).

The model proposes. What it reports is held against the context here, and again by the domain; what it wants called is
called only if the context offers it; what cannot be used is asked for once more, and then given up with ModelError.
"""

import asyncio
import json
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from conversations import prompts
from conversations.ports import (
    AnswerFound,
    Asked,
    Context,
    Decision,
    FactFound,
    Found,
    GuardNote,
    Line,
    ModelError,
    ModelUse,
    SignalFound,
    Tool,
    ToolUse,
    Wish,
)
from integrations.gemini import asking, wire
from integrations.gemini.client import Client
from sdr.lib.errors import PortError

ROUNDS = 4  # of tools; after them it has to answer
OUTPUT_TOKENS = 4_096  # thinking is part of them
TOOL_SECONDS = 5.0
LONGEST_RESULT_CHARS = 6_000
BUBBLES_AT_MOST = 4
LONGEST_BUBBLE_CHARS = 1_000
NOTED_CHARS = 120
MODEL = re.compile(r"gemini-[a-z0-9.-]{1,50}")  # it becomes part of an address
QUESTION = re.compile(r"[^.!?\n]*\?+")
ABOUT = re.compile(
    r"situation|problem|implication|need_payoff|fact:[a-z_]{2,20}|confirm:opt_out|confirm:human|satisfaction|slots"
)
CONFIRMS = {Wish.DOUBTFUL_OPT_OUT: "confirm:opt_out", Wish.DOUBTFUL_HUMAN: "confirm:human"}
SAFETY = [
    {"category": f"HARM_CATEGORY_{harm}", "threshold": "BLOCK_ONLY_HIGH"}
    for harm in ("HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT")
]


class GeminiBrain:
    """`model` and `thinking_level` hold where an agent names none of its own."""

    name = "gemini"
    is_informed = True

    def __init__(self, client: Client, *, model: str, thinking_level: str = "low") -> None:
        self.client = client
        self.model = model
        self.thinking_level = thinking_level
        self.without_tools: set[str] = set()  # models that refused tools beside a schema

    async def decide(self, context: Context) -> Decision:
        """What the lead revealed and what to say, within `context.seconds`. Raises ModelError with what it cost."""
        talk = _Talk(self, context)
        return await talk.decide()

    async def repair(self, context: Context, decision: Decision, *, problems: Sequence[str]) -> Decision:
        """The same decision with other bubbles: `problems` are told to the model. Raises ModelError.

        `uses` are of both requests; what was found in the lead's messages stays.
        """
        talk = _Talk(self, context, purpose="repair")
        return await talk.repair(decision, problems)


class _Unfit(Exception):
    """The answer cannot be used; `problems` can be told to the model."""

    def __init__(self, outcome: str, problems: Sequence[str]) -> None:
        super().__init__(outcome)
        self.outcome = outcome
        self.problems = problems


class _Talk:
    """One decision: its requests, and what they cost."""

    def __init__(self, brain: GeminiBrain, context: Context, *, purpose: str = "") -> None:
        self.brain = brain
        self.context = context
        self.purpose = purpose or context.purpose
        self.until = time.monotonic() + context.seconds
        self.asking = asking.asking(context)
        self.contents = self.asking.contents
        named = context.persona.model
        self.model = named if MODEL.fullmatch(named) else brain.model
        self.level = context.persona.thinking_level or brain.thinking_level
        self.output_tokens = OUTPUT_TOKENS
        self.offers_tools = bool(context.tools) and self._takes_tools()
        self.rounds = 0
        self.remedies: set[str] = set()
        self.uses: list[ModelUse] = []
        self.tools: list[ToolUse] = []
        self.passages: set[int] = set()
        self.notes: list[GuardNote] = []

    # --- The two moves ---
    async def decide(self) -> Decision:
        answer = await self._ask()
        try:
            return self._decision(answer)
        except _Unfit as unfit:
            self._mark(unfit.outcome)
            self._tell(answer, unfit.problems)
        self.purpose = "repair"
        answer = await self._ask()
        try:
            decision = self._decision(answer)
        except _Unfit as unfit:
            self._mark(unfit.outcome)
            raise self._unusable(unfit.outcome) from None
        return replace(decision, guards=(*decision.guards, GuardNote("form", "", "repaired")))

    async def repair(self, former: Decision, problems: Sequence[str]) -> Decision:
        if told := asking.results(former.tools):
            self.contents[0]["parts"].append({"text": told})
        self.offers_tools = False
        said = {"bubbles": former.bubbles, "intent": former.intent, "summary": former.summary}
        self.contents.append({"role": "model", "parts": [{"text": json.dumps(said, ensure_ascii=False)}]})
        self.contents.append({"role": "user", "parts": [{"text": asking.repair(problems)}]})
        self.passages = set(former.passages)
        answer = await self._ask()
        try:
            decision = self._decision(answer)
        except _Unfit as unfit:
            self._mark(unfit.outcome)
            raise self._unusable(unfit.outcome) from None
        return replace(
            former,
            bubbles=decision.bubbles,
            asks=decision.asks,
            handoff=former.handoff or decision.handoff,
            passages=decision.passages,
            uses=(*former.uses, *decision.uses),
            guards=(*former.guards, *decision.guards),
        )

    # --- Requests ---
    async def _ask(self) -> wire.Answer:
        """One usable answer; each kind of trouble is remedied once. Raises ModelError."""
        while True:
            answer = await self._request()
            if answer.calls and self.offers_tools and self.rounds < ROUNDS and answer.finish in {"STOP", ""}:
                await self._call_all(answer)
                continue
            trouble = _trouble(answer)
            if not trouble:
                return answer
            self._mark(trouble)
            if trouble == "blocked":
                raise ModelError("Gemini refused the conversation.", reason="blocked", uses=tuple(self.uses))
            if trouble in self.remedies:
                raise self._unusable(trouble)
            self.remedies.add(trouble)
            if trouble == "max_tokens":
                self.output_tokens *= 2
                self.level = "minimal"
            elif trouble == "fault":
                self._start_anew(without_tools=True)

    async def _request(self) -> wire.Answer:
        former = len(self.uses)
        try:
            return await self.brain.client.generate(
                model=self.model,
                contents=self.contents,
                config=self._config(),
                purpose=self.purpose,
                until=self.until,
                uses=self.uses,
            )
        except ModelError as error:
            if error.reason == "retired_model" and self.model != self.brain.model:
                self.model = self.brain.model  # the agent names one that is gone
            elif error.reason == "refused_request" and self.offers_tools:
                if former == 0:
                    self.brain.without_tools.add(self.model)
                self._start_anew(without_tools=True)
            else:
                raise
        return await self._request()

    def _config(self) -> dict[str, Any]:
        config: dict[str, Any] = {
            "system_instruction": self.asking.system,
            "max_output_tokens": self.output_tokens,
            "thinking_config": wire.thinking(self.model, self.level),
            "response_mime_type": "application/json",
            "response_schema": wire.Reply,
            "safety_settings": SAFETY,
        }
        if self.offers_tools:
            config["tools"] = [{"function_declarations": [_declared(tool) for tool in self.context.tools]}]
            mode = "AUTO" if self.rounds < ROUNDS else "NONE"
            config["tool_config"] = {"function_calling_config": {"mode": mode}}
        return config

    def _takes_tools(self) -> bool:
        return wire.combines_tools(self.model) and self.model not in self.brain.without_tools

    def _start_anew(self, *, without_tools: bool) -> None:
        """Forget the exchange about tools, whose signatures or form the vendor did not accept; what they gave stays."""
        self.contents = self.asking.contents
        if told := asking.results(self.tools):
            self.contents[0]["parts"].append({"text": told})
        self.offers_tools = self.offers_tools and not without_tools

    def _tell(self, answer: wire.Answer, problems: Sequence[str]) -> None:
        self.contents.append(answer.content)
        self.contents.append({"role": "user", "parts": [{"text": asking.repair(problems)}]})

    def _mark(self, outcome: str) -> None:
        """The last request was answered, and of no use."""
        self.uses[-1] = replace(self.uses[-1], outcome=outcome)

    def _unusable(self, why: str) -> ModelError:
        return ModelError(f"Gemini gave nothing usable ({why}).", reason="unusable", uses=tuple(self.uses))

    # --- Tools ---
    async def _call_all(self, answer: wire.Answer) -> None:
        """Every call is answered, in one content, ids and names echoed; the model's own goes back unchanged."""
        self.rounds += 1
        self.contents.append(answer.content)
        parts = [await self._call(call) for call in answer.calls]
        self.contents.append({"role": "user", "parts": parts})

    async def _call(self, call: wire.Call) -> dict[str, Any]:
        started = time.monotonic()
        tool = next((one for one in self.context.tools if one.name == call.name), None)
        is_ok, text = await self._result(tool, call)
        took = int((time.monotonic() - started) * 1000)
        name = call.name[:NOTED_CHARS]
        self.tools.append(ToolUse(name, is_ok, text if is_ok else "", took))
        response = {"result": text} if is_ok else {"error": text}
        return {"function_response": {"id": call.id, "name": call.name, "response": response}}

    async def _result(self, tool: Tool | None, call: wire.Call) -> tuple[bool, str]:
        if tool is None:
            return False, "There is no such tool."
        known = tool.parameters.get("properties", {})
        arguments = {key: value for key, value in call.arguments.items() if key in known}
        left = min(TOOL_SECONDS, self.until - time.monotonic())
        try:
            async with asyncio.timeout(max(left, 0)):
                answer = await tool.call(arguments)
        except (PortError, TimeoutError):
            return False, "The tool does not answer now."
        if answer.ok:
            self.passages.update(answer.passages)
        return answer.ok, answer.text[:LONGEST_RESULT_CHARS]

    # --- What came back, held against the context ---
    def _decision(self, answer: wire.Answer) -> Decision:
        try:
            reply = wire.reply_of(answer.text)
        except wire.Unfit as error:
            raise _Unfit("unfit", [str(error)]) from None
        bubbles = self._bubbles(reply)
        slot = self._slot(reply)
        finds = tuple(self._finds(reply))
        wish = Wish(reply.wish) if reply.wish != "none" else None
        handoff = "" if reply.handoff == "none" else reply.handoff
        if wish is Wish.HUMAN:
            handoff = handoff or "lead_asked"
        asks = _asked(bubbles, CONFIRMS.get(wish, reply.asks_about) if wish else reply.asks_about)
        known = {one.id for one in self.context.snippets} | self.passages
        return Decision(
            bubbles=tuple(bubbles),
            intent=reply.intent,
            language=reply.language,
            finds=finds,
            wish=wish,
            handoff=handoff,
            asks=asks,
            passages=tuple(dict.fromkeys(one for one in reply.passages if one in known)),
            summary=reply.summary.strip(),
            rating=reply.rating if reply.rating in range(1, 6) else None,
            brain=self.brain.name,
            model=self.uses[-1].model,
            prompt_hash=prompts.hash_of(self.asking.system),
            uses=tuple(self.uses),
            tools=tuple(self.tools),
            guards=tuple(self.notes),
            slot=slot,
        )

    def _bubbles(self, reply: wire.Reply) -> list[str]:
        bubbles = [text.strip() for text in reply.bubbles if text.strip()]
        problems = []
        if not bubbles and reply.intent != "thanks":
            problems.append("`bubbles` is empty, and the lead waits for an answer.")
        if len(bubbles) > BUBBLES_AT_MOST or any(len(text) > LONGEST_BUBBLE_CHARS for text in bubbles):
            problems.append("`bubbles` are too many or too long: two short sentences.")
        if any(self._shows_us(text) for text in bubbles):
            problems.append("`bubbles` show marks or references of the instructions.")
        if problems:
            raise _Unfit("unfit", problems)
        return bubbles

    def _shows_us(self, text: str) -> bool:
        return self.asking.tag in text or "<data" in text or bool(self.asking.canary and self.asking.canary in text)

    def _slot(self, reply: wire.Reply) -> int | None:
        offered = {slot.number for slot in self.context.slots}
        if reply.slot is not None and reply.slot not in offered:
            raise _Unfit(
                "invented_slot", ["`slot` is none of the offered times: use null, and take nothing for granted."]
            )
        return reply.slot

    def _finds(self, reply: wire.Reply) -> list[Found]:
        """What stands where it is said to stand; the rest is dropped and noted."""
        found: list[Found] = []
        counted = {one.id for one in self.context.known.answers}
        heard: list[wire.Quoted] = [*reply.answers, *reply.facts, *reply.signals]
        for one in heard:
            line = self._line(one.message, one.quote)
            if line is None:
                self.notes.append(GuardNote("quote", one.quote[:NOTED_CHARS], "dropped"))
                continue
            sure = min(1.0, max(0.0, one.confidence))
            quote = one.quote.strip()
            match one:
                case wire.HeardAnswer():
                    replaces = tuple(pk for pk in one.replaces if pk in counted)
                    found.append(AnswerFound(one.stage, line.id, quote, sure, replaces))
                case wire.HeardFact():
                    value = _value(one)
                    if value is not None:
                        found.append(FactFound(one.key, value, line.id, quote, sure))
                case wire.HeardSignal():
                    found.append(SignalFound(one.key, line.id, quote, one.is_true, sure))
        return found

    def _line(self, number: int, quote: str) -> Line | None:
        """The lead's message of this number, if the words stand in it."""
        line = self.asking.numbers.get(number)
        words = quote.strip().casefold()
        return line if line and words and words in line.text.casefold() else None


def _trouble(answer: wire.Answer) -> str:
    """ "" when the answer can be read (contract 4); else blocked, max_tokens, fault, empty or unknown."""
    if answer.blocked or answer.finish in wire.BLOCKED:
        return "blocked"
    if answer.finish == "MAX_TOKENS":
        return "max_tokens"
    if answer.finish in wire.AT_FAULT or answer.calls:
        return "fault"
    if answer.finish not in {"STOP", ""}:
        return "unknown_finish"
    return "" if answer.text.strip() else "empty"


def _declared(tool: Tool) -> dict[str, Any]:
    return {"name": tool.name, "description": tool.description, "parameters_json_schema": dict(tool.parameters)}


def _asked(bubbles: Sequence[str], about: str) -> Asked | None:
    """The question that the last bubble ends with."""
    questions = QUESTION.findall(bubbles[-1]) if bubbles else []
    if not questions:
        return None
    return Asked(about if ABOUT.fullmatch(about) else "other", questions[-1].strip())


def _value(fact: wire.HeardFact) -> str | int | bool | None:
    """A fact's value in its own type; None when it is none."""
    text = fact.value.strip()
    match fact.key:
        case "team_size":
            return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else None
        case "decision_maker":
            return {"true": True, "false": False}.get(text.lower())
        case "person_type":
            return text.upper() if text.upper() in {"PF", "PJ"} else None
    return text or None
