"""Fit the heads on examples, and write the weights. Development only: scikit-learn is not there at run time."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from conversations.playbook.model import BUCKETS, Head, Model, Row, hashed
from conversations.playbook.training.corpus import Example

STRENGTH = {"intent": 20.0, "opt_out": 20.0, "wants_human": 20.0, "language": 10.0}  # C of the logistic model
OTHER_STRENGTH = 12.0
_rows: dict[tuple[str, str], Row] = {}


def matrix(given: Sequence[Example]) -> csr_matrix:
    """A row per example, unweighted by rarity."""
    indices, values, starts = [], [], [0]
    for example in given:
        key = (example.text, example.question)
        if key not in _rows:
            _rows[key] = hashed(*key)
        buckets, weights = _rows[key]
        indices.append(buckets)
        values.append(weights)
        starts.append(starts[-1] + len(buckets))
    return csr_matrix(
        (np.concatenate(values), np.concatenate(indices), np.array(starts)), shape=(len(given), BUCKETS), dtype=np.float32
    )


def fit(given: Sequence[Example], *, heads: Sequence[str] | None = None, thresholds: dict[str, float] | None = None) -> Model:
    """A model of every head the examples label (or of `heads`)."""
    plain = matrix(given)
    seen = np.asarray((plain > 0).sum(axis=0)).ravel()
    rarity = (1.0 + np.log((1.0 + len(given)) / (1.0 + seen))).astype(np.float16)
    used = np.flatnonzero(seen >= 1)
    rarity[seen < 1] = 1.0 + np.log(1.0 + len(given))
    scaled = csr_matrix(plain[:, used].multiply(rarity[used].astype(np.float32)))
    lengths = np.sqrt(np.asarray(scaled.multiply(scaled).sum(axis=1)).ravel())
    lengths[lengths == 0] = 1.0
    unit = csr_matrix(scaled.multiply((1.0 / lengths)[:, None]))
    names = heads or sorted({head for example in given for head in example.labels})
    columns: list[NDArray[np.float32]] = []
    biases: list[float] = []
    found: dict[str, Head] = {}
    for name in names:
        which = [number for number, example in enumerate(given) if name in example.labels]
        wanted = np.array([given[number].labels[name] for number in which])
        weights = np.array([given[number].weight for number in which])
        logistic = LogisticRegression(C=STRENGTH.get(name, OTHER_STRENGTH), max_iter=300, tol=1e-5)
        logistic.fit(unit[which], wanted, sample_weight=weights)
        first = len(biases)
        if len(logistic.classes_) == 2:
            sign = 1.0 if logistic.classes_[1] == "yes" else -1.0
            columns.append((sign * logistic.coef_[0]).astype(np.float32))
            biases.append(float(sign * logistic.intercept_[0]))
            found[name] = Head(("yes",), first)
            continue
        columns.extend(row.astype(np.float32) for row in logistic.coef_)
        biases.extend(float(value) for value in logistic.intercept_)
        found[name] = Head(tuple(logistic.classes_), first)
    full = np.stack(columns, axis=1)
    scales = (np.abs(full).max(axis=0) / 127.0).astype(np.float32)
    small = np.round(full / scales).astype(np.int8)
    weights8 = np.zeros((BUCKETS, len(biases)), dtype=np.int8)
    weights8[used] = small
    return Model(
        found, weights=weights8, scales=scales, biases=np.array(biases, dtype=np.float32), rarity=rarity, thresholds=thresholds or {}
    )


def save(model: Model, path: Path) -> int:
    """Write the weights. Returns the file's size in bytes."""
    weights, scales, biases, rarity = model.arrays()
    rows = np.flatnonzero(np.abs(weights).max(axis=1) >= 1)
    about = {
        "heads": {name: {"labels": list(head.labels), "first": head.first} for name, head in model.heads.items()},
        "thresholds": model.thresholds,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path,
        about=np.frombuffer(json.dumps(about, sort_keys=True).encode(), dtype=np.uint8),
        rows=rows.astype(np.int32),
        weights=weights[rows],
        scales=scales,
        biases=biases,
        rarity=rarity[rows],
        unseen=np.float16(rarity.max()),
    )
    return path.stat().st_size
