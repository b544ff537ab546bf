"""Drafts of an agent with what they lean on, invented for training the claim checker; read by `rows`.

`B|language|company|lead` begins a business, `K|…` is what may be quoted, `D|lead's message|tool=result or -|draft|ok`
or `kind:words;;kind:words` a draft with what nothing supports. `talk.txt` has single sentences, `language|kind|sentence`,
that break a rule, or none, whatever the business. `unread.txt` was written before the model and is never trained on.
"""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
TRAINED = ("trades", "services")
UNREAD = "unread"
NOW = "2026-11-25T11:00:00-03:00"
DRAWN = 7  # seed
LANGUAGES = {"pt": "pt-BR", "es": "es", "en": "en"}


def rows(name: str) -> list[dict[str, Any]]:
    """The drafts of a file in the format of `tests/evals/claims.jsonl`."""
    return list(_rows(name))


def _rows(name: str) -> Iterator[dict[str, Any]]:
    business: dict[str, Any] = {}
    for number, line in enumerate((FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()):
        kind, *parts = line.split("|")
        if kind == "B":
            business = {"language": parts[0], "org": parts[1], "lead": parts[2], "knowledge": []}
        elif kind == "K":
            business["knowledge"].append(parts[0])
        elif kind == "D":
            message, tool, draft, label = parts
            yield {
                **business,
                "id": f"{name}{number}",
                "now": NOW,
                "language": "" if "language:" in label else business["language"],
                "lead": {"name": business["lead"], "message": message},
                "tool_results": [] if tool == "-" else [dict(zip(("tool", "result"), tool.split("=", 1), strict=True))],
                "draft": draft,
                "expect": _expect(label),
            }


def talk() -> list[dict[str, Any]]:
    """The single sentences, each with what some business of its language knows."""
    draw = random.Random(DRAWN)  # noqa: S311  # no secret
    businesses = [row for name in TRAINED for row in rows(name)]
    found = []
    for number, line in enumerate((FOLDER / "talk.txt").read_text(encoding="utf-8").splitlines()):
        language, kind, sentence = line.split("|")
        business = draw.choice([row for row in businesses if row["language"] == LANGUAGES[language]])
        label = "ok" if kind == "none" else f"{kind}:{sentence}"
        found.append(
            {**business, "id": f"talk{number}", "tool_results": [], "draft": sentence, "expect": _expect(label)}
        )
    return found


def _expect(label: str) -> dict[str, Any]:
    marked = [] if label == "ok" else [part.split(":", 1) for part in label.split(";;")]
    return {"allowed": not marked, "violations": [{"kind": kind, "text": text} for kind, text in marked]}
