"""What the offline brain says next: pure, from the context and a reading of the lead's newest messages (PRODUCT 2).

It answers what was asked, asks one SPIN question at a time and never the same one twice, hands over gracefully, and
stops when there is nothing left to say. What the lead's words mean is `understanding`'s business.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from conversations import guards
from conversations.playbook import wording
from conversations.playbook.injection import sift
from conversations.playbook.text import fold, tokens, words
from conversations.ports import (
    AnswerFound,
    Asked,
    Context,
    Decision,
    FactFound,
    Found,
    Line,
    Offer,
    SignalFound,
    Snippet,
    Wish,
)
from conversations.qualification import ANSWERS_NEEDED, STAGES, Evidence, judge

NAME_CHARS = 30
QUOTED_CHARS = 420  # of knowledge in one bubble
PITCH_CHARS = 220  # of what an org says of itself
OFF_TOPIC_ANSWERS = 2  # who strays further is not answered any more
PLAIN_ACKS_LEFT_OUT = 3  # one of so many
CONFIRM_OPT_OUT, CONFIRM_HUMAN, SATISFACTION = "confirm:opt_out", "confirm:human", "satisfaction"
FACTS_ASKED = ("fact:name", "fact:company", "fact:timeline", "fact:decision_maker", "fact:budget")
UNKNOWN_IN_FULL = 2  # times in sight; then a word will do
ASKS_WHY = re.compile(
    r"\b(?:por ?que (?:voces? |vcs? |ce )?(?:quer(?:em)? saber|pergunt\w+)|pra que (?:quer(?:em)? saber|pergunt\w+)|why (?:do|are) you ask\w*|"
    r"why do you (?:want|need) to know|por que (?:lo )?pregunt\w+|para que (?:quieren?|quieres) saber)\b"
)
STEM_CHARS, TELLING_CHARS = 5, 3
TOLD_SHARE = 0.6  # of a question's telling words
HOW_MUCH = re.compile(r"\b(?:quant[oa]s?|cuant[oa]s?|how (?:much|many|long|often))\b")
NOT_TELLING = frozenset(
    word[:STEM_CHARS]
    for word in (
        "quanto quanta quantos quantas cuanto cuanta cuantos cuantas qual quais cual que como onde donde quando cuando quem quien "
        "para por pra com con sem sin uma uns umas una unos unas dos das del los las nos nas mais mas menos muito muy voce voces "
        "ustedes usted seu sua seus suas suyo hoje hoy aqui now today how much many what which when where who long often the and "
        "your you are for with more less about roughly isso esse essa isto eso esta este tem tiene have has does did"
    ).split()
)
PRESENTING = frozenset({"fact:name", "fact:company"})
FACT_AFTER_ANSWERS = 2  # a question about the person may come between, once they have told this much
OF_BUSINESSES = frozenset({"fact:company"})  # never asked of a private person
OF_OURS = re.compile(  # words of who may mean us and our messages
    r"\b(?:voces?|vcs?|ces?|me|mim|comigo|mensag\w*|mand\w+|envi\w+|escrev\w+|contat\w*|list\w*|numero\w*|par[aeo]|parem|parar|chega|basta|sair|sai|"
    r"tir[ae]\w*|deix\w+|you|stop\w*|text\w*|messag\w*|contact\w*|remov\w*|leave|done|enough|ustedes|escrib\w*|mensaj\w*|dej\w+|baja|"
    r"paz|chat[oa]\w*|interess\w*|interested|number)\b"
)
GREETS = re.compile(r"\W*(?:oi|ola|opa|hi|hello|hey|hola|bom dia|boa tarde|boa noite|good|buen[oa]s?)\b")
ACKS = {"problem": "ack_problem", "implication": "ack_cost", "need_payoff": "ack_payoff"}
HANDED = ("qualified", "wrap_up", "meeting", "human", "human_again")


@dataclass(frozen=True)
class Reading:
    """What the lead's messages since our last one mean, taken together.

    `opt_out` and `wants_human`: True, False, or None for doubtful. `says_yes`: to our question, when it was one that
    wants a yes or a no.
    """

    intent: str
    language: str
    finds: tuple[Found, ...] = ()
    opt_out: bool | None = False
    wants_human: bool | None = False
    says_yes: bool | None = None
    is_hostile: bool = False
    asks_if_machine: bool = False
    comes_back: bool = False
    unreadable: str = ""  # "file", "voice", "voice_later" or "voice_unclear": came without anything we can read
    rating: int | None = None
    asks: bool = False  # something is really asked, whatever the intent
    asks_price: bool = False
    wants_to_know_more: bool = False  # in general: what this is, how it works
    dont_know: bool = False  # no answer to what we asked, and no refusal
    knows_answer: bool = False  # the snippets of the context answer what was asked
    priced: tuple[Offer, ...] = ()  # offers whose price the lead asks for
    objection: str = ""  # the org's own answer to the objection raised, if it has one
    about_us: bool = False  # the org's line about itself answers what was asked
    own_answer: str = ""  # the org's own answer to just what was asked, if it has one


def reply(context: Context, reading: Reading) -> Decision:
    """The decision. Out: at most two bubbles (a disclosure, and one of two sentences unless knowledge is quoted)."""
    talk = _Talk(context, reading)
    return talk.wish() or talk.close() or talk.go_on()


class _Talk:
    """One move: the pieces it is made of share language, seed, and what has been said before."""

    def __init__(self, context: Context, reading: Reading) -> None:
        self.context = context
        self.reading = reading
        self.language = (context.persona.follows_language and reading.language) or context.language
        last = context.lines[-1].id if context.lines else 0
        self.seed = f"{context.conversation_id}:{last}"
        self.said = [line.text for line in context.lines if line.author == "ai"]

    def say(self, key: str, **filled: str) -> str:
        tone = self.context.persona.personality
        return wording.say(self.language, key, seed=self.seed, avoid=self.said, tone=tone, **filled)

    # --- What the lead wants of us ---
    def wish(self) -> Decision | None:
        """Leaving, a person, coming back: these come before anything else."""
        reading, pending = self.reading, self._pending()
        if reading.opt_out or (pending == CONFIRM_OPT_OUT and reading.says_yes):
            return self._decide([self.say("opted_out")], wish=Wish.OPT_OUT, greets=False)
        if reading.wants_human or (pending == CONFIRM_HUMAN and reading.says_yes):
            key = "human_again" if self._was_handed_over() else "human"
            return self._decide([self.say(key, back=self._back())], wish=Wish.HUMAN, handoff="lead_asked")
        if reading.comes_back:
            return self._decide([self.say("again")], wish=Wish.COME_BACK)
        confirmed = {one.about for one in self.context.known.asked}  # each is asked about once in a conversation
        if self._merely_tells():
            return None
        if reading.opt_out is None and CONFIRM_OPT_OUT not in confirmed:
            return self._confirm(CONFIRM_OPT_OUT, "confirm_opt_out", Wish.DOUBTFUL_OPT_OUT)
        if reading.opt_out is None and reading.says_yes is None:  # still not clear: a person looks
            return self._decide([self.say("hostile")], handoff="hostile", greets=False)
        if reading.wants_human is None and CONFIRM_HUMAN not in confirmed and not self._answers_us():
            return self._confirm(CONFIRM_HUMAN, "confirm_human", Wish.DOUBTFUL_HUMAN)
        return None

    def _confirm(self, about: str, key: str, wish: Wish) -> Decision:
        text = self.say(key)
        return self._decide([text], wish=wish, asks=Asked(about, text))

    def _pending(self) -> str:
        return pending(self.context)

    def _answers_us(self) -> bool:
        """Whether what our question asked for is among what was found."""
        keys = {find.stage if isinstance(find, AnswerFound) else f"fact:{find.key}" for find in self.reading.finds}
        return self._pending() in keys

    def _merely_tells(self) -> bool:
        """An answer to our question that speaks of nobody's messages: "they don't come back" is no wish to leave."""
        lines, _ = newest(self.context.lines)
        heard = any(OF_OURS.search(fold(line.text)) for line in lines)
        return self.reading.opt_out is None and self._pending() in STAGES and self._answers_us() and not heard

    def _was_handed_over(self) -> bool:
        return self._has_said("human", "human_again") > 0

    def _has_said(self, *keys: str) -> int:
        """How many of our messages in sight say one of these things, in any language."""
        stems = [way.split("{")[0] for said in wording.SAY.values() for key in keys for way in said[key]]
        if "human" in keys:  # said in the org's own words
            persona = self.context.persona
            stems += [text.split("{")[0] for text in (persona.handoff_text, persona.handoff_away_text)]
        return sum(any(stem and stem in text for stem in stems) for text in self.said)

    # --- Ends ---
    def close(self) -> Decision | None:
        """Polite ends: nothing is asked any more."""
        reading = self.reading
        if reading.rating is not None and self._pending() == SATISFACTION:
            return self._decide([self.say("rated")], rating=reading.rating)
        if reading.is_hostile:
            gave_way = self._has_said("hostile")
            return self._decide([] if gave_way else [self.say("hostile")], handoff="hostile", greets=False)
        if self._says_nothing_new() and self._has_said("hostile", "not_interested"):
            return self._decide([], greets=False)
        if self._pending() in {CONFIRM_OPT_OUT, CONFIRM_HUMAN} and reading.says_yes is False:
            return None  # "no, that's fine" says that we may go on
        tells = any(isinstance(find, AnswerFound) for find in reading.finds) or reading.dont_know
        if reading.intent == "not_interested" and not (tells or reading.asks or reading.asks_price):
            return self._decide([self.say("not_interested")], greets=False)
        if reading.intent == "off_topic" and not (tells or reading.asks_price):
            strayed = self._has_said("off_topic") >= OFF_TOPIC_ANSWERS
            return self._decide([] if strayed else [self.say("off_topic", business=self._business())])
        if reading.intent in {"cancel", "reschedule"}:
            return self._decide([self.say("human", back=self._back())], handoff=reading.intent)
        presents = self._pending() in PRESENTING and self._answers_us()  # "nice to meet you" arranges nothing
        if reading.intent in {"wants_meeting", "choose_slot"} and not reading.asks_price and not presents:
            key = "human_again" if self._offered_people() else "meeting"
            return self._decide([self.say(key, back=self._back())], handoff="wants_meeting")
        if reading.intent == "thanks" and not (reading.asks or tells or self.context.is_first_reply):
            asked_last = bool(self.said) and "?" in self.said[-1]
            return self._decide([] if asked_last or self._has_said("thanks", "waiting") else [self.say("thanks")])
        if reading.unreadable and not reading.finds:
            key = {"file": "unreadable", "voice": "voice_unreadable"}.get(reading.unreadable, reading.unreadable)
            return self._decide([self.say(key)])
        return None

    def _says_nothing_new(self) -> bool:
        reading = self.reading
        return not (reading.finds or reading.asks or reading.asks_price or reading.intent in {"greeting", "answer"})

    # --- The conversation itself ---
    def go_on(self) -> Decision:
        """Answer what was asked, acknowledge what was told, and ask the next question."""
        if self._offered_people():
            return self._go_on_after()
        first, passages, handoff = self._answer()
        if self._is_qualified():
            text = self.say("qualified", back=self._back())
            return self._decide(self._bubbles(first, text), handoff="qualified", passages=passages)
        asks = self._next_question()
        if asks is None:
            text = self.say("wrap_up", back=self._back())
            return self._decide(self._bubbles(first, text), handoff="talk_complete", passages=passages)
        return self._decide(self._bubbles(first, asks.text), asks=asks, passages=passages, handoff=handoff)

    def _go_on_after(self) -> Decision:
        """A person is to go on, and the lead still writes: answered, but asked nothing more."""
        reading = self.reading
        if reading.asks or reading.asks_price or reading.asks_if_machine:
            first, passages, handoff = self._answer()
            return self._decide([first], passages=passages, handoff=handoff)
        if reading.finds:
            return self._decide([] if self._has_said("noted") else [self.say("noted")])
        return self._decide([] if self._has_said("waiting", "thanks") else [self.say("waiting")])

    def _bubbles(self, first: str, then: str) -> list[str]:
        """An answer stands for itself; a word or two go before what follows."""
        return [first, then] if self._answers() else [_joined(first, then)]

    def _answers(self) -> bool:
        reading = self.reading
        return reading.asks or reading.asks_price or reading.asks_if_machine

    def _answer(self) -> tuple[str, tuple[int, ...], str]:
        """What comes before the question; ids of passages quoted; a reason why a person should look."""
        reading = self.reading
        if reading.asks_if_machine:
            return self.say("assistant", company=self._business()), (), ""
        if reading.says_yes is False and self._pending() in {CONFIRM_OPT_OUT, CONFIRM_HUMAN}:
            return self.say("going_on"), (), ""
        if reading.asks_price and reading.priced:
            prices = " ".join(self._told(offer) for offer in reading.priced)
            was_told = prices in " ".join(self.said)
            return _joined(self.say("price_again") if was_told else "", prices), (), ""
        if reading.own_answer and (self._answers() or reading.intent == "question") and self._speaks_as_written():
            return reading.own_answer, (), ""
        if reading.about_us and (self._answers() or reading.intent == "question") and (own := self._own_line()):
            return own, (), ""
        if reading.knows_answer and (reading.asks or reading.asks_price or reading.intent == "question"):
            snippet = next(snippet for snippet in self.context.snippets if snippet.answers)
            if quoted := _quoted(snippet):
                return quoted, (snippet.id,), ""
        if reading.asks_price:
            if not self._has_said("price_later"):
                return self.say("price_later"), (), "unknown_answer"
            return self.say("price_team", back=self._back()), (), "unknown_answer"
        if reading.wants_to_know_more:
            return self._pitch(), (), ""
        if reading.asks and self._is_asked_why():
            return self.say("why_ask"), (), ""
        if reading.asks:
            again = self._has_said("unknown", "unknown_too") >= UNKNOWN_IN_FULL
            return self.say("unknown_too" if again else "unknown"), (), "unknown_answer"
        if reading.intent == "objection":
            own = (
                reading.objection if self._speaks_as_written() and reading.objection not in " ".join(self.said) else ""
            )
            return own or self.say("objection"), (), ""
        return self._acknowledged(), (), ""

    def _is_asked_why(self) -> bool:
        """Whether the lead wants to know what our question is for."""
        lines, _ = newest(self.context.lines)
        return any(ASKS_WHY.search(fold(line.text)) for line in lines)

    def _pitch(self) -> str:
        """What the business is, in its own words where the lead reads them; once."""
        return self._own_line() or self.say("welcome")

    def _own_line(self) -> str:
        """As many first sentences of what the org says of itself as fit; "" when told before, or in another language."""
        told = ""
        for sentence in re.findall(r"[^.!?\n]+[.!?]*", self.context.business):
            if len(longer := f"{told} {sentence.strip()}".strip()) > PITCH_CHARS:
                break
            told = longer
        if not told or not self._speaks_as_written() or told in " ".join(self.said):
            return ""
        return told if told[-1] in ".!" else f"{told}."

    def _acknowledged(self) -> str:
        """A word on what was told, often none."""
        reading = self.reading
        if reading.dont_know:
            return self.say("no_matter")
        if self.context.is_first_reply and not reading.finds:
            return ""
        name = next((find.value for find in reading.finds if isinstance(find, FactFound) and find.key == "name"), None)
        if isinstance(name, str) and "name" not in self.context.known.facts and self._pending() == "fact:name":
            first = name.split(" ")[0]
            return self.say("met", name=first) if first.isalpha() and len(first) <= NAME_CHARS else ""
        stages = [find.stage for find in reading.finds if isinstance(find, AnswerFound)]
        pending = self._pending()
        about = pending if pending in stages else next((stage for stage in stages if stage in ACKS), "")
        is_ahead = about == "need_payoff" and pending in {"problem", "implication"}  # glad of trouble: not that
        if about in ACKS and not is_ahead:
            return self.say(ACKS[about])
        if reading.intent == "greeting" or wording.pick(self.seed, PLAIN_ACKS_LEFT_OUT) == 0:
            return ""
        return self.say("ack")

    def _next_question(self) -> Asked | None:
        """The first question not asked yet of the first stage that is not complete; sometimes one about the person."""
        counts = self._counts()
        needed = self.context.persona.rules.needed
        open_stages = [stage for stage in STAGES if counts.get(stage, 0) < needed.get(stage, ANSWERS_NEEDED)]
        told = sum(counts.values())
        pending = self._pending()
        if self.reading.dont_know and pending in open_stages:
            for text in wording.questions(self.language, f"easier:{pending}"):
                if not self._was_asked(text):
                    return Asked(pending, text)
        if told >= FACT_AFTER_ANSWERS and self._may_ask_fact() and (fact := self._fact_question(told)) is not None:
            return fact
        for stage in open_stages:
            for text in self._questions(stage):
                if not self._was_asked(text) and not self._was_told(text):
                    return Asked(stage, text)
        return self._fact_question(told) if open_stages else None

    def _questions(self, stage: str) -> Sequence[str]:
        """The org's own for a stage, then ours; ours speak of a team only where a business writes to one."""
        own = tuple(self.context.persona.questions.get(stage, ())) if self._speaks_as_written() else ()
        asks_anybody = bool(self.context.persona.questions) or self._is_private()
        return (*own, *wording.questions(self.language, f"any:{stage}" if asks_anybody else stage))

    def _was_asked(self, text: str) -> bool:
        """Whether this lead has been asked that already, in these words or nearly."""
        before = [*(one.text for one in self.context.known.asked), *self.said]
        return any(fold(text) in fold(one) for one in before) or any(
            guards.is_same_question(text, one.text) for one in self.context.known.asked
        )

    def _was_told(self, question: str) -> bool:
        """Whether a statement that counts says already what this asks for: most of its words, and a number for how much."""
        wanted = {form[:STEM_CHARS] for form in words(question) if len(form) >= TELLING_CHARS} - NOT_TELLING
        quotes = [answer.quote for answer in self.context.known.answers]
        quotes += [find.quote for find in self.reading.finds if isinstance(find, AnswerFound)]
        asks_number = HOW_MUCH.search(fold(question)) is not None
        for quote in quotes:
            shared = wanted & {form[:STEM_CHARS] for form in words(quote)}
            if len(shared) < max(2, TOLD_SHARE * len(wanted)):
                continue
            if not asks_number or any(token.kind == "number" for token in tokens(quote)):
                return True
        return False

    def _is_private(self) -> bool:
        found = {find.key: find.value for find in self.reading.finds if isinstance(find, FactFound)}
        return {**self.context.known.facts, **found}.get("person_type") == "PF"

    def _may_ask_fact(self) -> bool:
        """Not when a problem was just told, something asked, or the last question was about the person too."""
        reading = self.reading
        heavy = any(
            isinstance(find, AnswerFound) and find.stage in {"problem", "implication"} for find in reading.finds
        )
        return not (
            self.context.is_first_reply or heavy or self._answers() or reading.dont_know or reading.intent == "objection"
            or self._pending().startswith("fact:")
        )  # fmt: skip

    def _fact_question(self, told: int) -> Asked | None:
        """One question about the person for every two answers told, in order; never what is known already."""
        known = self.context.known
        used = sum(1 for one in known.asked if one.about.startswith("fact:"))
        if used >= told // FACT_AFTER_ANSWERS or used >= len(FACTS_ASKED):
            return None
        learnt = {*known.facts, *(find.key for find in self.reading.finds if hasattr(find, "key")), *known.signals}
        learnt.update(self.context.persona.facts_left_out)
        if self.context.contact_name:
            learnt.add("name")
        for about in FACTS_ASKED:
            if about.removeprefix("fact:") in learnt or (about in OF_BUSINESSES and self._is_private()):
                continue
            for text in wording.questions(self.language, about):
                if not self._was_asked(text):
                    return Asked(about, text)
        return None

    def _is_qualified(self) -> bool:
        """Whether the lead qualifies with what this turn adds; what is written in the end may still differ."""
        known, finds = self.context.known, self.reading.finds
        signals = dict(known.signals) | {find.key: find.is_true for find in finds if isinstance(find, SignalFound)}
        counts = Evidence(
            answers={stage: tuple(range(count)) for stage, count in self._counts().items()},
            signals={key: 0 for key, is_true in signals.items() if is_true},
            facts=dict(known.facts) | {find.key: find.value for find in finds if isinstance(find, FactFound)},
        )
        return known.is_qualified or judge(counts, self.context.persona.rules).qualified

    def _counts(self) -> Mapping[str, int]:
        counts: dict[str, int] = {}
        for answer in self.context.known.answers:
            counts[answer.stage] = counts.get(answer.stage, 0) + 1
        for find in self.reading.finds:
            if isinstance(find, AnswerFound):
                counts[find.stage] = counts.get(find.stage, 0) + 1
        return counts

    def _offered_people(self) -> bool:
        """Whether the lead has been told already that a person goes on."""
        return bool(self._has_said(*HANDED))

    # --- Pieces ---
    def _decide(self, bubbles: Iterable[str], *, greets: bool = True, **fields: object) -> Decision:
        texts = [text for text in bubbles if text]
        if texts and greets and self.context.is_first_reply:
            who = wording.disclosure(self.context, self.language)
            if not GREETS.match(fold(who)):
                texts[0] = _joined(self.say("hello", name=self._name()), texts[0])
            if who:
                texts.insert(0, who)
        return Decision(
            bubbles=tuple(texts),
            intent=self.reading.intent,
            language=self.language,
            finds=self.reading.finds,
            brain="playbook",
            **fields,  # type: ignore[arg-type]
        )

    def _name(self) -> str:
        given = str(self.context.known.facts.get("name") or self.context.contact_name)
        name = "" if sift(given).orders else given.split(" ", maxsplit=1)[0]
        return f", {name}" if name.isalpha() and len(name) <= NAME_CHARS else ""

    def _business(self) -> str:
        return self.context.company or self.context.persona.name

    def _back(self) -> str:
        when = self.context.back_at
        return self.say("back", when=in_words(when, self.context.now, self.language)) if when else ""

    def _told(self, offer: Offer) -> str:
        """A price; its conditions only to those who read the org's language."""
        conditions = f" ({offer.conditions.rstrip('.')})" if offer.conditions and self._speaks_as_written() else ""
        return f"{offer.name}: {offer.price}{conditions}."

    def _speaks_as_written(self) -> bool:
        """Whether the lead is answered in the language the org wrote its own words in."""
        return self.context.persona.language in {"", self.language}


