"""Whether a sentence of a draft is borne out by what may be quoted; if not, what kind of claim it is. Pure.

Two linear models (`training.drafts` fits them) over how the sentence's words stand to the sources: which are there,
which are rare and nowhere, which only the lead said, what is denied on one side alone, which numbers follow. Rules
(`guards`) find the claims that can be named; this finds those nobody has thought of, in words nobody has listed.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from conversations.playbook import claims, search
from conversations.playbook.claims import Sources
from conversations.playbook.money import FREE, HUNDREDS, ONES, SCALES, TENS, numbers, shares

WEIGHTS = Path(__file__).parent / "weights" / "support.npz"
BUCKETS = 1 << 16
KINDS = ("promise", "booking", "other", "instruction_leak", "money")  # that a sentence may be; numbers are `claims`'
PHRASING = 2.0  # what all words of a sentence together count against one of the numbers before them
WORD, ALIKE, MEANT = 1.0, 0.9, 0.6  # how surely a word is in the sources: itself, its beginning, one of its meaning
TELLING = 0.5  # rarer words tell what a sentence is about
SMALL = 2  # a number no larger is no claim
DENIED_WITHIN = 5  # words after a "not"
NOT_TOLD = frozenset((*ONES, *TENS, *HUNDREDS, *SCALES, *(
    "reais real pesos euros dolares dollars pounds pence horas hours dias days".split()
)))  # fmt: skip
DENIES = re.compile(
    r"\b(?:nao|nem|nunca|jamais|never|not|no|n't|sem|sin|without|nothing|nada|nenhum\w*|ningun\w*|isn't|aren't|don't|"
    r"doesn't|can't|cannot|won't|except|menos|fora|tampouco|tampoco)\b"
)
IN_THE = re.compile(r"\bno\b")  # "in the" in Portuguese
WIDENS = re.compile(
    r"\b(?:tod[oa]s?|qualquer|sempre|nunca|jamais|any\w*|every\w*|all|always|never|cualquier\w*|siempre|inclusive|"
    r"incluso|tambem|tambien|also|too|as well|ate|mais|more|mas|melhor\w*|mejor\w*|best|worldwide|inteir[oa]|entire|"
    r"whole|complet[oa])\b"
)
WILL = re.compile(
    r"\b(?:vai|vais|vao|vas a|va a|van a|you'll|you will|we'll|will|sera|serao|ira|teras?|tendras?|"
    r"\w+(?:aras?|eras?|iras?|arao|erao|irao|remos))\b"
)
AGREES = re.compile(
    r"^\W*(?:sim|si|yes|claro|pode|podes|puedes|da|tem|temos|tenemos|por supuesto|of course|sure|absolutely|"
    r"com certeza|aceitamos|feito|listo|pronto|perfeito|perfecto|done|dale)\b"
)
CLAUSE = re.compile(
    r"[,;:]\s+|\s+(?:e|y|and|com|con|with|mas|pero|but|inclusive|incluso|sem|sin|without|ate|hasta|mais|plus|tambem|"
    r"tambien|also|so|como|like)\s+"
)
DEFERS = re.compile(
    r"\b(?:vou|vamos|posso|podemos|preciso|prefiro|deixa eu|voy a|puedo|podemos|dejame|prefiero|habria que|i'll|i can|"
    r"i could|i'd|let me|we can|we'll|happy to) (?:(?:te|lhe|le|have to|need to|rather|just|gladly) )?(?:pedir|consultar|"
    r"perguntar|preguntar\w*|levantar|anotar|passar|verificar|confirmar|conferir|checar|ver|olhar|chamar|encaminhar|"
    r"averiguar|revisar\w*|pasar\w*|ask|check|find|see|look|note|pass|confirm|bring|let|make sure)\b|"
    r"\b(?:pergunto|pregunto|consulto|peco|pido|confirmo|verifico|levanto|anoto|quem (?:decide|orienta|avalia|sabe)|"
    r"depende\w*|depends|varia|no me consta|nao (?:me )?consta|not sure|i don't see|don't have|nao vi|no veo)\b"
)
COSTS_NOTHING = re.compile(
    rf"{FREE.pattern}|\b(?:(?:nao|no) (?:custa|cuesta|tiene|tem|paga|pagam|pagan|pagas|pagara|se cobra|cobramos|cobra)\b"
    r"(?: (?:nada|custo|costo|taxa|cargo))?|sem (?:taxa|pagar)|sin pagar|half off)"
)
TURN = re.compile(r"[.;!?]\s*|,\s+|\s+(?:mas|pero|but)\s+")


@dataclass(frozen=True)
class Verdict:
    """`chance`, 0 to 1, that nothing bears a sentence out; `kinds` it may then be, the likeliest first.

    "other" is always among them: whatever else it is, it is a statement nothing bears out.
    """

    chance: float
    kinds: tuple[str, ...] = ()


class Backing:
    """What may be quoted, made ready to be held against sentences. In: levelled texts, and the names in play.

    `is_done`: a tool of this turn did something.
    """

    def __init__(self, sources: Sources, *, names: str = "", is_done: bool = False) -> None:
        self.sources = sources
        self.is_done = is_done
        told = [COSTS_NOTHING.sub(" gratis ", text) for text in sources.quotable]
        pieces = [piece for text in told for piece in re.split(r"(?<=[.;!?])\s+|\n", text) if piece.strip()]
        self.text = " ".join(pieces)
        words = [_telling(piece) for piece in pieces]
        self.stems = [frozenset(map(search.stem, piece)) for piece in words]
        self.meanings = [frozenset(meaning for word in piece for meaning in search.meanings(word)) for piece in words]
        self.denying = [bool(DENIES.search(piece)) for piece in pieces]
        self.all_stems = frozenset[str]().union(*self.stems)
        self.all_meanings = frozenset[str]().union(*self.meanings)
        self.starts: dict[str, set[str]] = {}
        for word in (word for piece in words for word in piece):
            self.starts.setdefault(word[:4], set()).add(word)
        self.said = frozenset(map(search.stem, _telling(sources.said)))
        self.names = frozenset(map(search.stem, _telling(names)))
        self.values = {number.value for piece in pieces for number in numbers(piece)}
        self.polarity: dict[str, set[bool]] = {}
        for piece in pieces:
            for stem, denied in _polarity(piece, is_portuguese=_looks_portuguese(piece)).items():
                self.polarity.setdefault(stem, set()).update(denied)

    def level(self, word: str) -> float:
        """How surely a word is among the sources, 0 to 1."""
        if search.stem(word) in self.all_stems:
            return WORD
        if any(_begins_alike(word, other) for other in self.starts.get(word[:4], ())):
            return ALIKE
        return MEANT if self.all_meanings.intersection(search.meanings(word)) else 0.0


class Judge:
    """Fitted weights and how rare words are in chat. Immutable; loaded once per process (`judge()`)."""

    def __init__(
        self, *, about: Mapping[str, Any], rarity: NDArray[np.float16], weights: NDArray[np.float32], unseen: float
    ) -> None:
        self._about, self._rarity, self._weights, self._unseen = about, rarity, weights, unseen

    @classmethod
    def load(cls, path: Path = WEIGHTS) -> "Judge":
        """Read what `training.drafts` wrote. Raises FileNotFoundError."""
        with np.load(path) as stored:
            about = json.loads(bytes(stored["about"]).decode())
            weights = np.zeros((BUCKETS, 1 + len(KINDS)), dtype=np.float32)
            weights[stored["rows"]] = stored["weights"].astype(np.float32) * stored["scales"]
            rarity = np.full(BUCKETS, np.nan, dtype=np.float16)
            rarity[stored["words"]] = stored["rarity"]
            return cls(about=about, rarity=rarity, weights=weights, unseen=float(about["unseen"]))

    def parts(self) -> tuple[Mapping[str, Any], NDArray[np.float16], NDArray[np.float32]]:
        """What it knows of `told` and biases, how rare words are, and the weights of phrasing."""
        return self._about, self._rarity, self._weights

    def verdict(self, sentence: str, backing: Backing) -> Verdict:
        """In: a levelled sentence."""
        told, phrasing = features(sentence, backing, rarity=self.rarity)
        buckets, values = hashed(phrasing)
        raw = values @ self._weights[buckets] if len(buckets) else np.zeros(1 + len(KINDS))
        raw = raw + np.array(self._about["told"]).T @ np.array(told) + np.array(self._about["biases"])
        chance = 1.0 / (1.0 + math.exp(-float(np.clip(raw[0], -30, 30))))
        powers = np.exp(raw[1:] - raw[1:].max())
        likely = powers / powers.sum()
        order = sorted(range(len(KINDS)), key=lambda at: -likely[at])
        return Verdict(chance, tuple(KINDS[at] for at in order if likely[at] >= LIKELY or KINDS[at] == "other"))

    def rarity(self, stem: str) -> float:
        """0 for what everybody says, 1 for what nobody says."""
        known = self._rarity[crc32(stem.encode()) % BUCKETS]
        return self._unseen if np.isnan(known) else float(known)


LIKELY = 0.3  # from this likelihood on a sentence counts as that kind


@lru_cache(maxsize=1)
def judge() -> Judge:
    """The weights that ship, read once."""
    return Judge.load()


def features(sentence: str, backing: Backing, *, rarity: Any) -> tuple[list[float], list[str]]:
    """What is known of a levelled sentence: numbers between 0 and 1 (or a little more), and the names of its phrasing."""
    sentence = COSTS_NOTHING.sub(" gratis ", sentence)
    words = [word for word in _telling(sentence) if search.stem(word) not in backing.names]
    stems = [search.stem(word) for word in words]
    levels = [backing.level(word) for word in words]
    rare = [rarity(stem) for stem in stems]
    weight = sum(rare) or 1.0
    novel = [(one, stem) for one, stem, level in zip(rare, stems, levels, strict=True) if not level]
    only_said = [one for one, stem in novel if stem in backing.said]
    nearest, overlap = _nearest(words, stems, rare, backing)
    is_portuguese = _looks_portuguese(sentence)
    denies = bool(DENIES.search(IN_THE.sub(" ", sentence) if is_portuguese else sentence))
    denied = nearest >= 0 and backing.denying[nearest]
    overlap = overlap / weight if words else 0.0
    widening = [match.group() for match in WIDENS.finditer(sentence)]
    unheard = sum(not re.search(rf"\b{one}\b", backing.text) for one in widening)
    counted, strange, derived = _numbers(sentence, backing)
    polarity = _polarity(sentence, is_portuguese=is_portuguese)
    turned = [(rarity(stem), True in own) for stem, own in polarity.items() if _turned(own, backing.polarity.get(stem))]
    now_denied = [one for one, is_denied in turned if is_denied]
    now_said = [one for one, is_denied in turned if not is_denied]
    said_plainly = [
        one for one, stem in novel if stem in backing.said and True not in polarity.get(stem, frozenset())
    ]  # fmt: skip
    clauses = _clauses(sentence, dict(zip(words, zip(levels, rare, strict=True), strict=True)))
    agrees, strangest = bool(AGREES.search(sentence)), min(sum(one for one, _ in novel), 4) / 4
    told = [
        sum(one * level for one, level in zip(rare, levels, strict=True)) / weight if words else 1.0,
        overlap if words else 1.0,
        min(len(novel), 5) / 5,
        strangest,
        max((one for one, _ in novel), default=0.0),
        min(sum(level == MEANT for level in levels), 3) / 3,
        min(len(only_said), 3) / 3,
        max(only_said, default=0.0),
        float(denies),
        float(denied and not denies) * overlap,
        float(denies and not denied) * overlap,
        float(denies and denied) * overlap,
        float(sentence.rstrip().endswith("?")),
        float(bool(claims.CAREFUL.search(sentence))),
        float(bool(DEFERS.search(sentence))),
        float(agrees),
        min(len(widening), 2) / 2,
        min(unheard, 2) / 2,
        float(bool(WILL.search(sentence))),
        min(strange, 2) / 2,
        min(counted, 3) / 3,
        float(backing.is_done),
        min(len(words), 12) / 12,
        float(not words),
        float(agrees) * max(said_plainly, default=0.0),
        max(said_plainly, default=0.0),
        min(derived, 2) / 2,
        min(sum(now_denied), 2) / 2,
        max(now_denied, default=0.0),
        min(sum(now_said), 2) / 2,
        max(now_said, default=0.0),
        *clauses,
        float(denies) * strangest,
        float(not denies) * strangest,
        float(denies) * max(only_said, default=0.0),
        float(bool(backing.said.intersection(stems))),
    ]
    known = {word for word, level in zip(words, levels, strict=True) if level}
    return told, list(_phrasing(sentence, known=known, novel=novel, words=words, stems=stems))


def hashed(names: Iterable[str]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Buckets and values of a sentence's phrasing, each bucket once."""
    counts = Counter(crc32(name.encode()) % BUCKETS for name in names)
    length = math.sqrt(sum(count * count for count in counts.values())) or 1.0
    buckets = np.fromiter(counts.keys(), dtype=np.int64, count=len(counts))
    values = np.fromiter((PHRASING * count / length for count in counts.values()), dtype=np.float32, count=len(counts))
    return buckets, values


