"""Predictions for the formats of `tests/evals`, and how they compare with what a careful reader expects. Pure.

A format is recognised by a row's own fields, never by `expect`, so rows without labels are read as well. Whoever owns
another format adds it to `FORMATS`.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from conversations import guards
from conversations.playbook import search, stages
from conversations.playbook.model import Model
from conversations.playbook.signals import SIGNALS
from conversations.playbook.slots import Outcome, SlotAnswer
from conversations.playbook.text import fold
from conversations.playbook.understanding import Intent, Understanding, understand
from conversations.ports import Slot
from conversations.qualification import STAGES, Evidence, Rules, judge

Row = Mapping[str, Any]
Prediction = dict[str, Any]
ENOUGH = 2  # answers complete a stage; two counts above are worth the same


@dataclass(frozen=True)
class Format:
    """One kind of row: its name, the fields it is known by, and how it is predicted."""

    name: str
    fields: frozenset[str]
    predict: Callable[[Row, Model | None], Prediction]


def predict(row: Row, *, model: Model | None = None) -> Prediction:
    """`id` and the predicted fields, named as in `expect`. Raises ValueError for a row of no known format."""
    found = format_of(row)
    return {"id": row.get("id"), **found.predict(row, model)}


def format_of(row: Row) -> Format:
    """The first format whose fields the row has. Raises ValueError."""
    for known in FORMATS:
        if known.fields <= row.keys():
            return known
    raise ValueError(f"no known format has the fields {', '.join(sorted(row))}")


def _conversation(row: Row, model: Model | None) -> Prediction:
    said: dict[str, list[str]] = {stage: [] for stage in STAGES}
    signals: set[str] = set()
    known: dict[str, Any] = {}
    last: Understanding | None = None
    for question, text in turns(row["messages"]):
        last = understand(text, question=question, language=row.get("language"), known=known, model=model)
        known |= {fact.key: fact.value for fact in last.facts}
        signals.update(span.signal for span in last.signals)
        for answer in last.answers:
            if not any(stages.same_statement(answer.text, other) for other in said[answer.stage]):
                said[answer.stage].append(answer.text)
    evidence = Evidence(
        answers={stage: tuple(range(len(found))) for stage, found in said.items()},
        signals={signal: number for number, signal in enumerate(sorted(signals))},
    )
    verdict = judge(evidence, Rules())
    return {
        "facts": known,
        "answers": {str(stage): len(found) for stage, found in said.items()},
        "completed_stages": [str(stage) for stage in verdict.complete],
        "signals": {signal: signal in signals for signal in SIGNALS},
        "score": verdict.score,
        "qualified": verdict.qualified,
        "last_intent": str(last.intent) if last else str(Intent.ANSWER),
        "slot_choice": last.slot.number if last and last.slot and last.intent is Intent.CHOOSE_SLOT else None,
    }


def turns(messages: Iterable[Mapping[str, str]]) -> list[tuple[str, str]]:
    """(agent's message before, the lead's lines) per turn of a transcript, oldest first."""
    found: list[tuple[str, str]] = []
    question, said = "", list[str]()
    for message in messages:
        if message["from"] == "lead":
            said.append(message["text"])
            continue
        if said:
            found.append((question, "\n".join(said)))
            said = []
        question = message["text"]
    return [*found, (question, "\n".join(said))] if said else found


def _message(row: Row, model: Model | None) -> Prediction:
    read = _read(row, model)
    predicted: Prediction = {
        "intent": str(read.intent),
        "opt_out": read.opt_out,
        "wants_human": read.wants_human,
        "facts": {fact.key: fact.value for fact in read.facts},
        "answers": [answer.stage for answer in read.answers],
        "signals": {signal: any(span.signal == signal for span in read.signals) for signal in SIGNALS},
    }
    if read.intent is Intent.CHOOSE_SLOT and read.slot:
        predicted["slot_choice"] = read.slot.number
    return predicted


def _slots(row: Row, model: Model | None) -> Prediction:
    read = _read(row, model)
    slot = read.slot or SlotAnswer(Outcome.NOTHING)
    asked = slot.asked if read.intent is not Intent.CHOOSE_SLOT else None
    time = f"{asked.time[0]:02}:{asked.time[1]:02}" if asked and asked.time else None
    return {
        "intent": str(read.intent),
        "slot_choice": slot.number if read.intent is Intent.CHOOSE_SLOT else None,
        "asked_time": {
            "date": asked.day.isoformat() if asked.day else None,
            "part": str(asked.part) if asked.part else None,
            "time": time,
        }
        if asked
        else None,
        "ambiguous": slot.outcome is Outcome.UNCLEAR and read.intent is Intent.ANSWER,
    }


def _read(row: Row, model: Model | None) -> Understanding:
    now = datetime.fromisoformat(row["now"]) if row.get("now") else None
    offered = [Slot(slot["n"], datetime.fromisoformat(slot["start"])) for slot in row.get("slots") or ()]
    return understand(
        row["text"],
        question=row.get("context_question") or "",
        language=row.get("language"),
        offered=offered,
        now=now,
        time_zone=row.get("timezone") or "America/Sao_Paulo",
        model=model,
    )


def _claims(row: Row, model: Model | None) -> Prediction:
    found = guards.check(row["draft"], grounds_of(row))
    return {"allowed": not found, "violations": [{"kind": str(v.kind), "text": v.text} for v in found]}


def grounds_of(row: Row) -> guards.Grounds:
    """What the draft of a row of `claims.jsonl` may lean on."""
    lead = row.get("lead") or {}
    return guards.Grounds(
        now=datetime.fromisoformat(row["now"]),
        knowledge=row["knowledge"],
        tool_results=[_tool_result(result) for result in row.get("tool_results") or ()],
        lead_name=lead.get("name") or "",
        lead_message=lead.get("message") or "",
        org=row.get("org") or "",
        language=row.get("language") or "",
    )


def _tool_result(given: Mapping[str, Any]) -> guards.ToolResult:
    """Results are objects (`ok`, `error`) or plain strings that begin with how it went."""
    result = given["result"]
    if isinstance(result, str):
        return guards.ToolResult(given["tool"], result, not FAILED.match(result))
    is_ok = bool(result.get("ok", True)) and not result.get("error") if isinstance(result, dict) else True
    return guards.ToolResult(given["tool"], json.dumps(result, ensure_ascii=False), is_ok)


FAILED = re.compile(r"(?i)\s*(?:err|fail|refus|taken|busy|unavail|not\b|no\b|denied)")


def _knowledge(row: Row, model: Model | None) -> Prediction:
    hits = _index(row["document"]).find(row["question"])
    return {
        "answerable": bool(hits) and hits[0].confidence >= search.ANSWERABLE,
        "passages": [hit.passage.text for hit in hits],
    }


@lru_cache(maxsize=32)
def _index(document: str) -> search.Index:
    return search.Index(search.split(document))


FORMATS: list[Format] = [
    Format("claims", frozenset({"draft", "knowledge", "now"}), _claims),
    Format("knowledge", frozenset({"question", "document"}), _knowledge),
    Format("conversation", frozenset({"messages"}), _conversation),
    Format("slots", frozenset({"text", "slots", "now"}), _slots),
    Format("message", frozenset({"text"}), _message),
]


class Report:
    """Counts what is right per field and language, intents in a matrix, wishes as caught or not."""

    def __init__(self) -> None:
        self._right: Counter[tuple[str, str]] = Counter()
        self._all: Counter[tuple[str, str]] = Counter()
        self._intents: Counter[tuple[str, str]] = Counter()
        self._flags: dict[str, Counter[tuple[bool, str]]] = defaultdict(Counter)

    def add(self, row: Row, prediction: Prediction) -> None:
        """Compare one prediction with the row's `expect`; fields that were not predicted are left out."""
        expect = row.get("expect") or {}
        language = row.get("language") or "?"
        if expect.get("passage") and "passages" in prediction:
            held = any(_plain(expect["passage"]) in _plain(text) for text in prediction["passages"])
            self._note("right passage in the first three", language, held)
        for field, wanted in expect.items():
            if field not in prediction:
                continue
            given = prediction[field]
            if field in ("intent", "last_intent"):
                self._intents[wanted, given] += 1
                self._note("intent", language, given == wanted)
            elif field in ("opt_out", "wants_human", "qualified"):
                self._flags[field][wanted, str(given)] += 1
            elif field == "answers":
                for stage in STAGES:
                    self._note(f"count of {stage}", language, _count(given, stage) == _count(wanted, stage))
                    self._note("count of all stages", language, _count(given, stage) == _count(wanted, stage))
            elif field == "signals":
                for signal, is_given in wanted.items():
                    self._note(f"signal {signal}", language, given[signal] == is_given)
                    self._note("signals", language, given[signal] == is_given)
                    self._flags[f"signal {signal}"][is_given, str(given[signal])] += 1
            elif field == "violations":
                for violation in wanted:
                    self._note(
                        f"violations caught: {violation['kind']}", language, is_caught(violation, given, row["draft"])
                    )
                    self._note("violations caught", language, is_caught(violation, given, row["draft"]))
            elif field in ("allowed", "answerable"):
                self._note(f"{field}: {'yes' if wanted else 'no'}", language, given == wanted)
            elif field == "facts":
                self._facts(wanted, given, language)
            else:
                self._note(field, language, given == wanted)

    def _facts(self, wanted: Mapping[str, Any], given: Mapping[str, Any], language: str) -> None:
        for key in wanted.keys() | given.keys():
            right = key in wanted and key in given and same_value(wanted[key], given[key])
            self._note("facts (found or wrong)", language, right)

    def _note(self, field: str, language: str, right: bool) -> None:
        for spoken in (language, "all"):
            self._right[field, spoken] += right
            self._all[field, spoken] += 1

    def lines(self) -> list[str]:
        """The report, ready to print."""
        said = [f"{'field':28} {'language':9} {'right':>6} {'n':>5}"]
        said += [
            f"{field:28} {language:9} {self._right[field, language] / count:6.3f} {count:5}"
            for (field, language), count in sorted(self._all.items())
        ]
        for field, counts in sorted(self._flags.items()):
            said.append(_flag_line(field, counts))
        if self._intents:
            said += ["", *_matrix(self._intents)]
        return said


