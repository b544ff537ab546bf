"""Linear models over hashed features: the same features when fitted (`training/`) and when used.

A row is a lead's words and the agent's question before. Features are hashed into `BUCKETS`; every head ("intent",
"opt_out", "stage:problem", …) is a column or several of one 8-bit matrix with a scale and a bias per column. `counting` are two
small models over what the stage head says of a turn's pieces.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from conversations.playbook.lexicon import concepts
from conversations.playbook.spans import Tagger, tagger
from conversations.playbook.text import fold, tokens

BUCKETS = 1 << 18
WEIGHTS = Path(__file__).parent / "weights" / "understanding.npz"
LONGEST_TEXT = 1_500  # characters that are read; a longer message says its wish before that

# How much each kind of feature counts against the others, before the row is brought to length one.
CHANNELS = {"word": 1.0, "stem": 0.7, "char": 0.8, "mean": 1.0, "asked": 0.7, "both": 0.8, "form": 0.6}

ALONE = (
    "greet",
    "thanks",
    "bye",
    "yes",
    "no_word",
    "stop",
    "person",
    "option",
    "weekday",
    "laugh",
)  # telling if all there is

Row = tuple[NDArray[np.int64], NDArray[np.float32]]


@dataclass(frozen=True)
class Head:
    """Columns of the matrix that answer one question: `labels` in column order; one label stands for yes or no."""

    labels: tuple[str, ...]
    first: int


class Model:
    """Fitted weights. Immutable; load once per process (`model()`)."""

    def __init__(
        self,
        heads: Mapping[str, Head],
        *,
        weights: NDArray[np.int8],
        scales: NDArray[np.float32],
        biases: NDArray[np.float32],
        rarity: NDArray[np.float16],
        thresholds: Mapping[str, float],
        counting: Mapping[str, Sequence[float]] | None = None,
        spans: Tagger | None = None,
    ) -> None:
        self.spans = spans
        self.heads = dict(heads)
        self.thresholds = dict(thresholds)
        self.counting = {name: tuple(weights) for name, weights in (counting or {}).items()}
        self._weights, self._scales, self._biases, self._rarity = weights, scales, biases, rarity

    @classmethod
    def load(cls, path: Path = WEIGHTS) -> "Model":
        """Read what `training` wrote. Raises FileNotFoundError."""
        with np.load(path) as stored:
            about = json.loads(bytes(stored["about"]).decode())
            weights = np.zeros((BUCKETS, len(stored["scales"])), dtype=np.int8)
            weights[stored["rows"]] = stored["weights"]
            rarity = np.full(BUCKETS, float(stored["unseen"]), dtype=np.float16)
            rarity[stored["rows"]] = stored["rarity"]
            return cls(
                {name: Head(tuple(head["labels"]), head["first"]) for name, head in about["heads"].items()},
                weights=weights,
                scales=stored["scales"],
                biases=stored["biases"],
                rarity=rarity,
                thresholds=about["thresholds"],
                counting=about["counting"],
                spans=tagger(),
            )

    def arrays(self) -> tuple[NDArray[np.int8], NDArray[np.float32], NDArray[np.float32], NDArray[np.float16]]:
        """Weights, scales, biases and rarity, as the constructor takes them."""
        return self._weights, self._scales, self._biases, self._rarity

    def scores(self, text: str, question: str = "") -> dict[str, dict[str, float]]:
        """Per head, label -> probability. Heads of several labels add up to one; yes/no heads name their only label."""
        buckets, values = hashed(text, question)
        values = values * self._rarity[buckets].astype(np.float32)
        length = float(np.sqrt(np.dot(values, values))) or 1.0
        raw = (values / length) @ self._weights[buckets].astype(np.float32) * self._scales + self._biases
        answers: dict[str, dict[str, float]] = {}
        for name, head in self.heads.items():
            columns = raw[head.first : head.first + len(head.labels)]
            if len(head.labels) == 1:
                answers[name] = {head.labels[0]: 1.0 / (1.0 + math.exp(-float(np.clip(columns[0], -30, 30))))}
                continue
            powers = np.exp(columns - columns.max())
            answers[name] = dict(zip(head.labels, (powers / powers.sum()).tolist(), strict=True))
        return answers

    def chance_of(self, name: str, features: Sequence[float]) -> float:
        """Probability that a turn gives "one" answer of a stage, or "two" (`stages.View`). Raises KeyError if not fitted."""
        *weights, bias = self.counting[name]
        raw = sum(weight * value for weight, value in zip(weights, features, strict=True)) + bias
        return 1.0 / (1.0 + math.exp(-min(max(raw, -30.0), 30.0)))


@lru_cache(maxsize=1)
def model() -> Model:
    """The model that ships, read once."""
    return Model.load()


def hashed(text: str, question: str = "") -> Row:
    """Buckets and values of a row, each bucket once, before rarity and length."""
    counts: dict[int, float] = {}
    for channel, names in features(text[:LONGEST_TEXT], question[-LONGEST_TEXT:]).items():
        weight = CHANNELS[channel] / math.sqrt(len(names) or 1)
        for name in names:
            bucket = crc32(f"{channel}:{name}".encode()) % BUCKETS
            counts[bucket] = counts.get(bucket, 0.0) + weight
    buckets = np.fromiter(counts.keys(), dtype=np.int64, count=len(counts))
    return buckets, np.fromiter(counts.values(), dtype=np.float32, count=len(counts))


def features(text: str, question: str) -> dict[str, list[str]]:
    """Names of the features, by channel; a name stands as often as it occurs."""
    said = [token.form for token in tokens(text)]
    meant = [concepts(form) for form in said]
    asked = [token.form for token in tokens(_last_part(question))]
    asked_meant = sorted({concept for form in asked for concept in concepts(form)})
    stems = [form[:5] for form in said if form[0].isalpha()]
    return {
        "word": [*_grams(["<", *said, ">"], (1, 2, 3))],
        "stem": [*_grams(stems, (1, 2)), *_gaps(stems)],
        "char": list(_chars(" ".join(said))),
        "mean": list(_meanings(meant)),
        "asked": [*_grams(asked, (1, 2)), *asked_meant] or ["none"],
        "both": [
            f"{a}|{b}" for a in [*asked_meant, *_question_kind(question)] for b in {*_flat(meant), *_form(text, said)}
        ],
        "form": [*_form(text, said), *_question_kind(question)],
    }


def _last_part(question: str) -> str:
    pieces = [piece for piece in question.replace("!", ".").replace("\n", ".").split(".") if piece.strip()]
    return " . ".join(pieces[-2:])


def _grams(items: Sequence[str], sizes: Iterable[int]) -> Iterator[str]:
    for size in sizes:
        for start in range(len(items) - size + 1):
            yield " ".join(items[start : start + size])


def _gaps(items: Sequence[str]) -> Iterator[str]:
    for start in range(len(items) - 2):
        yield f"{items[start]} _ {items[start + 2]}"


def _chars(text: str) -> Iterator[str]:
    for word in text.split():
        padded = f" {word} "
        for size in (3, 4, 5):
            for start in range(max(len(padded) - size + 1, 0)):
                yield padded[start : start + size]


def _meanings(meant: Sequence[tuple[str, ...]]) -> Iterator[str]:
    known = [group for group in meant if group]
    yield from _flat(known)
    for distance in (1, 2, 3):
        for first, second in zip(known, known[distance:], strict=False):
            for a in first:
                for b in second:
                    yield f"{a}>{b}" if distance == 1 else f"{a}>>{b}"


def _flat(meant: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for group in meant:
        yield from group


def _form(text: str, said: Sequence[str]) -> list[str]:
    folded = fold(text)
    marks = [f"len{min(len(said), 4) if len(said) < 5 else 6 if len(said) < 9 else 12 if len(said) < 16 else 30}"]
    if "?" in text or "¿" in text:
        marks.append("asks")
    if text.rstrip().endswith("?"):
        marks.append("ends-asking")
    if any(sign.isdigit() for sign in text):
        marks.append("digit")
    if "@" in text:
        marks.append("mail")
    if "http" in folded or "www." in folded:
        marks.append("link")
    if any(sign in text for sign in "$€£"):
        marks.append("currency")
    if "%" in text:
        marks.append("percent")
    if text.isupper():
        marks.append("loud")
    if any(sign in text for sign in '{}[]<>#`"“=_'):
        marks.append("markup")
    spoken = [concepts(form) for form in said if form[0].isalnum()]
    marks += [f"only-{name}" for name in ALONE if spoken and all(name in group for group in spoken)]
    if not spoken:
        marks.append("no-words")
    return marks


def _question_kind(question: str) -> list[str]:
    if not question:
        return ["q-none"]
    kinds = ["q-asks" if "?" in question else "q-tells"]
    if "1)" in question and "2)" in question:
        kinds.append("q-slots")
    if any(sign in question for sign in "$€£"):
        kinds.append("q-price")
    return kinds
