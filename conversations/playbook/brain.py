"""The offline brain: no key, no vendor, no network. It carries the demo, the tests, and every turn a model cannot."""

import asyncio
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from conversations.playbook import dialogue, search
from conversations.playbook.dialogue import SATISFACTION, Reading
from conversations.playbook.injection import sift
from conversations.playbook.lexicon import concepts
from conversations.playbook.replies import YesNo
from conversations.playbook.stages import same_statement
from conversations.playbook.text import fold, tokens
from conversations.playbook.understanding import Understanding, understand
from conversations.playbook.wishes import DOUBTFUL
from conversations.playbook.wishes import Wish as WishHeard
from conversations.ports import AnswerFound, Context, Decision, FactFound, Found, KnownAnswer, Line, Offer, SignalFound
from conversations.qualification import STAGES

THREADS = 2  # language work is CPU work: it must not crowd out the loop's other threads
LONGEST_TURN_CHARS = 8_000
INSULTS = re.compile(
    r"\b(?:idiotas?|imbecis|imbecil|otari[oa]s?|babacas?|palhac[oa]s?|burr[oa]s?|porra|caralho|fdp|vtnc|vsf|foda-?se|merdas?|"
    r"arrombad[oa]s?|vagabund[oa]s?|incompetentes?|estupid[oa]s?|pendej[oa]s?|mierda|cabron(?:es)?|puta|boludos?|inutil(?:es)?|"
    r"asshole|fuck|fucking|bullshit|morons?|idiots?|stupid|"
    r"(?:atendimento|servico|servicio|empresa|robo|bot) (?:\w+ )?(?:lixo|basura|horrivel|pessimo)|(?:pesim|pessim)\w+ (?:servicio|servico|"
    r"atendimento|atencion)|(?:worst|terrible|awful) (?:service|company)|que lixo|una basura|(?:total|utter) rubbish)\b"
)
AIMED_AT_US = re.compile(
    r"\b(?:you(?:'re| are| guys| people| lot)?|(?:voces|vcs|vc|voce)(?: sao| e| eh)?|ustedes(?: son)?|son un[oa]?s?|seus?|bando de|bunch of)\b"
    r"[^.!?\n]{0,24}$"
)
DISMISSALS = re.compile(
    r"\b(?:nao enche|nao me enche|me erra|vai (?:se|pro|a|tomar)\b|some daqui|que saco|me poupe|que pesad[oa]s?|vayanse|largate|"
    r"vete al?|al diablo|get lost|go away|go to hell|screw you|piss off|leave me be|(?:you|voces|vcs|ustedes) (?:people )?(?:again|de novo|otra vez)|"
    r"(?:de novo|otra vez) (?:voces|vcs|ustedes))\b"
)
ASKS_PRICE = re.compile(
    r"\b(?:precos?|valor(?:es)?|quanto (?:custa|fica|sai|e|cobram|custam|seria)|custo|mensalidade|orcamento|tabela|"
    r"precios?|cuanto (?:cuesta|sale|vale|cobran|es)|tarifas?|prices?|pricing|how much|costs?|rates?|fees?)\b"
)
WANTS_PRICE = re.compile(
    r"\b(?:so|quero|queria|fala|diz|passa|manda|me|sem|solo|dime|quiero|sin|only|want|tell|just|give|no|gostaria)\b"
)
PRICE_WORDS = 9  # a longer statement with such a word tells something
QUESTION = re.compile(r"[^.!?\n]*\?")
KNOCKS = re.compile(  # "is anybody there?" asks nothing but to be greeted
    r"\W*(?:oi+|ola|opa|alo|hi|hello|hey|hola)\W*|"
    r"\W*(?:(?:oi+|ola|opa|alo|hi|hello|hey|hola|bom dia|boa tarde|boa noite|buen[oa]s \w+)\W+)?"
    r"(?:(?:tem|ha|hay|is|esta) )?(?:alguem|alguien|any ?(?:body|one)|some ?(?:body|one))"
    r"(?: (?:ai|aqui|ahi|aca|alli|there|here|online|on|por ai|por aqui|por ahi))?\W*"
)
TAG = re.compile(r"\W*(?:\w+ )?(?:ne|nao e|certo|entende\w*|sabe|ok|viu|ta|blz|tudo bem|right|you know|isn't it|no|verdad|cierto|como vai|how are you|"
                 r"que tal|como estas?|tudo bom)\W*")  # fmt: skip
