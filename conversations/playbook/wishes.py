"""Does the lead want no more messages, or a person: yes, no, or doubtful enough to ask once (PRODUCT 2). Pure."""

import re
from collections.abc import Mapping
from typing import Literal

from conversations.playbook.model import Model
from conversations.playbook.replies import YesNo, yes_or_no
from conversations.playbook.text import fold, sentences

Wish = bool | Literal["doubtful"]
WISHES = ("opt_out", "wants_human")
DOUBTFUL: Literal["doubtful"] = "doubtful"

# The agent's own way out: "reply STOP to leave", and "do you still want to hear from us?".
WAY_OUT = re.compile(
    r"\b(?:respond\w*|digit\w*|envi\w*|mand\w*|reply|text|send|escrib\w*|escrev\w*|marque|type)\s+(?:com |con |with |a palavra |la palabra )?"
    r"[\"'“]?(?P<code>[a-z0-9]+)[\"'”]?"
)
ABOUT_LEAVING = re.compile(
    r"\b(?:sair|salir|parar|stop|opt[ -]?out|unsubscribe|cancelar|baja|leave|end|(?:nao|no|not|don't|dejar de|deixar de|caso nao|si no|if you)\b[^.?!]*"
    r"\b(?:receb\w*|recib\w*|receive|get|hear|mensag\w*|mensaj\w*|messages?|ofertas?|novidades|novedades|want|deseas?))\b"
)
STILL_WANTS = re.compile(
    r"\b(?:receb\w*|recib\w*|receiv\w*|hearing|get(?:ting)?|escribi\w*|mandando|enviando|messag\w*|updates?|lista|list)\b"
)
GOING_ON = re.compile(r"\b(?:continu\w*|segu\w*|ainda|todavia|still|keep|mant\w*)\b")


def wishes(text: str, question: str, model: Model) -> Mapping[str, Wish]:
    """`opt_out` and `wants_human`. A wish may stand in one sentence of many: the clearest piece decides."""
    if _takes_way_out(text, question):
        return {"opt_out": True, "wants_human": False}
    scored = [model.scores(piece, question) for piece in pieces(text)]
    return {wish: _verdict(max(score[wish]["yes"] for score in scored), wish, model) for wish in WISHES}


def pieces(text: str) -> list[str]:
    """The whole text, and each of its sentences when there are several."""
    return [text, *(sentence.text for sentence in sentences(text) if sentence.text != text.strip())]


def _verdict(sure: float, wish: str, model: Model) -> Wish:
    if sure >= model.thresholds.get(f"{wish}:sure", 0.8):
        return True
    return DOUBTFUL if sure >= model.thresholds.get(f"{wish}:doubtful", 0.3) else False


def _takes_way_out(text: str, question: str) -> bool:
    asked, said = fold(question), fold(text).strip(" .!'\"")
    if not asked or not said:
        return False
    if ABOUT_LEAVING.search(asked) and any(match["code"] == said for match in WAY_OUT.finditer(asked)):
        return True
    asks_to_go_on = "?" in asked and GOING_ON.search(asked) and STILL_WANTS.search(asked)
    return bool(asks_to_go_on) and yes_or_no(text) is YesNo.NO
