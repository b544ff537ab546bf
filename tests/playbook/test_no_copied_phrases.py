"""Nothing of the evaluation files stands in the code or in the training phrases: five words in a row are a copy."""

import json
from pathlib import Path

from conversations.playbook.training import corpus, phrases

ROOT = Path(__file__).resolve().parents[2]
WRITTEN = (
    *("conversations/playbook/**/*.py", "conversations/playbook/**/*.txt", "conversations/guards.py"),
    *("conversations/knowledge.py", "conversations/management/**/*.py", "conversations/simulation/*.py"),
)


def test_it_repeats_no_five_words_of_the_evaluation_files_in_what_is_written() -> None:
    known = corpus.known_runs()
    copied = [
        (path.relative_to(ROOT).as_posix(), " ".join(run))
        for pattern in WRITTEN
        for path in sorted(ROOT.glob(pattern))
        for line in path.read_text(encoding="utf-8").splitlines()
        for piece in phrases.pieces(line)
        for run in corpus.runs(piece)
        if run in known
    ]
    assert copied == []


def test_it_repeats_no_five_words_of_the_evaluation_files_in_what_is_drawn() -> None:
    known = corpus.known_runs()
    drawn = phrases.examples(draws=4)
    assert len(drawn) > 1_000
    assert [e.text for e in drawn for run in (*corpus.runs(e.text), *corpus.runs(e.question)) if run in known] == []


def test_it_repeats_no_five_words_of_the_evaluation_files_in_the_lines_it_learns_from() -> None:
    known = corpus.known_runs()
    paths = sorted(corpus.LINES.glob("*.jsonl"))
    rows = [json.loads(line) for path in paths for line in path.read_text(encoding="utf-8").splitlines()]
    assert len(rows) > 2_000
    copied = [
        row["text"]
        for row in rows
        for text in (row["text"], row["context_question"] or "")
        for run in corpus.runs(text)
        if run in known
    ]
    assert copied == []


def test_it_would_notice_a_copy() -> None:
    known = corpus.known_runs()
    texts = [json.loads(line)["text"] for line in (corpus.EVALS / "consent.jsonl").read_text("utf-8").splitlines()]
    long = [text for text in texts if len(text.split()) >= 7]
    assert len(long) > 50
    assert all(any(run in known for run in corpus.runs(f"is {text} there")) for text in long)
    assert len(known) > 10_000