def _phrasing(
    sentence: str, *, known: set[str], novel: Sequence[tuple[float, str]], words: Sequence[str], stems: Sequence[str]
) -> Iterable[str]:
    """Words in ones, twos and threes; the same with a mark in place of words from the sources, and of rare strange ones."""
    strange = {stem for one, stem in novel if one > TELLING}
    marked = {word: "N" for word, stem in zip(words, stems, strict=True) if stem in strange} | dict.fromkeys(known, "K")
    said = ["#" if token.isdigit() else token for token in re.findall(r"[a-z']+|\d+|[?!%$]", sentence)]
    short = ["<", *(token[:5] for token in said), ">"]
    shape = ["<", *(marked.get(token, token[:5]) for token in said), ">"]
    yield from (f"w:{token}" for token in said)
    yield from (f"n:{stem}" for _, stem in novel)
    for name, row in (("s", short), ("k", shape)):
        yield from (f"{name}:{' '.join(row[at : at + 2])}" for at in range(len(row) - 1))
        yield from (f"{name}:{' '.join(row[at : at + 3])}" for at in range(len(row) - 2))


def _nearest(words: Sequence[str], stems: Sequence[str], rare: Sequence[float], backing: Backing) -> tuple[int, float]:
    """The piece of the sources that says most of it (-1 for none), and how much."""
    best, nearest = 0.0, -1
    for at, (own, meant) in enumerate(zip(backing.stems, backing.meanings, strict=True)):
        said = sum(
            one * (WORD if stem in own else MEANT if meant.intersection(search.meanings(word)) else 0.0)
            for word, stem, one in zip(words, stems, rare, strict=True)
        )
        if said > best:
            best, nearest = said, at
    return nearest, best


