"""Fits `support.Judge`: which sentences of a draft nothing bears out. `python -m conversations.playbook.training.claims`.

Learned from drafts written for the purpose (`drafts`), the claims files of `tests/evals`, and what we say ourselves
(`wording`), which is always borne out. `--report` prints how every file is told by a model that has not seen it,
together with the rules of `guards`. Development only: scikit-learn is not there at run time.
"""

import json
import math
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO
from zlib import crc32

import numpy as np
from scipy.sparse import csr_matrix, hstack
from sklearn.linear_model import LogisticRegression

from conversations import guards
from conversations.playbook import search, support, wording
from conversations.playbook.evaluation import grounds_of, is_caught
from conversations.playbook.money import level
from conversations.playbook.support import BUCKETS, KINDS, Judge
from conversations.playbook.training import corpus, drafts

FILES = ("claims", "more/claims")
STRENGTH, KIND_STRENGTH = 3.0, 3.0  # C: fitted within noise from 1 to 10
OURS_PER_LANGUAGE = 400  # lines of ours among the rows
Row = dict[str, Any]


@dataclass(frozen=True)
class Sentence:
    """One sentence of a draft: what is known of it, and the kinds of violation that overlap it."""

    told: list[float]
    phrasing: list[str]
    kinds: frozenset[str]

    @property
    def kind(self) -> str:
        return next((kind for kind in KINDS if kind in self.kinds), "")


def rarity() -> tuple[dict[int, float], float]:
    """How rare beginnings of words are in the messages of `lines`, by bucket; and of one never seen."""
    counted: Counter[str] = Counter()
    total = 0
    for rows in corpus.lines().values():
        for text in (text for row in rows for text in (row.text, row.question) if text):
            total += 1
            counted.update({search.stem(word) for word in search.words_of(text)})
    most = math.log(2 * (total + 1))
    rare = {crc32(stem.encode()) % BUCKETS: math.log((total + 1) / (n + 0.5)) / most for stem, n in counted.items()}
    return rare, math.log((total + 1) / 0.5) / most


def sentences(rows: Sequence[Row], rare: Callable[[str], float]) -> list[Sentence]:
    """All sentences of drafts, labelled by their violations."""
    return [sentence for row in rows for sentence in _sentences(row, rare)]


def _sentences(row: Row, rare: Callable[[str], float]) -> Iterator[Sentence]:
    backing = guards.backing_of(grounds_of(row))
    draft = row["draft"].lower()
    marked = [(v["kind"], draft.find(v["text"].lower()), len(v["text"])) for v in row["expect"]["violations"]]
    for place, sentence in guards.sentences(level(row["draft"])):
        kinds = frozenset(kind for kind, start, size in marked if start < place[1] and place[0] < start + size)
        yield Sentence(*support.features(sentence, backing, rarity=rare), kinds)