INTERROGATIVE = re.compile(
    r"\W*(?:e |y |and |mas |pero |but )?(?:como|quanto\w*|qual|quais|quando|onde|quem|por ?que|pq|o que|oq|tem como|da (?:pra|para)|(?:voces|vcs|ustedes) |"
    r"how|what|when|where|who|why|which|do you|does|can (?:i|you)|is (?:there|it)|are you|cual|cuales|cuant\w+|cuando|donde|quien|hay|puedo|se puede)\b"
)
WANTS_TO_KNOW = re.compile(
    r"\b(?:info|infos|informac\w+|information|details?|detalh\w+|detalles|mas datos|saber mais|saber mas|know more|tell me more|"
    r"como (?:e que )?(?:funciona|e isso|trabalham)|(?:entender|saber|ver) como (?:e|funciona)|how (?:it|this|does it|does this) works?\b|como funciona\w*|"
    r"conhecer|o que voces fazem|what do you do|que hacen|(?:ainda |still |siguen |siguem )(?:\w+ )?(?:atendendo|taking|atendiendo|open)|vi (?:o|seu|su|el) anuncio|"
    r"saw your ad|indicaram|recomendaron|told me about|recommended)\b"
)
ASKS_ABOUT_US = re.compile(
    r"\b(?:o que (?:e que )?(?:voces|vcs|vc|a empresa|essa empresa) (?:fazem?|vendem?|oferecem?)|(?:com o|em) que (?:voces|vcs) trabalham|"
    r"quem sao voces|que empresa e ess?a|do que se trata|what (?:do|does) (?:you|your company|the company) (?:guys )?(?:do|sell|offer)|"
    r"who are you(?: guys)?|what is this about|que (?:hacen|venden|ofrecen)|a que se dedican|quienes son|de que se trata)\b"
)
PROFILE_ANSWERS = 0.7  # confidence in what the org says of itself: with one text only, rarity tells less
GENERAL_WORDS = 14  # what is longer asks for something of its own
DONT_KNOW = re.compile(
    r"\W*(?:(?:ih|ah|hm+|bom|olha|well|pues|eh|honestly|sinceramente)\W+)?(?:sei nao\b|(?:eu )?(?:nao|n|nn) (?:sei|faco ideia|tenho ideia|saberia|lembro)|sei la|"
    r"(?:nao )?faco ideia|(?:eu )?nunca (?:parei|pensei|lo pense|medi|contei)|sem ideia|dificil (?:dizer|saber|decir)|no (?:se\b|sabria|tengo idea|idea)|ni idea|"
    r"(?:i )?(?:don't|dont|do not) know|dunno|not sure|hard to (?:say|tell)|no clue|(?:i've )?never thought|i have no idea|i'm not sure)"
)
FILLER = re.compile(
    r"\W*(?:(?:e |eh |ah |ok |sim |yes |si )?(?:isso|isso mesmo|isso ai|eso|eso mismo|that's it|that's right|sim|nao|n|s|yes|no|si|yep|nope|ok|okay|k|blz|beleza|certo|"
    r"claro|sure|mais ou menos(?: isso)?|mas o menos|more or less|pretty much|talvez|maybe|quizas?|acho que (?:sim|nao|e por ai)|por ai(?: va)?|por ahi va|"
    r"(?:do jeito que|como te|like i|como eu) (?:falei|dije|said|disse)|oi+|ola|hi|hello|hola|bom dia|boa (?:tarde|noite)|buen dia|buenas(?: tardes)?|kk+|rs+|haha+))\W*"
)
THANKS = re.compile(
    r"\b(?:obrigad\w*|brigad\w*|obg|valeu|vlw|grat[oa]|agradec\w*|gracias|thank\w*|thx|cheers|appreciate\w*|combinado|perfeito|perfecto|perfect|show|"
    r"beleza|blz|otimo|great|genial|listo|ok|okay|fechado|aguardo)\b"
)
LONGEST_ANSWER_CHARS = 300
# Facts whose words answer no question about how things are.
NO_ANSWERS = frozenset(
    {"name", "company", "role", "email", "phone", "budget", "timeline", "decision_maker", "preferred_times"}
)
TAKEN_FOR_GRANTED = 0.5  # confidence in an answer only because it answers our question
PRICES_TOLD = 3
RATING = re.compile(r"^\W*(?:nota\s*)?([1-5])\W*$")
LANGUAGE_OF = {"pt-BR": "pt-br", "pt-br": "pt-br", "en": "en", "es": "es"}
_pool = ThreadPoolExecutor(THREADS, thread_name_prefix="playbook")