def _numbers(sentence: str, backing: Backing) -> tuple[int, int, int]:
    """How many numbers there are, how many nothing gives, and how many follow by arithmetic."""
    found = [number for number in numbers(sentence) if not number.is_doubtful]
    unknown = [number.value for number in found if number.value not in backing.values and number.value > SMALL]
    strange = sum(not follows(value, sentence, backing.sources) for value in unknown)
    return len(found), strange, len(unknown) - strange


def follows(value: float, plain: str, sources: Sources) -> bool:
    """Whether a number is one step of arithmetic, or a known share, away from what the sources say."""
    known = claims.amounts_told(sources.quotable)
    counts = claims.counts_told([plain, *sources.all]) | claims.counts_implied(f"{plain} {sources.said}")
    rates = {share.value / 100 for text in sources.quotable for share in shares(text)}
    return claims.is_derived(value, known, counts) or claims.is_share(value, known, counts, rates=rates)


def _clauses(sentence: str, levels: Mapping[str, tuple[float, float]]) -> tuple[float, float]:
    """Of the clause that is borne out least: what share of it is not, and how much."""
    share = amount = 0.0
    for clause in CLAUSE.split(sentence):
        if own := [levels[word] for word in _telling(clause) if word in levels]:
            missing = sum(rare * (1.0 - level) for level, rare in own)
            share = max(share, missing / (sum(rare for _, rare in own) or 1.0))
            amount = max(amount, missing)
    return share, min(amount, 3.0) / 3