def ours() -> list[Row]:
    """What the offline brain says, as drafts that are borne out, among the businesses of `drafts`."""
    businesses = [row for name in drafts.TRAINED for row in drafts.rows(name) if row["expect"]["allowed"]]
    found = []
    for language in drafts.LANGUAGES.values():
        own = [row for row in businesses if row["language"] == language]
        lines = sorted({way for ways in wording.SAY[language.lower()].values() for way in ways})
        for number, line in enumerate(lines[:: max(1, len(lines) // OURS_PER_LANGUAGE)]):
            row = own[number % len(own)]
            found.append({**row, "draft": line.replace("{business}", row["org"]), "expect": row["expect"]})
    return found


def fit(given: Sequence[Sentence], rare: tuple[dict[int, float], float]) -> Judge:
    """A judge of all sentences whose violations, if any, are of `KINDS`."""
    told = [one for one in given if one.kind or not one.kinds]
    chance = LogisticRegression(C=STRENGTH, max_iter=3_000, class_weight="balanced")
    chance.fit(matrix(told), [bool(one.kind) for one in told])
    broken = [one for one in told if one.kind]
    kinds = LogisticRegression(C=KIND_STRENGTH, max_iter=3_000)
    kinds.fit(matrix(broken), [one.kind for one in broken])
    order = [list(kinds.classes_).index(kind) for kind in KINDS]
    weights = np.vstack([chance.coef_, kinds.coef_[order]]).T
    biases = [float(chance.intercept_[0]), *(float(one) for one in kinds.intercept_[order])]
    size = len(told[0].told)
    table = np.full(BUCKETS, np.nan, dtype=np.float16)
    for bucket, value in rare[0].items():
        table[bucket] = value
    about = {"told": weights[:size].round(4).tolist(), "biases": biases, "unseen": rare[1]}
    return Judge(about=about, rarity=table, weights=weights[size:].astype(np.float32), unseen=rare[1])


def matrix(given: Sequence[Sentence]) -> csr_matrix:
    """A row per sentence: what is told of it, then its phrasing by bucket."""
    indices, values, starts = [], [], [0]
    for one in given:
        buckets, weights = support.hashed(one.phrasing)
        indices.append(buckets)
        values.append(weights)
        starts.append(starts[-1] + len(buckets))
    phrasing = csr_matrix(
        (np.concatenate(values), np.concatenate(indices), np.array(starts)), shape=(len(given), BUCKETS)
    )
    return csr_matrix(hstack([csr_matrix(np.array([one.told for one in given])), phrasing]))


def save(judge: Judge, path: Path = support.WEIGHTS) -> int:
    """Write the weights, 8 bits each. Returns the file's size in bytes."""
    about, rare, weights = judge.parts()
    scales = np.abs(weights).max(axis=0) / 127.0
    small = np.round(weights / scales).astype(np.int8)
    rows, words = np.flatnonzero(np.abs(small).max(axis=1)), np.flatnonzero(~np.isnan(rare))
    np.savez_compressed(
        path,
        about=np.frombuffer(json.dumps(about, sort_keys=True).encode(), dtype=np.uint8),
        rows=rows.astype(np.int32),
        weights=small[rows],
        scales=scales.astype(np.float32),
        words=words.astype(np.int32),
        rarity=rare[words],
    )
    return path.stat().st_size


def data() -> dict[str, list[Row]]:
    """Drafts by the file they stand in."""
    return {
        **{file: corpus.rows(file) for file in FILES},
        **{name: drafts.rows(name) for name in drafts.TRAINED},
        "talk": drafts.talk(),
        "ours": ours(),
    }


def report(out: TextIO) -> None:
    """Every file, and the unread drafts, by rules and a judge fitted without it."""
    rare = rarity()
    rows = data()
    known = {name: sentences(given, _lookup(rare)) for name, given in rows.items()}
    for name in (*FILES, *drafts.TRAINED, drafts.UNREAD):
        judge = fit([one for other, given in known.items() if other != name for one in given], rare)
        tested = drafts.rows(name) if name == drafts.UNREAD else rows[name]
        print(f"{name:<12} {counted(tested, judge)}", file=out, flush=True)


def counted(rows: Sequence[Row], judge: Judge | None = None) -> str:
    """How many violations are caught, bad drafts held back, good ones let through, by rules and a judge."""
    caught = wanted = held = bad = through = good = 0
    for row in rows:
        violations = guards.check(row["draft"], grounds_of(row), judge=judge)
        found = [{"kind": str(one.kind), "text": one.text} for one in violations]
        for violation in row["expect"]["violations"]:
            wanted += 1
            caught += is_caught(violation, found, row["draft"])
        good += row["expect"]["allowed"]
        bad += not row["expect"]["allowed"]
        through += row["expect"]["allowed"] and not found
        held += bool(not row["expect"]["allowed"] and found)
    return (
        f"caught {caught / wanted:.3f} of {wanted}, held back {held / bad:.3f} of {bad}, "
        f"let through {through / good:.3f} of {good}"
    )


def _lookup(rare: tuple[dict[int, float], float]) -> Callable[[str], float]:
    table = {bucket: float(np.float16(value)) for bucket, value in rare[0].items()}
    return lambda stem: table.get(crc32(stem.encode()) % BUCKETS, rare[1])


def main(out: TextIO = sys.stdout) -> None:
    """Fit on everything but the unread drafts, and write the weights; or report."""
    if "--report" in sys.argv:
        report(out)
        return
    rare = rarity()
    judge = fit([one for given in data().values() for one in sentences(given, _lookup(rare))], rare)
    print(f"{save(judge)} bytes", file=out)


if __name__ == "__main__":
    main()
