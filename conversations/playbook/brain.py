"""The offline brain: no key, no vendor, no network. It carries the demo, the tests, and every turn a model cannot."""

import asyncio
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from conversations.playbook import dialogue
from conversations.playbook.dialogue import SATISFACTION, Reading
from conversations.playbook.lexicon import concepts
from conversations.playbook.replies import YesNo
from conversations.playbook.text import fold, tokens
from conversations.playbook.understanding import Understanding, understand
from conversations.playbook.wishes import DOUBTFUL, Wish
from conversations.ports import AnswerFound, Context, Decision, FactFound, Found, KnownAnswer, Line, Offer, SignalFound

THREADS = 2  # language work is CPU work: it must not crowd out the loop's other threads
LONGEST_TURN_CHARS = 8_000
INSULTS = re.compile(
    r"\b(?:idiotas?|imbecis|imbecil|otari[oa]s?|babacas?|palhac[oa]s?|burr[oa]s?|lixos?|merdas?|porra|caralho|fdp|vtnc|vsf|"
    r"foda-?se|arrombad[oa]s?|vagabund[oa]s?|estupid[oa]s?|pendej[oa]s?|mierda|cabron|puta|boludo|asshole|fuck|fucking|"
    r"shit|bullshit|moron|idiots?|stupid)\b"
)
ASKS_PRICE = re.compile(
    r"\b(?:precos?|valor(?:es)?|quanto (?:custa|fica|sai|e|cobram|custam|seria)|custo|mensalidade|orcamento|tabela|"
    r"precios?|cuanto (?:cuesta|sale|vale|cobran|es)|tarifas?|prices?|pricing|how much|cost|rates?|fees?)\b"
)
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
    folded = fold(text)
    rating = RATING.match(text) if _asked(context) == SATISFACTION else None
    return Reading(
        intent=understood.intent,
        language=LANGUAGE_OF.get(understood.language, context.language) if text.strip() else context.language,
        finds=tuple(_finds(understood, lines, context.known.answers)),
        opt_out=_certain(understood.opt_out),
        wants_human=_certain(understood.wants_human),
        says_yes=understood.reply is YesNo.YES if understood.reply is not None else None,
        is_hostile=bool(INSULTS.search(folded)),
        asks_if_machine=understood.intent == "question" and any("machine" in concepts(t.form) for t in tokens(text)),
        unreadable=_unreadable(lines),
        rating=int(rating.group(1)) if rating else None,
        knows_answer=any(snippet.answers for snippet in context.snippets),
        objection=_own_answer(folded, context.persona.objections),
    )


def _certain(wish: Wish) -> bool | None:
    return None if wish == DOUBTFUL else bool(wish)


def _asked(context: Context) -> str:
    return context.known.asked[-1].about if context.known.asked else ""


def _finds(understood: Understanding, lines: Sequence[Line], counted: Sequence[KnownAnswer]) -> Iterable[Found]:
    """What was revealed, with the message its words stand in; an answer that was counted already is left out."""
    known = {(answer.stage, fold(answer.quote)) for answer in counted}
    for answer in understood.answers:
        line = _line_of(answer.text, lines)
        if line is not None and (answer.stage, fold(answer.text)) not in known:
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
    if not ASKS_PRICE.search(folded):
        return ()
    told = [offer for offer in offers if offer.price]
    named = [offer for offer in told if any(word[:5] in folded for word in re.findall(r"\w{4,}", fold(offer.name)))]
    return tuple(named or told)[:PRICES_TOLD]


def _unreadable(lines: Sequence[Line]) -> str:
    """ "voice" or "file" when nothing of the turn can be read; "" else."""
    if not lines or any(line.text.strip() for line in lines):
        return ""
    return "voice" if any(line.kind == "audio" for line in lines) else "file"


def _own_answer(folded: str, objections: Iterable[object]) -> str:
    """The org's own answer to the objection whose words stand in the text; the one with most of them."""
    best, most = "", 0
    for objection in objections:
        if not isinstance(objection, dict):
            continue
        words = set(re.findall(r"\w{4,}", fold(str(objection.get("about", "")))))
        shared = sum(1 for word in words if word[:5] in folded)
        if shared > most:
            best, most = str(objection.get("answer", "")), shared
    return best