class PlaybookBrain:
    name = "playbook"
    is_informed = True

    async def decide(self, context: Context) -> Decision:
        """What the lead revealed, and what to say. Milliseconds of CPU, on threads of its own."""
        return await asyncio.get_running_loop().run_in_executor(_pool, decide, context)


def decide(context: Context) -> Decision:
    """The same, at once."""
    return dialogue.reply(context, read(context))


def read(context: Context) -> Reading:
    """What the lead's messages since our last one mean, taken together, each find with the message it stands in."""
    lines, question = dialogue.newest(context.lines)
    text = "\n".join(line.text for line in lines)[-LONGEST_TURN_CHARS:]
    spoken = {"pt-br": "pt-BR"}.get(context.language, context.language)
    understood = understand(text, question=question, language=spoken, known=context.known.facts)
    folded = fold(understood.sifted.honest)
    rating = RATING.match(text) if dialogue.pending(context) == SATISFACTION else None
    asks_price = _asks_price(folded, understood.intent)
    dont_know = bool(DONT_KNOW.match(folded)) and not understood.answers
    finds = tuple(_finds(understood, lines, context.known.answers))
    intent = str(understood.intent)
    if intent == "thanks" and dialogue.pending(context) and not THANKS.search(folded):
        intent = "answer"  # who was asked and does not thank in so many words answers
    reading = Reading(
        intent=intent,
        language=LANGUAGE_OF.get(understood.language, context.language) if text.strip() else context.language,
        finds=finds,
        opt_out=_certain(understood.opt_out),
        wants_human=_certain(understood.wants_human),
        says_yes=understood.reply is YesNo.YES if understood.reply is not None else None,
        is_hostile=_is_hostile(folded, finds),
        asks_if_machine=understood.intent == "question" and any("machine" in concepts(t.form) for t in tokens(text)),
        unreadable=_unreadable(lines),
        rating=int(rating.group(1)) if rating else None,
        asks=_asks(folded, understood.intent),
        asks_price=asks_price,
        wants_to_know_more=bool(WANTS_TO_KNOW.search(folded)) and len(folded.split()) <= GENERAL_WORDS,
        dont_know=dont_know,
        knows_answer=any(snippet.answers for snippet in context.snippets),
        priced=_priced(folded, context.offers) if asks_price else (),
        objection=_own_answer(folded, context.persona.objections),
        own_answer=_own_answer(folded, context.persona.objections, in_full=True),
        about_us=_about_us(text, folded, context),
    )
    taken = _taken_for_granted(reading, context, lines)
    return replace(reading, finds=(*finds, taken)) if taken is not None else reading


def _about_us(text: str, folded: str, context: Context) -> bool:
    """Whether the org's line about itself answers: asked what it does, or something the line says and no passage."""
    if ASKS_ABOUT_US.search(folded):
        return True
    if not context.business or any(snippet.answers for snippet in context.snippets):
        return False
    hits = search.Index([search.Passage(context.company, context.business)]).find(text)
    return bool(hits) and hits[0].confidence >= PROFILE_ANSWERS


def _asks(folded: str, intent: str) -> bool:
    """Whether something is really asked: by its mark or its first word, and no mere "right?"."""
    said = [one.removesuffix("?") for one in QUESTION.findall(folded) if one.strip(" ?¿")]
    marked = any(not TAG.fullmatch(one) and not KNOCKS.fullmatch(one) for one in said)
    return marked or (intent == "question" and bool(INTERROGATIVE.match(folded)))


def _asks_price(folded: str, intent: str) -> bool:
    if not ASKS_PRICE.search(folded):
        return False
    if any(ASKS_PRICE.search(one) for one in QUESTION.findall(folded)):
        return True
    is_short = len(folded.split()) <= PRICE_WORDS
    return is_short and (intent == "question" or bool(WANTS_PRICE.search(folded)))


def _is_hostile(folded: str, finds: Iterable[Found]) -> bool:
    """Rude to us; who is angry about what we asked for tells something."""
    if DISMISSALS.search(folded) or any(AIMED_AT_US.search(folded[: one.start()]) for one in INSULTS.finditer(folded)):
        return True
    return bool(INSULTS.search(folded)) and not any(isinstance(find, AnswerFound) for find in finds)


