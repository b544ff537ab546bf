"""Does the lead want no more messages, or a person: yes, no, or doubtful enough to ask once (PRODUCT 2). Pure."""

import re
from collections.abc import Mapping
from typing import Literal

from conversations.playbook.fact_words import FIRST_NAMES
from conversations.playbook.model import Model
from conversations.playbook.replies import YesNo, yes_or_no
from conversations.playbook.text import fold, sentences, words

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
# Before anything was asked a wish to leave has a word for it; and doubt about a person has one for somebody, or for talking.
LEAVING = re.compile(
    r"\b(?:par[aeo]\w*|sair|sai|stop|tir[ae]\w*|remov\w*|cancel\w*|sal(?:ir|gan?)|dej\w+|quit\w*|baja|descadastr\w*|unsubscribe|chega|basta|nao|no|not|"
    r"deix\w*|paz|chat[oa]|incomod\w*|perturb\w*|molest\w*|bother\w*|annoy\w*|fuera|larg\w*|enough|done|alone|sossego|tranquil\w*|"
    r"don't|n|never|nunca|leave|exclu\w*|apag\w*|borr\w*|saqu\w*|list\w*|mensag\w*|mensaj\w*|messag\w*|bloque\w*|denunci\w*|spam|out|end|fora|fim|"
    r"lose|esquec\w*|olvid\w*|forget\w*|som[ae]m?|sum[ae]m?|vaz[ae]\w*|delet\w*|eras\w*|elimin\w*|exclus\w*|revog\w*|suprim\w*|cess\w*|encerr\w*|suspend\w*|interromp\w*|"
    r"descad\w*|consent\w*|lgpd|gdpr|dados|procon|process\w*|report\w*|off|optout|numero|number|contat\w*|contact\w*|larga|rala|xispa|unsub\w*|block\w*|\w*parar?|retir\w*|supres\w*|s[aá]c[ae]\w*|risc\w*|deslig\w*|desuscri\w*|lawyer|advogado|abogado|msgs?|dont|nem|sem|sin|without|ya)\b"
)
PEOPLE = re.compile(
    r"\b(?:pesso\w*|alguem|algum|atendentes?|atend(?:er|imento|e)|human\w*|fal(?:ar|a|o|e)|ligar|liga|ligue|vendedor\w*|consultor\w*|gerente|don[oa]|"
    r"responsavel|equipe|time|robo\w*|bot|maquina|person|people|someone|somebody|real|speak|talk|rep|agent|staff|manager|owner|"
    r"(?:give me a|phone|ring) ?call|persona|alguien|habl\w*|llam(?:ar|en|e)\w*|asesor\w*|encargad[oa]|equipo|quem|who|quien|"
    r"agentes?|operador\w*|operator|representa\w*|colegas?|colleagues?|teammates?|mate|guys?|gente|folks?|umano|hooman|hum\w+|body|call\w*|ring|phone|telefon\w*|fio|voz|voice|marcame|"
    r"transf\w*|pas(?:a|ar|e|as)(?:me|la|lo)?|pass[ae]\w*|encaminh\w*|conect\w*|connect\w*|patch|tlk|tal[ck]\w*|chat|conversar|tratar|busco|chama\w*)\b"
)
NEEDS_WORD = {"opt_out": 0.5, "wants_human": 0.3}  # likelihood below which doubt without such a word is noise
FEW_WORDS = 2  # so short a first message without such a word is none to leave
TITLE = r"(?:seu|sr|sra|dona|doutora?|dra?|prof|don|dona|senora?|licenciad[oa]|lic|mr|mrs|ms)\.?"
NAME = rf"(?:(?:[oa]|el|la|al|the)\s+)?(?P<title>{TITLE}\s+)?(?P<name>[a-z]{{3,}})"
# Asking whether somebody is there, or for somebody by name.
BY_NAME = (
    re.compile(rf"(?:^|[.!,\n]\s*|\b(?:e|y|and)\s+){NAME}\s+(?:\w+\s+)?(?:esta|ta|tah|se encontra|ainda (?:esta|trabalha)|trabalha|anda|veio|se encuentra|trabaja)\b[^.!?\n]{{0,30}}\?"),
    re.compile(rf"\b(?:cade|kd|esta|anda|se encuentra|is|has)\s+{NAME}\s*(?:\?|(?:in|there|around|available|working|back|ai|por ai|ahi|disponible|por ahi|hoy)\b[^.!?\n]{{0,16}}\?)"),
    re.compile(
        rf"\b(?:quero|queria|preciso|posso|gostaria de|da (?:pra|para)|tem como|deixa eu|prefiro|quiero|quisiera|necesito|puedo|i(?:'d| would)? (?:like|want|need)|can i|could i|may i|let me)\s+(?:\w+\s+){{0,2}}"
        rf"(?:falar|tratar|conversar|resolver|hablar|tratar|platicar|speak|talk|chat)\s+(?:direto |directo |directly |so )?(?:com|con|to|with)\s+{NAME}\b"
    ),
    re.compile(rf"(?:^|[.!,\n]\s*)(?:me )?(?:chama|chame|passa (?:pr?[oa]|para)|transfere (?:pr?[oa]|para)|(?:me )?pasas? con|pasame (?:con|a)|paseme con|busco a|procuro|necesito a|looking for|comunicame con|comuniqueme con|get me|put me through to)\s+{NAME}\b"),
)  # fmt: skip
# "Anyone there?" as the first words of all looks for an ear, not for a person instead of us.
FIRST_WORDS = re.compile(
    r"\W*(?:(?:oi+e*|ola|opa|ei|hey|hi|hello|alo|hola|buenas|bom dia|boa tarde|boa noite|buenos dias)\W+)*(?:(?:tem|ha|hay|is|esta)\s+)?(?:alguem|algm|alguien|anyone|anybody|someone|somebody|gente)"
    r"(?:\s+(?:esta|ta|por))?(?:\s+(?:ai|aqui|ahi|there|home|online|around|on line|na escuta|do outro lado|por ai|por aqui|por ahi|en linea))?\W*"
)


