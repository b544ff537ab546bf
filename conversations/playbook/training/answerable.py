"""Fits `search.WEIGHTS`: when do the best passages answer a question? `python -m conversations.playbook.training.answerable`.

Data: `knowledge/questions.txt`, questions about documents written for the purpose, and `knowledge/asked.txt`, about
what the companies of `drafts` know; the evaluation files are no training data here. Prints how well each document's
questions are told apart by a model that has not seen them, and writes the weights of a model of all.
"""

import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from scipy.sparse import csr_matrix, hstack
from sklearn.linear_model import LogisticRegression

from conversations.playbook import search
from conversations.playbook.training import drafts

FOLDER = Path(__file__).parent / "knowledge"
STRENGTH = 0.3  # C: little data, so little freedom
LINES_OF_A_PASSAGE = 3  # of what a company of `drafts` knows
Row = tuple[str, bool, str]  # document, whether it answers, question


def rows() -> list[Row]:
    """The questions in the order of the files."""
    return [
        *((document, heading != "-", question) for document, heading, question in _lines("questions")),
        *((company, answer == "y", question) for company, answer, question in _lines("asked")),
    ]


def _lines(name: str) -> list[list[str]]:
    lines = (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return [[part.strip() for part in line.split("|")] for line in lines if line and not line.startswith("#")]


def indexes() -> dict[str, search.Index]:
    """A document's passages, ready to be searched, by its name."""
    found = {
        name: search.Index(search.split((FOLDER / f"{name}.txt").read_text(encoding="utf-8")))
        for name in {document for document, *_ in _lines("questions")}
    }
    known = {row["org"]: row["knowledge"] for name in drafts.TRAINED for row in drafts.rows(name)}
    for company in {company for company, *_ in _lines("asked")}:
        lines = known[company]
        pieces = [lines[at : at + LINES_OF_A_PASSAGE] for at in range(0, len(lines), LINES_OF_A_PASSAGE)]
        found[company] = search.Index([search.Passage("", " ".join(piece)) for piece in pieces])
    return found


def matrix(given: Sequence[Row], found: Mapping[str, search.Index]) -> csr_matrix:
    """A row per question: its features, then its phrasing by bucket."""
    told, indices, values, starts = [], [], [], [0]
    for name, _, question in given:
        told.append(found[name].features(question))
        buckets, weights = search.hashed(found[name].phrasing(question))
        indices.append(buckets)
        values.append(weights)
        starts.append(starts[-1] + len(buckets))
    size = (len(given), search.BUCKETS)
    phrasing = csr_matrix((np.concatenate(values), np.concatenate(indices), np.array(starts)), shape=size)
    return csr_matrix(hstack([csr_matrix(np.array(told)), phrasing]))


def fit(features: Any, answered: Any) -> Any:
    return LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=3_000).fit(features, answered)


def fitted() -> search.Fitted:
    """The weights of a model of all questions."""
    data = rows()
    model = fit(matrix(data, indexes()), [answered for _, answered, _ in data])
    weights = model.coef_[0].astype(np.float32)
    size = len(search.FEATURES)
    return search.Fitted(float(model.intercept_[0]), weights[:size], weights[size:])


def report(out: TextIO) -> None:
    """How questions are told apart by a model that has not seen their document."""
    data = rows()
    features = matrix(data, indexes())
    answered = np.array([answer for _, answer, _ in data])
    names = np.array([name for name, *_ in data])
    told: dict[str, np.ndarray[Any, Any]] = defaultdict(lambda: np.zeros(4, dtype=int))
    for name in sorted(set(names)):
        own = names == name
        given = fit(features[~own], answered[~own]).predict_proba(features[own])[:, 1] >= search.ANSWERABLE
        right, wanted = given == answered[own], answered[own]
        counts = [int((right & wanted).sum()), int(wanted.sum()), int((right & ~wanted).sum()), int((~wanted).sum())]
        told["all"] += counts
        print(
            f"{name:<32} answered told {counts[0]} of {counts[1]}, unanswered told {counts[2]} of {counts[3]}", file=out
        )
    counts = told["all"].tolist()
    print(f"{'all':<32} answered told {counts[0]} of {counts[1]}, unanswered told {counts[2]} of {counts[3]}", file=out)


def save(weights: search.Fitted, path: Path = search.WEIGHTS) -> None:
    """Write the weights that ship."""
    kept = np.flatnonzero(weights.phrasing)
    np.savez_compressed(
        path, bias=np.float32(weights.bias), features=weights.features, rows=kept.astype(np.int32),
        phrasing=weights.phrasing[kept],
    )  # fmt: skip


def main(out: TextIO = sys.stdout) -> None:
    """Print the figures, write the weights."""
    report(out)
    save(fitted())


if __name__ == "__main__":
    main()
