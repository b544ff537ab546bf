"""Fit `playbook.spans` on the labelled facts whose words stand in the text. Development only."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from conversations.playbook import evaluation
from conversations.playbook.spans import BUCKETS, KEYS, Tagger, features
from conversations.playbook.text import fold
from conversations.playbook.training import corpus, facts
from conversations.playbook.training.corpus import Example

STRENGTH = 0.3  # C
CONVERSATIONS = "examples"
WRITTEN_WEIGHT = 0.1  # of a drawn phrase, against a row of a file
Told = tuple[str, str, Mapping[str, Any], float]  # text, question before, facts, weight


def told(files: Mapping[str, Sequence[Example]], *, without: str = "") -> list[Told]:
    """Texts with their labelled facts, of every file but `without`, and the drawn phrases. A conversation's facts are those a
    turn says."""
    rows: list[Told] = [
        (row.text, row.question, row.facts, 1.0)
        for file, examples in files.items()
        if file != without
        for row in examples
        if row.facts is not None
    ]
    if without != CONVERSATIONS:
        for conversation in corpus.rows(CONVERSATIONS):
            labelled = conversation["expect"]["facts"]
            for question, text in evaluation.turns(conversation["messages"]):
                said = {key: value for key, value in labelled.items() if place(text, value) is not None}
                rows.append((text, question, said, 1.0))
    return [*rows, *((*telling, WRITTEN_WEIGHT) for telling in facts.drawn())]


def fit(rows: Iterable[Told]) -> Tagger:
    """A tagger of every key. A fact whose words are not in its text teaches nothing."""
    read = [(*features(text, question), text, told, weight) for text, question, told, weight in rows]
    columns: list[NDArray[np.float64]] = []
    biases: list[float] = []
    for key in KEYS:
        given: list[NDArray[np.int64]] = []
        wanted: list[bool] = []
        weights: list[float] = []
        for words, buckets, text, told, weight in read:
            where = place(text, told.get(key))
            if key in told and where is None:
                continue
            given += buckets
            weights += [weight] * len(words)
            wanted += [where is not None and where[0] <= word.start < where[1] for word in words]
        starts = np.cumsum([0, *(len(row) for row in given)])
        matrix = csr_matrix(
            (np.ones(starts[-1], dtype=np.float32), np.concatenate(given), starts), shape=(len(given), BUCKETS)
        )
        logistic = LogisticRegression(C=STRENGTH, solver="liblinear", max_iter=200)
        logistic.fit(matrix, np.array(wanted), sample_weight=np.array(weights))
        columns.append(logistic.coef_[0])
        biases.append(float(logistic.intercept_[0]))
    full = np.stack(columns, axis=1)
    scales = (np.abs(full).max(axis=0) / 127.0).astype(np.float32)
    return Tagger(np.round(full / scales).astype(np.int8), scales=scales, biases=np.array(biases, dtype=np.float32))


def place(text: str, value: object) -> tuple[int, int] | None:
    """Where the words of a fact stand in a text, whatever their case and accents; None when they do not."""
    if not isinstance(value, str) or not value:
        return None
    plain, words = fold(text), fold(value)
    if len(plain) != len(text):
        start = text.lower().find(value.lower())
        return (start, start + len(value)) if start >= 0 else None
    found = re.search(rf"(?<!\w){re.escape(words)}(?!\w)", plain) or re.search(re.escape(words), plain)
    return found.span() if found else None
