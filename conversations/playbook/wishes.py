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

# The agent asks whether to stop, or offers a person: a yes to it is the wish.
ASKS_TO_STOP = re.compile(
    r"\b(?:prefer\w*|prefier\w*|quer|quiere\w*|rather|want|should|devo|deseja\w*|desea\w*)\b[^.?!]*"
    r"\b(?:(?:nao|no|not|nunca|don't|dejemos de|deixemos de|dejar de|deixar de|par\w+ de|deje\w* de|stop)\s+(?:\w+\s+){0,2}"
    r"(?:escrev\w*|mand\w*|envi\w*|receb\w*|recib\w*|contat\w*|contact\w*|escrib\w*|messag\w*|writ\w*|send\w*|text\w*|hearing)|"
    r"(?:remov\w+|tir\w+|retir\w+|take|elimin\w+|exclu\w+|borr\w+)\s+(?:\w+\s+){0,3}(?:lista|list|cadastro|contat\w*|numero|number|base))"
)
A_PERSON = (
    r"(?:pessoa|humano|humana|atendente|consultor[a]?|especialista|vendedor[a]?|alguem|colega|persona|agente|asesor[a]?|ejecutiv[oa]|alguien|"
    r"person|human|agent|advisors?|someone|colleague|representative|specialist|teammate)"
)
OFFERS_PERSON = re.compile(
    rf"\b(?:quer|queres|quiere\w*|prefer\w*|prefier\w*|would you like|do you want|shall|posso|puedo|can i|want me to|devo)\b[^.?!]*"
    rf"\b(?:fal\w+|cham\w+|passe|passar|transf\w+|conect\w+|connect\w*|hand\w*|put\w*|get|talk|speak|habl\w+|llam\w+|contact\w+|comuni\w+|ponga|continu\w+)\b[^.?!]*\b{A_PERSON}\b[^.?!]*\?"
)
ABOUT_A_MEETING = re.compile(
    r"\b(?:reuni\w+|meeting|call|demo\w*|visita|agend\w+|schedule|book|appointment|horario|cita|llamada|chamada|apresenta\w+)\b"
)
PERSON_NAMED = re.compile(rf"\W*(?:(?:a|o|um|uma|un|una|com|con|with|the|la|el|an?)\s+)*{A_PERSON}\W*")
FOR_A_PERSON = re.compile(rf"\b(?:para|pra|to|for)\s+(?:\w+\s+){{0,3}}{A_PERSON}\b")


def wishes(text: str, question: str, model: Model) -> Mapping[str, Wish]:
    """`opt_out` and `wants_human`. A wish may stand in one sentence of many: the clearest piece decides."""
    if _takes_way_out(text, question):
        return {"opt_out": True, "wants_human": False}
    if _takes_person(text, question):
        return {"opt_out": False, "wants_human": True}
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
    if "?" in asked and ASKS_TO_STOP.search(asked) and (yes_or_no(text) is YesNo.YES or SAYS_PREFERS.fullmatch(said)):
        return True
    asks_to_go_on = "?" in asked and GOING_ON.search(asked) and STILL_WANTS.search(asked)
    return bool(asks_to_go_on) and yes_or_no(text) is YesNo.NO


SAYS_PREFERS = re.compile(
    r"(?:sim,? |si,? |yes,? )?(?:prefiro|prefiero|i'd rather|i would|i do|melhor|mejor)(?: sim| si)?"
)


def _takes_person(text: str, question: str) -> bool:
    """A yes to "shall I get somebody?", or the code that gets one. Not to a meeting that is offered with somebody."""
    asked, said = fold(question), fold(text).strip(" .!'\"")
    if not asked or not said:
        return False
    if FOR_A_PERSON.search(asked) and any(match["code"] == said for match in WAY_OUT.finditer(asked)):
        return True
    if ABOUT_A_MEETING.search(asked) or not OFFERS_PERSON.search(asked):
        return False
    is_choice = bool(re.search(r"\b(?:ou|o|or)\b", asked))
    return bool(PERSON_NAMED.fullmatch(said)) if is_choice else yes_or_no(text) is YesNo.YES
