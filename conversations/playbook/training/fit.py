"""Fit the heads on examples, and write the weights. Development only: scikit-learn is not there at run time."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from conversations.playbook.model import BUCKETS, Head, Model, Row, hashed
from conversations.playbook.training.corpus import Example
from conversations.playbook.wishes import pieces

STRENGTH = 50.0  # C of the logistic models: 5 leaves 2 to 3 points of the stages, 150 gains nothing
WISHES = ("opt_out", "wants_human")
SIGNALS = ("budget", "urgency", "decision_maker")
SURE_PRECISION = 0.98  # of a wish taken without asking
TELLING_POSITIVES = 50  # a file with fewer lead texts that hold the wish has no near-misses to measure by
LARGEST_SURE = 0.97
DOUBTFUL_SHARE = {"opt_out": 0.06, "wants_human": 0.07}  # of the rows without the wish that may be asked about
SEEN_AT_LEAST = 2  # rows a feature must occur in
YES_AND_NO = 2  # labels
EVENING = 0.5  # how far rare labels of a head are weighted up: 0 not at all, 1 as much as common ones
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
        (np.concatenate(values), np.concatenate(indices), np.array(starts)),
        shape=(len(given), BUCKETS),
        dtype=np.float32,
    )


def fit(
    given: Sequence[Example],
    *,
    heads: Sequence[str] | None = None,
    thresholds: dict[str, float] | None = None,
    counting: Mapping[str, Sequence[float]] | None = None,
) -> Model:
    """A model of every head the examples label (or of `heads`)."""
    plain = matrix(given)
    seen = np.asarray((plain > 0).sum(axis=0)).ravel()
    rarity = (1.0 + np.log((1.0 + len(given)) / (1.0 + seen))).astype(np.float16)
    used = np.flatnonzero(seen >= SEEN_AT_LEAST)
    rarity[seen < SEEN_AT_LEAST] = 1.0 + np.log(1.0 + len(given))
    scaled = csr_matrix(plain[:, used].multiply(rarity[used].astype(np.float32)))
    lengths = np.sqrt(np.asarray(scaled.multiply(scaled).sum(axis=1)).ravel())
    lengths[lengths == 0] = 1.0
    unit = csr_matrix(scaled.multiply((1.0 / lengths)[:, None]))
    names = heads or sorted({head for example in given for head in example.labels})
    known = [example.implied | example.labels for example in given]
    columns: list[NDArray[np.float32]] = []
    biases: list[float] = []
    found: dict[str, Head] = {}
    for name in names:
        which = [number for number, example in enumerate(given) if name in known[number]]
        wanted = np.array([known[number][name] for number in which])
        weights = np.array([given[number].weight for number in which])
        if len(set(wanted)) > YES_AND_NO:
            mass = {label: weights[wanted == label].sum() for label in set(wanted)}
            weights = weights * np.array([(weights.sum() / len(mass) / mass[label]) ** EVENING for label in wanted])
        logistic = LogisticRegression(
            C=STRENGTH, max_iter=200, tol=1e-4, class_weight="balanced" if set(wanted) <= {"yes", "no"} else None
        )
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
        found,
        weights=weights8,
        scales=scales,
        biases=np.array(biases, dtype=np.float32),
        rarity=rarity,
        thresholds=thresholds or {},
        counting=counting,
    )


def save(model: Model, path: Path) -> int:
    """Write the weights. Returns the file's size in bytes."""
    weights, scales, biases, rarity = model.arrays()
    rows = np.flatnonzero(np.abs(weights).max(axis=1) >= 1)
    about = {
        "heads": {name: {"labels": list(head.labels), "first": head.first} for name, head in model.heads.items()},
        "thresholds": model.thresholds,
        "counting": model.counting,
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


def thresholds(files: dict[str, list[Example]], written: Sequence[Example]) -> dict[str, float]:
    """Where each wish is sure and where it is doubtful, and where a signal is given, for rows of an unread file.

    Every file is scored by a model fitted on the others. Sure: precision `SURE_PRECISION`. Doubtful: as low as
    `DOUBTFUL_SHARE` of the other rows allow. Signals: where F1 is best.
    """
    found: dict[str, float] = {}
    for name in (*WISHES, *SIGNALS):
        scored: list[tuple[float, bool]] = []
        for file, rows in files.items():
            tested = [row for row in rows if name in row.labels]
            if not tested or (name in WISHES and sum(row.labels[name] == "yes" for row in tested) < TELLING_POSITIVES):
                continue
            others = [row for other, given in files.items() if other != file for row in given]
            fitted = fit([row for row in (*others, *written) if name in row.labels | row.implied], heads=[name])
            scored += [(_clearest(fitted, row, name), row.labels[name] == "yes") for row in tested]
        if name in WISHES:
            found |= _wish_thresholds(name, scored)
        else:
            found[name] = _best_threshold(scored)
    return found


def _clearest(fitted: Model, row: Example, name: str) -> float:
    return max(fitted.scores(piece, row.question)[name]["yes"] for piece in pieces(row.text))


def _wish_thresholds(name: str, scored: list[tuple[float, bool]]) -> dict[str, float]:
    others = sorted((score for score, given in scored if not given), reverse=True)
    sure = next(
        cut
        for cut in (step / 100 for step in range(50, 100))
        if cut >= LARGEST_SURE or _precision(scored, cut) >= SURE_PRECISION
    )
    doubtful = others[int(DOUBTFUL_SHARE[name] * len(others)) + sum(score >= sure for score in others)]
    return {f"{name}:sure": round(sure, 2), f"{name}:doubtful": round(min(max(doubtful, 0.05), sure), 3)}


def _precision(scored: list[tuple[float, bool]], cut: float) -> float:
    told = [given for score, given in scored if score >= cut]
    return sum(told) / max(len(told), 1)


def _best_threshold(scored: list[tuple[float, bool]]) -> float:
    cuts = [step / 100 for step in range(5, 96, 5)]
    return max(cuts, key=lambda cut: (_balance(scored, cut), -abs(cut - 0.5)))


def _balance(scored: list[tuple[float, bool]], cut: float) -> float:
    """F1."""
    right = sum(given and score >= cut for score, given in scored)
    told, true = sum(score >= cut for score, _ in scored), sum(given for _, given in scored)
    return 2 * right / max(told + true, 1)
