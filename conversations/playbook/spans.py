"""Where in a text a fact stands, by a linear model over words in their surroundings: a second opinion to the grammar.

Per key of `KEYS` every word is scored for being part of the fact's words. What the grammar found is dropped where no
word of it is likely (`LEAST`), and where it found nothing the likeliest run of words is taken (`ENOUGH`).
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from conversations.playbook.identity import TRADE
from conversations.playbook.lexicon import concepts
from conversations.playbook.money import level
from conversations.playbook.purchase import TOOL
from conversations.playbook.text import Token, tokens
from conversations.playbook.topics import asked

KEYS = ("segment", "current_tool", "budget", "timeline", "preferred_times")
# Set where F1 of files that were left out is best; a key without an entry is never dropped, or never added.
LEAST = {"segment": 0.05, "current_tool": 0.02, "preferred_times": 0.02}
ENOUGH = {"segment": 0.5, "current_tool": 0.4, "budget": 0.5, "timeline": 0.5}
REST = 0.7  # share of the bar that is enough for the neighbours of a word above it
BUCKETS = 1 << 17
WEIGHTS = Path(__file__).parent / "weights" / "spans.npz"
AROUND = (-3, -2, -1, 0, 1, 2)  # words
NEAR = 2  # words whose meaning is looked at
LOOKS_BACK = 5  # words before in which a telling word is noted
SHORT = 5  # tokens; a shorter text is all answer
TELLING = frozenset(
    "uso usamos usa utilizo tenho temos tengo tenemos nao no not era tinha sou somos soy ja ya hoje hoy paga pago minha meu nossa nosso "
    "mi nuestra nuestro my our we i perdi perdemos lost quero quiero want".split()
)


@dataclass(frozen=True)
class Span:
    """A run of words that is likely a fact's, with the likelihood of its likeliest word."""

    start: int
    end: int
    likely: float


class Tagger:
    """Fitted weights: a column per key of `KEYS`. Immutable."""

    def __init__(self, weights: NDArray[np.int8], *, scales: NDArray[np.float32], biases: NDArray[np.float32]) -> None:
        self.weights, self.scales, self.biases = weights, scales, biases

    @classmethod
    def load(cls, path: Path = WEIGHTS) -> "Tagger":
        """Read what `training` wrote. Raises FileNotFoundError."""
        with np.load(path) as stored:
            if tuple(json.loads(bytes(stored["keys"]).decode())) != KEYS:
                raise ValueError(f"{path.name} was fitted for other keys: run make train")
            weights = np.zeros((BUCKETS, len(KEYS)), dtype=np.int8)
            weights[stored["rows"]] = stored["weights"]
            return cls(weights, scales=stored["scales"], biases=stored["biases"])

    def save(self, path: Path = WEIGHTS) -> int:
        """Write the weights. Returns the file's size in bytes."""
        rows = np.flatnonzero(np.abs(self.weights).max(axis=1))
        keys = np.frombuffer(json.dumps(KEYS).encode(), dtype=np.uint8)
        np.savez_compressed(
            path,
            keys=keys,
            rows=rows.astype(np.int32),
            weights=self.weights[rows],
            scales=self.scales,
            biases=self.biases,
        )
        return path.stat().st_size

    def read(self, text: str, question: str) -> "Reading":
        """Every word of `text` with its likelihood per key."""
        words, rows = features(text, question)
        likely = np.zeros((len(words), len(KEYS)), dtype=np.float32)
        for number, buckets in enumerate(rows):
            raw = self.weights[buckets].sum(axis=0, dtype=np.int32) * self.scales + self.biases
            likely[number] = 1.0 / (1.0 + np.exp(-np.clip(raw, -30, 30)))
        return Reading(words, likely)


@dataclass(frozen=True)
class Reading:
    """The words of a text and how likely each is part of a fact: a column per key of `KEYS`."""

    words: Sequence[Token]
    likely: NDArray[np.float32]

    def within(self, key: str, start: int, end: int) -> float:
        """How likely the likeliest word of a stretch is."""
        column = self.likely[:, KEYS.index(key)]
        inside = [float(column[number]) for number, word in enumerate(self.words) if start <= word.start < end]
        return max(inside, default=0.0)

    def best(self, key: str, bar: float) -> Span | None:
        """The run round the likeliest word, or None when that is below `bar`."""
        column = self.likely[:, KEYS.index(key)]
        if not len(column) or column.max() < bar:
            return None
        first = last = int(column.argmax())
        while first > 0 and column[first - 1] >= REST * bar:
            first -= 1
        while last + 1 < len(column) and column[last + 1] >= REST * bar:
            last += 1
        return Span(self.words[first].start, self.words[last].end, float(column[first : last + 1].max()))


@lru_cache(maxsize=1)
def tagger() -> Tagger:
    """The weights that ship, read once."""
    return Tagger.load()


def features(text: str, question: str) -> tuple[Sequence[Token], list[NDArray[np.int64]]]:
    """The tokens of `text`, and the buckets of each one's features."""
    words = tokens(text)
    plain = level(text)
    topics = sorted(asked(question)) or (["q-other"] if question else ["q-none"])
    marks = _marks(text, plain, words)
    has_question = any(word.form == "?" for word in words)
    rows: list[NDArray[np.int64]] = []
    for number, word in enumerate(words):
        names = ["b", f"suf={word.form[-3:]}", f"pos{min(number, 3)}"]
        for distance in AROUND:
            place = number + distance
            if not 0 <= place < len(words):
                names.append(f"w{distance}=#")
                continue
            form = words[place].form
            names.append(f"w{distance}={form}")
            names += [f"g{distance}={mark}" for mark in marks[place]]
            if abs(distance) <= 1:
                names.append(f"s{distance}={form[:5]}")
            if abs(distance) <= NEAR:
                names += [f"c{distance}={concept}" for concept in concepts(form)]
        before = words[number - 1].form if number else "#"
        if number:
            names.append(f"bi={before}_{word.form}")
        if number > 1:
            names.append(f"bi2={words[number - 2].form}_{before}")
        for topic in topics:
            names += [f"q={topic}", f"q={topic}|pos{min(number, 3)}", f"q={topic}|w-1={before}"]
            names += [f"q={topic}|g={mark}" for mark in marks[number]]
            names.append(f"q={topic}|short{len(words) < SHORT}")
        telling = {w.form for w in words[max(0, number - LOOKS_BACK) : number]} & TELLING
        names += [f"l={form}" for form in telling]
        if has_question:
            names.append("hasq")
        rows.append(np.array(sorted({crc32(name.encode()) % BUCKETS for name in names}), dtype=np.int64))
    return words, rows


def _marks(text: str, plain: str, words: Iterable[Token]) -> list[list[str]]:
    """What lists and spelling say of each word: a known tool or trade, a capital, a number."""
    tools = [match.span() for match in TOOL.finditer(plain)]
    trades = [match.span() for match in TRADE.finditer(plain)]
    is_loud = text.isupper()
    marks: list[list[str]] = []
    for word in words:
        found = [
            name
            for name, places in (("TOOL", tools), ("TRADE", trades))
            if any(start <= word.start < end for start, end in places)
        ]
        if text[word.start].isupper() and not is_loud:
            found.append("Cap")
        if word.kind == "number":
            found.append("NUM")
        elif word.kind != "word":
            found.append(word.kind)
        marks.append(found)
    return marks
