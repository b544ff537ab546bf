"""Which stages of SPIN a lead's words answer, with the words (evals/README, "Answers"). Pure.

A text is cut into sentences and, where each part says something of its own, into clauses; every piece is judged with
the agent's question as context. One statement counts once, also when it is said again in other words.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from conversations.playbook.lexicon import concepts
from conversations.playbook.model import Model
from conversations.playbook.text import Segment, sentences, tokens

NONE = "none"
NONE_WEIGHT = 0.3  # of the label "none": the model, fitted on many unlike texts, says it too often
SURE = 0.4  # share of a stage among the labels for a whole sentence to count
SURE_OF_A_CLAUSE = 0.6  # the same for a part of a sentence
SURE_OF_THE_SAME = 0.35  # for a part that says what the whole sentence does
SAME_SHARE = 0.6  # share of the shorter statement's content words that makes it the same
CLAUSE = re.compile(r"\s*[,;:]\s+|\s+(?:e|y|and|mas|but|pero|ai|aí|só que)\s+|\s+[-–]\s+")
SHORTEST_CLAUSE_WORDS = 2
CONTENT_LENGTH = 4  # letters; shorter words are grammar


@dataclass(frozen=True)
class StageAnswer:
    """A valid answer: its stage, the verbatim words with their place in the text, and how sure."""

    stage: str
    start: int
    end: int
    text: str
    confidence: float


def answers(text: str, question: str, model: Model) -> list[StageAnswer]:
    """The distinct statements of a text that count, in order."""
    found: list[StageAnswer] = []
    for sentence in sentences(text):
        for answer in _of_sentence(sentence, question, model):
            if not any(same_statement(answer.text, other.text) for other in found if other.stage == answer.stage):
                found.append(answer)
    return found


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


def _of_sentence(sentence: Segment, question: str, model: Model) -> Iterator[StageAnswer]:
    stage, sure = _best(model.scores(sentence.text, question)["stage"])
    clauses = list(_clauses(sentence))
    judged = (
        [(clause, *_best(model.scores(clause.text, question)["stage"])) for clause in clauses]
        if len(clauses) > 1
        else []
    )
    telling = [
        (clause, kind, p)
        for clause, kind, p in judged
        if kind != NONE and p >= (SURE_OF_THE_SAME if kind == stage else SURE_OF_A_CLAUSE)
    ]
    if len(telling) > 1:
        for clause, kind, p in telling:
            yield StageAnswer(kind, clause.start, clause.end, clause.text, p)
        return
    if stage != NONE and sure >= SURE:
        yield StageAnswer(stage, sentence.start, sentence.end, sentence.text, sure)


def _best(scores: dict[str, float]) -> tuple[str, float]:
    weighed = {name: score * (NONE_WEIGHT if name == NONE else 1.0) for name, score in scores.items()}
    label = max(weighed, key=lambda name: weighed[name])
    return label, weighed[label] / sum(weighed.values())


def _clauses(sentence: Segment) -> Iterable[Segment]:
    start = 0
    for cut in [*CLAUSE.finditer(sentence.text), None]:
        end = cut.start() if cut else len(sentence.text)
        piece = sentence.text[start:end]
        if len(piece.split()) >= SHORTEST_CLAUSE_WORDS:
            yield Segment(sentence.start + start, sentence.start + end, piece)
        start = cut.end() if cut else end
