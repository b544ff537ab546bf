"""Which stages of SPIN a lead's words answer, with the words (evals/README, "Answers"). Pure.

A turn is read as a whole, by sentences, and by clauses. What the model makes of these views says, per stage, how likely
one answer is, and how likely two (`Model.counting`); the clearest pieces are quoted. One statement counts once, also
when it is said again in other words.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from conversations.playbook.lexicon import concepts
from conversations.playbook.model import Model
from conversations.playbook.text import Segment, sentences, tokens
from conversations.qualification import STAGES, Stage

NONE = "none"
SURE_OF_ONE = 0.3  # probability of an answer from which it counts: a stage missed costs a lead 12.5 points or more
SURE_OF_TWO = 0.12  # the same for a second one in the same turn
SAME_SHARE = 0.6  # share of the shorter statement's content words that makes it the same
CLAUSE = re.compile(r"\s*[,;:]\s+|\s+(?:e|y|and|mas|but|pero|ai|aí|só que)\s+|\s+[-–]\s+")
JOINS = re.compile(r"\b(?:e|y|and|além|ademas|además|also|também)\b")
SHORTEST_CLAUSE_WORDS = 2
CONTENT_LENGTH = 4  # letters; shorter words are grammar
MOST_SENTENCES = 24  # of a turn that are read
LEAST_SHARE = 1e-4  # probabilities are kept this far from 0 and 1
NO_PIECE = -9.0  # log-odds that stand for a piece there is not


@dataclass(frozen=True)
class StageAnswer:
    """A valid answer: its stage, the verbatim words with their place in the text, and how sure."""

    stage: str
    start: int
    end: int
    text: str
    confidence: float


@dataclass(frozen=True)
class Piece:
    """A sentence or clause, and what the model makes of it: stage (and "none") -> probability."""

    segment: Segment
    scores: Mapping[str, float]


@dataclass(frozen=True)
class View:
    """All that is weighed for one stage: numbers for `Model.counting`, and the pieces that would be quoted."""

    features: tuple[float, ...]
    quotes: tuple[Piece, ...]  # the clearest first; the second says something else


def answers(text: str, question: str, model: Model) -> list[StageAnswer]:
    """The distinct statements of a turn that count, at most two a stage, in the order of the text."""
    found: list[StageAnswer] = []
    for stage, view in views(text, question, model).items():
        if not view.quotes or (one := model.chance_of("one", view.features)) < SURE_OF_ONE:
            continue
        if stage == Stage.NEED_PAYOFF and not content(view.quotes[0].segment.text):
            continue  # a bare yes to "would it help?" names no benefit
        two = model.chance_of("two", view.features) if len(view.quotes) > 1 else 0.0
        if two < SURE_OF_TWO:
            found.append(_quoted(stage, view.quotes[0], one))
            continue
        found += [_quoted(stage, view.quotes[0], one), _quoted(stage, view.quotes[1], max(two, SURE_OF_ONE))]
    return sorted(found, key=lambda answer: (answer.start, answer.end))


def views(text: str, question: str, model: Model) -> dict[str, View]:
    """Stage -> what speaks for answers to it."""
    whole = model.scores(text, question)["stage"]
    cut = sentences(text)[:MOST_SENTENCES]
    read = [Piece(one, whole if len(cut) == 1 else model.scores(one.text, question)["stage"]) for one in cut]
    parts: list[Piece] = []
    for sentence in read:
        clauses = list(_clauses(sentence.segment))
        if len(clauses) > 1:
            parts += [Piece(clause, model.scores(clause.text, question)["stage"]) for clause in clauses]
        else:
            parts.append(sentence)
    shape = (
        float(len(read) > 1),
        float(len(parts) > 1),
        float(len(parts) > 2),
        math.log1p(len(text.split())),
        float("?" in question),
        float(not question),
        math.log1p(text.count("\n")),
        float(bool(JOINS.search(text.lower()))),
    )
    return {str(stage): _view(str(stage), whole, read, parts=parts, shape=shape) for stage in STAGES}


def same_statement(first: str, second: str) -> bool:
    """Whether two statements say the same thing: their content words are mostly the same."""
    one, other = content(first), content(second)
    if not one or not other:
        return first.strip().lower() == second.strip().lower()
    return len(one & other) >= SAME_SHARE * min(len(one), len(other))


def content(text: str) -> frozenset[str]:
    """Stems of the words that carry meaning, and the numbers."""
    return frozenset(
        token.form[:5]
        for token in tokens(text)
        if token.kind == "number"
        or (token.kind == "word" and len(token.form) >= CONTENT_LENGTH and "ask" not in concepts(token.form))
    )


def _view(
    stage: str,
    whole: Mapping[str, float],
    read: Sequence[Piece],
    *,
    parts: Sequence[Piece],
    shape: Sequence[float],
) -> View:
    clearest = sorted((_log_odds(piece.scores[stage]) for piece in read), reverse=True)
    ranked = sorted(parts, key=lambda piece: -piece.scores[stage])
    first = ranked[0] if ranked else None
    second = next((p for p in ranked[1:] if not same_statement(p.segment.text, ranked[0].segment.text)), None)
    of_first = _log_odds(first.scores[stage]) if first else NO_PIECE
    of_second = _log_odds(second.scores[stage]) if second else NO_PIECE
    features = (
        _log_odds(whole[stage]),
        _log_odds(whole[NONE]),
        _log_odds(max(whole[str(other)] for other in STAGES if other != stage)),
        clearest[0] if clearest else NO_PIECE,
        clearest[1] if len(clearest) > 1 else NO_PIECE,
        of_first,
        of_second,
        _log_odds(first.scores[NONE]) if first else -NO_PIECE,
        _log_odds(second.scores[NONE]) if second else -NO_PIECE,
        float(second is None),
        min(of_first, of_second),
        math.log1p(len(second.segment.text.split()) if second else 0),
        *(float(stage == other) for other in STAGES[:-1]),
        *shape,
    )
    if first is None:
        return View(features, ())
    if second is not None:
        return View(features, (first, second))
    sentence = max(read, key=lambda piece: piece.scores[stage])
    return View(features, (sentence,))


def _quoted(stage: str, piece: Piece, sure: float) -> StageAnswer:
    segment = piece.segment
    return StageAnswer(stage, segment.start, segment.end, segment.text, round(sure, 3))


def _log_odds(share: float) -> float:
    kept = min(max(share, LEAST_SHARE), 1.0 - LEAST_SHARE)
    return math.log(kept / (1.0 - kept))


def _clauses(sentence: Segment) -> Iterable[Segment]:
    start = 0
    for cut in [*CLAUSE.finditer(sentence.text), None]:
        end = cut.start() if cut else len(sentence.text)
        piece = sentence.text[start:end]
        if len(piece.split()) >= SHORTEST_CLAUSE_WORDS:
            yield Segment(sentence.start + start, sentence.start + end, piece)
        start = cut.end() if cut else end