def wishes(text: str, question: str, model: Model) -> Mapping[str, Wish]:
    """`opt_out` and `wants_human`. A wish may stand in one sentence of many: the clearest piece decides."""
    if is_first_word(text, question):
        return {"opt_out": False, "wants_human": False}
    if _takes_way_out(text, question):
        return {"opt_out": True, "wants_human": False}
    if _takes_person(text, question):
        return {"opt_out": False, "wants_human": True}
    scored = [model.scores(piece, question) for piece in pieces(text)]
    sure = {wish: max(score[wish]["yes"] for score in scored) for wish in WISHES}
    heard = {wish: _verdict(sure[wish], wish, model) for wish in WISHES}
    if (
        not question
        and not LEAVING.search(fold(text))
        and (sure["opt_out"] < NEEDS_WORD["opt_out"] or len(words(text)) <= FEW_WORDS)
    ):
        heard["opt_out"] = False
    if sure["wants_human"] < NEEDS_WORD["wants_human"] and not _speaks_of_people(text):
        heard["wants_human"] = False
    if heard["opt_out"] is not True and _asks_by_name(text):
        heard["wants_human"] = True
    return heard


def is_first_word(text: str, question: str) -> bool:
    """Whether a conversation opens with nothing but "anyone there?"."""
    return not question and bool(FIRST_WORDS.fullmatch(fold(text)))


def _asks_by_name(text: str) -> bool:
    folded = fold(text)
    return any(
        bool(match["title"]) or match["name"] in FIRST_NAMES
        for pattern in BY_NAME
        for match in pattern.finditer(folded)
        if "nao " not in folded[max(0, match.start() - len("nao ")) : match.start()]
    )


def _speaks_of_people(text: str) -> bool:
    return bool(PEOPLE.search(fold(text))) or any(word in FIRST_NAMES for word in words(text))


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