def pending(context: Context) -> str:
    """What the lead answers to: what our newest words ask for, "" when they ask nothing."""
    asked = context.known.asked
    newest_words = next((line.text for line in reversed(context.lines) if line.author != "lead"), None)
    if not asked or (newest_words is not None and asked[-1].text not in newest_words):
        return ""
    return asked[-1].about


def newest(lines: Sequence[Line]) -> tuple[list[Line], str]:
    """The lead's lines since our last one, and what we had said before them ("" when nothing)."""
    since: list[Line] = []
    for line in reversed(lines):
        if line.author != "lead":
            return since[::-1], line.text
        since.append(line)
    return since[::-1], ""


def _joined(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _quoted(snippet: Snippet) -> str:
    """A passage as it is told: orders to the machine in it are not passed on."""
    text = " ".join(sift(snippet.text).honest.split())
    if len(text) <= QUOTED_CHARS:
        return text
    cut = text[:QUOTED_CHARS]
    end = max(cut.rfind(". "), cut.rfind("; "), cut.rfind("! "))
    return cut[: end + 1] if end > 0 else cut[: cut.rfind(" ")] + "…"


def in_words(at: datetime, now: datetime | None, language: str) -> str:
    """ "9h", "tomorrow at 9:00", "2/12 at 9:00": when people are back, in the lead's words."""
    clock = f"{at:%H:%M}"
    days = (at.date() - now.date()).days if now else 0
    day = {"pt-br": f"{at.day}/{at.month}", "es": f"{at.day}/{at.month}", "en": f"{at:%B} {at.day}"}
    near = {"pt-br": ("hoje", "amanhã"), "es": ("hoy", "mañana"), "en": ("today", "tomorrow")}
    joint = {"pt-br": "às", "es": "a las", "en": "at"}
    language = language if language in day else "pt-br"
    named = near[language][days] if 0 <= days < len(near[language]) else day[language]
    return f"{named} {joint[language]} {clock}"