def same_value(wanted: Any, given: Any) -> bool:
    """Equal, or for texts: one contains the other, whatever their case and accents."""
    if not isinstance(wanted, str) or not isinstance(given, str):
        return bool(wanted == given)
    one, other = fold(wanted), fold(given)
    return bool(one and other) and (one in other or other in one)


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", fold(text)))


def is_caught(violation: Mapping[str, str], given: Sequence[Mapping[str, str]], draft: str) -> bool:
    """Whether a labelled violation is among those given: the kind is right and the texts overlap in the draft."""
    start = draft.lower().find(violation["text"].lower())
    for other in given:
        place = draft.find(other["text"])
        overlaps = place < start + len(violation["text"]) and start < place + len(other["text"])
        if other["kind"] == violation["kind"] and overlaps:
            return True
    return False


def _count(answers: Mapping[str, int] | Sequence[str], stage: str) -> int:
    count = answers.get(stage, 0) if isinstance(answers, Mapping) else list(answers).count(stage)
    return min(count, ENOUGH)


def _flag_line(field: str, counts: Counter[tuple[bool, str]]) -> str:
    true = sum(count for (wanted, _), count in counts.items() if wanted)
    false = sum(count for (wanted, _), count in counts.items() if not wanted)
    sure, doubtful = counts[True, "True"], counts[True, "doubtful"]
    wrong = counts[False, "True"]
    return (
        f"{field}: caught {sure + doubtful} of {true} ({_share(sure + doubtful, true)}), "
        f"precision {_share(sure, sure + wrong)}, "
        f"doubtful {counts[False, 'doubtful']} of {false} others ({_share(counts[False, 'doubtful'], false)}), "
        f"balanced accuracy {_share(sure * false + (false - wrong) * true, 2 * true * false)}"
    )


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.3f}" if whole else "n/a"


def _matrix(counts: Counter[tuple[str, str]]) -> list[str]:
    names = [str(intent) for intent in Intent if any(intent in pair for pair in counts)]
    head = f"{'expected / given':16}" + "".join(f"{name[:9]:>10}" for name in names)
    return [
        head,
        *(f"{name:16}" + "".join(f"{counts[name, other] or '.':>10}" for other in names) for name in names),
    ]