def _taken_for_granted(reading: Reading, context: Context, lines: Sequence[Line]) -> AnswerFound | None:
    """An answer that is one because we asked for it: a statement after a stage's question, in which nothing else was
    found. Its quote is the sentence or message as it stands."""
    stage = dialogue.pending(context)
    if stage not in STAGES or any(isinstance(find, AnswerFound) for find in reading.finds):
        return None
    if reading.intent not in {"answer", "greeting", "question", "objection"} or reading.dont_know or reading.is_hostile:
        return None
    if reading.opt_out is not False or reading.wants_human is not False or reading.asks_price:
        return None
    elsewhere = [
        find
        for find in reading.finds
        if isinstance(find, SignalFound) or (isinstance(find, FactFound) and find.key in NO_ANSWERS)
    ]
    for line in lines:
        for piece in re.findall(r"[^.!?\n]+[.!?]*", sift(line.text).honest):
            said = piece.strip()
            if said.endswith("?") or not any(one.isalnum() for one in said) or len(said) > LONGEST_ANSWER_CHARS:
                continue
            if any(find.message_id == line.id and find.quote in said for find in elsewhere):
                continue  # told us who they are, when, or for how much: that counts where it belongs
            if any(same_statement(said, answer.quote) for answer in context.known.answers):
                continue
            if not FILLER.fullmatch(fold(said)) and reading.intent in {"answer", "question"}:
                return AnswerFound(stage, line.id, said, TAKEN_FOR_GRANTED)
    return None


def _certain(wish: WishHeard) -> bool | None:
    return None if wish == DOUBTFUL else bool(wish)


def _finds(understood: Understanding, lines: Sequence[Line], counted: Sequence[KnownAnswer]) -> Iterable[Found]:
    """What was revealed, with the message its words stand in; what was counted already, in other words too, is left out."""
    for answer in understood.answers:
        line = _line_of(answer.text, lines)
        is_told = any(answer.stage == one.stage and same_statement(answer.text, one.quote) for one in counted)
        if line is not None and not is_told:
            yield AnswerFound(answer.stage, line.id, answer.text, answer.confidence)
    for signal in understood.signals:
        line = _line_of(signal.text, lines)
        if line is not None:
            yield SignalFound(signal.signal, line.id, signal.text, confidence=signal.confidence)
    for fact in understood.facts:
        line = _line_of(fact.quote, lines)
        if line is not None:
            yield FactFound(fact.key, fact.value, line.id, fact.quote, fact.confidence)


def _line_of(quote: str, lines: Sequence[Line]) -> Line | None:
    return next((line for line in lines if quote and quote in line.text), None)


def _priced(folded: str, offers: Sequence[Offer]) -> tuple[Offer, ...]:
    """The offers whose price was asked for and may be told: those that are named, else all when they are few."""
    told = [offer for offer in offers if offer.price]
    named = [offer for offer in told if any(word[:5] in folded for word in re.findall(r"\w{4,}", fold(offer.name)))]
    return tuple(named or told)[:PRICES_TOLD]


def _unreadable(lines: Sequence[Line]) -> str:
    """What keeps all of the turn from being read: "file", "voice", "voice_later" (its words may come yet) or
    "voice_unclear" (nobody can make them out); "" when something of it can be read."""
    if not lines or any(line.text.strip() for line in lines):
        return ""
    sounds = [line for line in lines if line.kind == "audio"]
    if not sounds:
        return "file"
    return {"wanted": "voice_later", "unclear": "voice_unclear"}.get(sounds[-1].hearing, "voice")


def _own_answer(folded: str, objections: Iterable[object], *, in_full: bool = False) -> str:
    """The org's own answer to the objection whose words stand in the text; the one with most of them.

    `in_full`: only where all of its words do, as an answer to a question must be meant for just that.
    """
    best, most = "", 0
    for objection in objections:
        if not isinstance(objection, dict):
            continue
        words = set(re.findall(r"\w{4,}", fold(str(objection.get("about", "")))))
        shared = sum(1 for word in words if word[:5] in folded)
        if shared > most and (shared == len(words) or not in_full):
            best, most = str(objection.get("answer", "")), shared
    return best
