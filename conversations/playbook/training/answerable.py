"""Fits `search.WEIGHTS`: when do the best passages answer a question? `python -m conversations.playbook.training.answerable`.

Data: `knowledge/questions.txt` beside this file, questions about documents written for the purpose. Prints how well
each document's questions are told apart by a model that has not seen them, and the weights of a model of all.
"""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from conversations.playbook import search

FOLDER = Path(__file__).parent / "knowledge"
STRENGTH = 0.2  # C: little data, so little freedom
Row = tuple[str, str, str]  # document, heading of the passage that answers or "", question


def rows() -> list[Row]:
    """The questions in the order of the file."""
    lines = (FOLDER / "questions.txt").read_text(encoding="utf-8").splitlines()
    found = [[part.strip() for part in line.split("|")] for line in lines if line and not line.startswith("#")]
    return [(document, "" if heading == "-" else heading, question) for document, heading, question in found]


def indexes(names: Iterable[str]) -> dict[str, search.Index]:
    """A document's passages, ready to be searched, by its name."""
    return {
        name: search.Index(search.split((FOLDER / f"{name}.txt").read_text(encoding="utf-8"))) for name in set(names)
    }


def fit(features: Any, answered: Any) -> Any:
    return LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=2_000).fit(features, answered)


def main(out: Any = sys.stdout) -> Sequence[float]:
    """Print the figures; out: the weights, the constant first."""
    data = rows()
    found = indexes(name for name, _, _ in data)
    features = np.array([found[name].features(question) for name, _, question in data])
    answered = np.array([bool(heading) for _, heading, _ in data])
    names = np.array([name for name, _, _ in data])
    for name in sorted(found):
        own = names == name
        told = fit(features[~own], answered[~own]).predict_proba(features[own])[:, 1] >= search.ANSWERABLE
        said = told[answered[own]].mean()
        unsaid = (~told[~answered[own]]).mean()
        print(f"{name:<10} n {own.sum():>3}  answered told {said:.2f}  unanswered told {unsaid:.2f}", file=out)
    model = fit(features, answered)
    weights = [float(model.intercept_[0]), *(float(one) for one in model.coef_[0])]
    print("WEIGHTS = (" + ", ".join(f"{one:.3f}" for one in weights) + ")", file=out)
    return weights


if __name__ == "__main__":
    main()
