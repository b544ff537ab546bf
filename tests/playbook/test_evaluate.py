"""`manage.py evaluate`: predictions by the names of `expect`, and a report."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

EVALS = Path(__file__).resolve().parents[1] / "evals"


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("evaluate", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("file", "fields"),
    [
        ("messages.jsonl", {"intent", "opt_out", "wants_human", "facts"}),
        ("slots.jsonl", {"intent", "slot_choice", "asked_time", "ambiguous"}),
        ("more/segments_pt.jsonl", {"answers", "signals", "facts"}),
        (
            "examples.jsonl",
            {"facts", "answers", "completed_stages", "signals", "score", "qualified", "last_intent", "slot_choice"},
        ),
    ],
)
def test_it_prints_an_object_a_line_with_the_fields_of_expect(file: str, fields: set[str], tmp_path: Path) -> None:
    lines = (EVALS / file).read_text(encoding="utf-8").splitlines()[:12]
    short = tmp_path / "short.jsonl"
    short.write_text("\n".join(lines), encoding="utf-8")
    printed = [json.loads(line) for line in run(str(short), "--json").splitlines()]
    assert [row["id"] for row in printed] == [json.loads(line)["id"] for line in lines]
    assert all(fields <= row.keys() for row in printed)


def test_it_predicts_the_same_without_labels(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        json.loads(line) for line in (EVALS / "consent.jsonl").read_text("utf-8").splitlines()[:20]
    ]
    labelled, bare = tmp_path / "labelled.jsonl", tmp_path / "bare.jsonl"
    labelled.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    bare.write_text(
        "\n".join(json.dumps({k: v for k, v in row.items() if k != "expect"}) for row in rows), encoding="utf-8"
    )
    assert run(str(labelled), "--json") == run(str(bare), "--json")


def test_its_report_gives_n_per_language_and_a_matrix(tmp_path: Path) -> None:
    report = run(str(EVALS / "messages.jsonl"))
    assert "intent                       all" in report
    assert " 73" in report
    assert "expected / given" in report


def test_it_says_which_row_it_cannot_read(tmp_path: Path) -> None:
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"id": 1, "text": "oi"}\n{nonsense\n', encoding="utf-8")
    with pytest.raises(CommandError, match="line 2: not JSON"):
        run(str(broken), "--json")
    broken.write_text('{"id": "x9", "colour": "blue"}\n', encoding="utf-8")
    with pytest.raises(CommandError, match="x9: no known format"):
        run(str(broken), "--json")
