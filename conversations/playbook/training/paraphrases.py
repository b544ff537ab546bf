"""How much is lost from examples the weights have seen to paraphrases nobody tuned for.

`python -m conversations.playbook.training.paraphrases`: reads tests/evals/paraphrases.jsonl, whose `-p00` lines are the
seen examples, and prints each figure for these and for their paraphrases, with n. Needs ENVIRONMENT=test.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from conversations.playbook.evaluation import predict

FILE = Path("tests/evals/paraphrases.jsonl")
Row = Mapping[str, Any]


def main() -> None:
    rows = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
    seen = figures(row for row in rows if row["id"].endswith("-p00"))
    unseen = figures(row for row in rows if not row["id"].endswith("-p00"))
    for name, (right, of) in seen.items():
        more, of_more = unseen[name]
        sys.stdout.write(f"{name:24} seen {right / of:.3f} (n {of})   paraphrased {more / of_more:.3f} (n {of_more})\n")


def figures(rows: Iterable[Row]) -> dict[str, tuple[int, int]]:
    """Right ones and all, by figure. "doubtful" counts as caught where the wish is there, else for itself."""
    right: Counter[str] = Counter()
    every: Counter[str] = Counter()

    def count(name: str, is_right: bool) -> None:
        every[name] += 1
        right[name] += is_right

    for row in rows:
        expected = row["expect"]
        found = predict({key: value for key, value in row.items() if key != "of"})
        if "intent" in expected:
            count("intent", found["intent"] == expected["intent"])
            for wish in ("opt_out", "wants_human"):
                if expected[wish]:
                    count(f"{wish} caught", found[wish] in {True, "doubtful"})
                else:
                    count(f"{wish} false", found[wish] is True)
                    count(f"{wish} doubtful", found[wish] == "doubtful")
        if "answers" in expected:
            count("stages exact", Counter(found["answers"]) == Counter(expected["answers"]))
            count("stages found", set(expected["answers"]) <= set(found["answers"]))
            for key, is_true in expected["signals"].items():
                count("signals", bool(found["signals"].get(key)) == is_true)
        for key, value in expected["facts"].items():
            told = str(found["facts"].get(key, "")).casefold()
            count("facts found", bool(told) and (told in str(value).casefold() or str(value).casefold() in told))
    return {name: (right[name], every[name]) for name in every}


if __name__ == "__main__":
    main()
