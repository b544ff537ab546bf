"""Labelled rows to fit and to measure with: the files of tests/evals, and what was written for training in `lines/`."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from conversations.playbook.text import fold

EVALS = Path(__file__).resolve().parents[3] / "tests" / "evals"
FILES = (
    *("consent", "messages", "slots", "injection", "examples"),
    *("more/consent", "more/messages", "more/slots", "more/segments_pt", "more/segments_mixed"),
)
LINES = Path(__file__).parent / "lines"
SIGNALS = ("budget", "urgency", "decision_maker")
RUN_WORDS = 5  # so many words in a row that are the same count as copied


@dataclass(frozen=True)
class Example:
    """One labelled lead text. `labels`: head -> label, only where the source says; `file` is where it stands."""

    file: str
    id: str
    language: str | None
    question: str
    text: str
    labels: dict[str, str] = field(default_factory=dict)
    implied: dict[str, str] = field(default_factory=dict)  # follows from the labels; trained on, never measured
    answers: tuple[str, ...] | None = None  # the stages it gives answers for, repeated if two; None where not labelled
    facts: dict[str, Any] | None = None
    weight: float = 1.0


def rows(file: str) -> list[dict[str, Any]]:
    """The objects of `tests/evals/<file>.jsonl`."""
    lines = (EVALS / f"{file}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def examples(file: str) -> list[Example]:
    """The rows of a file as examples: what each format labels, translated to heads."""
    return list(_examples(file))


def _examples(file: str) -> Iterator[Example]:
    for row in rows(file):
        language = row.get("language")
        expect = row["expect"]
        question, text = row.get("context_question") or "", row.get("text", "")
        if "messages" in row:
            question, text = last_turn(row["messages"])
        labels: dict[str, str] = {}
        intent = expect.get("intent", expect.get("last_intent"))
        if intent:
            labels["intent"] = intent
            labels["opt_out"] = _yes(expect.get("opt_out", intent == "opt_out"))
            labels["wants_human"] = _yes(expect.get("wants_human", intent == "wants_human"))
        if "text" in row and "answers" in expect:
            labels["stage"] = expect["answers"][0] if expect["answers"] else "none"
            for signal, given in expect["signals"].items():
                labels[signal] = _yes(given)
        if "text" in row and "facts" in expect:
            labels["person_type"] = expect["facts"].get("person_type", "none")
        if language:
            labels["language"] = language
        answers = tuple(expect["answers"]) if "stage" in labels else None
        facts = expect.get("facts") if "text" in row else None
        yield Example(file, row["id"], language, question, text, labels, _implied(labels), answers, facts)


def lines() -> dict[str, list[Example]]:
    """What authors wrote who have not seen the evaluation files, by file: "lines/<name>" -> rows.

    A line that says five words in a row as an evaluation file does is left out, as in `phrases.examples`.
    """
    known = known_runs()
    files: dict[str, list[Example]] = {}
    for path in sorted(LINES.glob("*.jsonl")):
        file = f"lines/{path.stem}"
        files[file] = []
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
            row = json.loads(line)
            question = row["context_question"] or ""
            if any(run in known for run in (*runs(row["text"]), *runs(question))):
                continue
            labels = {
                "intent": row["intent"],
                "opt_out": _yes(row["opt_out"]),
                "wants_human": _yes(row["wants_human"]),
                "stage": row["answers"][0] if row["answers"] else "none",
                "person_type": row["facts"].get("person_type", "none"),
                "language": row["language"],
                **{signal: _yes(row["signals"].get(signal, False)) for signal in SIGNALS},
            }
            stages, facts = tuple(row["answers"]), row["facts"]
            example = Example(file, str(number), row["language"], question, row["text"], labels, {}, stages, facts)
            files[file].append(example)
    return files


def _implied(labels: dict[str, str]) -> dict[str, str]:
    if labels.get("stage", "none") != "none":
        return {"opt_out": "no", "wants_human": "no"}
    if labels.get("intent") in ("opt_out", "wants_human", "cancel", "reschedule", "greeting", "thanks"):
        return {"stage": "none"}
    return {}


def last_turn(messages: list[dict[str, str]]) -> tuple[str, str]:
    """The agent's last message ("" if it said nothing) and all the lead wrote after it, a line each."""
    said: list[str] = []
    for message in reversed(messages):
        if message["from"] == "agent":
            return message["text"], "\n".join(reversed(said))
        said.append(message["text"])
    return "", "\n".join(reversed(said))


def runs(text: str) -> Iterator[tuple[str, ...]]:
    """Every five words in a row of `text`, folded."""
    plain = "".join(sign if sign.isalnum() else " " for sign in fold(text)).split()
    for start in range(len(plain) - RUN_WORDS + 1):
        yield tuple(plain[start : start + RUN_WORDS])


@lru_cache(maxsize=1)
def known_runs() -> frozenset[tuple[str, ...]]:
    """Every five words in a row that stand in any text of the evaluation files."""
    return frozenset(
        run
        for path in sorted(EVALS.rglob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
        for text in _texts(json.loads(line))
        for run in runs(text)
    )


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _yes(given: bool) -> str:
    return "yes" if given else "no"
