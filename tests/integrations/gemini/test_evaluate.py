"""`manage.py evaluate --brain gemini`: the same formats, the same fields, another brain."""

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from integrations.gemini import configured
from integrations.gemini.standin import Standin, fails, says

EVALS = Path(__file__).parents[2] / "evals"


@pytest.fixture(autouse=True)
def key(gemini: Standin, settings: Any) -> Iterator[None]:
    settings.GEMINI_API_KEY, settings.GEMINI_BASE_URL = gemini.api_key, gemini.url
    settings.SDR_MODEL_BRAIN = "integrations.gemini.configured.brain"
    configured.client.cache_clear()
    configured.brain.cache_clear()
    yield
    configured.client.cache_clear()
    configured.brain.cache_clear()


def evaluate(path: Path, *, as_json: bool = True) -> tuple[list[dict[str, Any]], str]:
    out, errors = StringIO(), StringIO()
    call_command("evaluate", str(path), brain="gemini", as_json=as_json, stdout=out, stderr=errors)
    found = [json.loads(line) for line in out.getvalue().splitlines()] if as_json else []
    return found, errors.getvalue()


def rows(tmp_path: Path, *given: dict[str, Any]) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in given), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["examples", "messages", "slots", "injection", "claims"])
def test_it_predicts_every_format(gemini: Standin, tmp_path: Path, name: str) -> None:
    first = [json.loads(line) for line in (EVALS / f"{name}.jsonl").read_text("utf-8").splitlines()[:3]]
    found, errors = evaluate(rows(tmp_path, *first))
    assert [one["id"] for one in found] == [row["id"] for row in first]
    for one, row in zip(found, first, strict=True):
        assert set(row["expect"]) - set(one) <= {"asked_time", "ambiguous", "reason"}, "fields are named as in expect"
    assert (gemini.requests == []) == (name == "claims"), "guards are no brain's"
    assert gemini.refused == []
    held_back = "Decisions that are not by gemini: 1, by playbook.\n"  # it quotes an order planted in the knowledge
    assert errors == (held_back if name == "injection" else "")


def test_a_conversation_is_read_turn_by_turn(gemini: Standin, tmp_path: Path) -> None:
    messages = [
        {"from": "lead", "text": "oi, somos 12"},
        {"from": "agent", "text": "Como anotam?"},
        {"from": "lead", "text": "num caderno"},
        {"from": "lead", "text": "e some muito pedido"},
    ]

    def heard(stage: str, message: int, quote: str) -> dict[str, Any]:
        return {"stage": stage, "message": message, "quote": quote, "confidence": 1, "replaces": []}

    team = {"key": "team_size", "value": "12", "message": 1, "quote": "somos 12", "confidence": 1}
    urgent = {"key": "urgency", "is_true": True, "message": 4, "quote": "some muito pedido", "confidence": 1}
    gemini.will(
        says(facts=[team], answers=[]),
        says(
            answers=[heard("situation", 3, "num caderno"), heard("problem", 4, "some muito pedido")],
            signals=[urgent],
            intent="answer",
        ),
    )
    (found,), _ = evaluate(rows(tmp_path, {"id": "x", "language": "pt-BR", "messages": messages}))
    assert found == {
        "id": "x",
        "facts": {"team_size": 12},
        "answers": {"situation": 1, "problem": 1, "implication": 0, "need_payoff": 0},
        "completed_stages": [],
        "signals": {"budget": False, "urgency": True, "decision_maker": False},
        "score": 30,
        "qualified": False,
        "last_intent": "answer",
        "slot_choice": None,
    }
    assert len(gemini.requests) == 2
    assert '"team_size": 12' in gemini.requests[1].text, "what is known is told"


@pytest.mark.parametrize(
    ("wish", "field", "value"),
    [("opt_out", "opt_out", True), ("doubtful_opt_out", "opt_out", "doubtful"), ("human", "wants_human", True)],
)
def test_wishes_have_the_names_of_the_labels(
    gemini: Standin, tmp_path: Path, wish: str, field: str, value: object
) -> None:
    gemini.will(says(wish=wish))
    (found,), _ = evaluate(rows(tmp_path, {"id": "m", "language": "pt-BR", "text": "chega"}))
    assert found[field] == value


def test_it_says_when_another_brain_answered(gemini: Standin, tmp_path: Path) -> None:
    gemini.will(fails(403))
    _, errors = evaluate(rows(tmp_path, {"id": "m", "language": "pt-BR", "text": "oi"}))
    assert errors.strip() == "Decisions that are not by gemini: 1, by playbook."


def test_without_a_key_it_says_so(gemini: Standin, tmp_path: Path, settings: Any) -> None:
    settings.SDR_MODEL_BRAIN = ""
    with pytest.raises(CommandError, match="not configured"):
        evaluate(rows(tmp_path, {"id": "m", "text": "oi"}))


def test_a_row_of_no_format_is_named(gemini: Standin, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="m9"):
        evaluate(rows(tmp_path, {"id": "m9", "nothing": 1}))