def _polarity(text: str, *, is_portuguese: bool) -> dict[str, set[bool]]:
    """For every telling word's beginning: whether it stands behind a "not", or plainly, or both."""
    found: dict[str, set[bool]] = {}
    for piece in TURN.split(text):
        denied_at = -DENIED_WITHIN - 1
        for at, word in enumerate(re.findall(r"[a-z']+", piece)):
            if DENIES.fullmatch(word) and not (is_portuguese and word == "no"):
                denied_at = at
            elif word not in search.EMPTY and len(word) > SMALL:
                found.setdefault(search.stem(word), set()).add(at - denied_at <= DENIED_WITHIN)
    return found


def _turned(own: set[bool], other: set[bool] | None) -> bool:
    """Denied here and never there, or the other way round."""
    return other is not None and not own & other


def _looks_portuguese(text: str) -> bool:
    return claims.language_of(text) not in ("es", "en")


def _telling(text: str) -> list[str]:
    """Words of a levelled text that say what it is about, each once; no numbers."""
    return [
        word
        for word in dict.fromkeys(search.words_of(text))
        if word not in search.EMPTY and word not in NOT_TOLD and not word.isdigit() and len(word) > SMALL
    ]


def _begins_alike(word: str, other: str) -> bool:
    return word[:5] == other[:5] or abs(len(word) - len(other)) <= SMALL
