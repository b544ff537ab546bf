"""Does the lead want no more messages, or a person: yes, no, or doubtful enough to ask once (PRODUCT 2). Pure."""

from collections.abc import Mapping
from typing import Literal

from conversations.playbook.model import Model
from conversations.playbook.text import sentences

Wish = bool | Literal["doubtful"]
WISHES = ("opt_out", "wants_human")
DOUBTFUL = "doubtful"


def wishes(text: str, question: str, model: Model) -> Mapping[str, Wish]:
    """`opt_out` and `wants_human`. A wish may stand in one sentence of many: the clearest piece decides."""
    pieces = [text, *(sentence.text for sentence in sentences(text) if sentence.text != text.strip())]
    scored = [model.scores(piece, question) for piece in pieces]
    return {wish: _verdict(max(score[wish]["yes"] for score in scored), wish, model) for wish in WISHES}


def _verdict(sure: float, wish: str, model: Model) -> Wish:
    if sure >= model.thresholds.get(f"{wish}:sure", 0.8):
        return True
    return DOUBTFUL if sure >= model.thresholds.get(f"{wish}:doubtful", 0.3) else False
