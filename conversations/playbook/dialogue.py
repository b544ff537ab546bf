"""What the offline brain says next: pure, from the context and a reading of the lead's newest messages (PRODUCT 2).

It answers what was asked, asks one SPIN question at a time and never the same one twice, hands over gracefully, and
stops when there is nothing left to say. What the lead's words mean is `understanding`'s business.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from conversations.playbook import wording
from conversations.playbook.text import fold
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
CONFIRM_OPT_OUT, CONFIRM_HUMAN, SATISFACTION = "confirm:opt_out", "confirm:human", "satisfaction"
FACTS_ASKED = ("fact:name", "fact:company", "fact:timeline", "fact:decision_maker", "fact:budget")
FACT_AFTER_ANSWERS = 2  # a question about the person may come between, once they have told this much


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
    unreadable: str = ""  # "voice" or "file": came without anything we can read
    rating: int | None = None
    knows_answer: bool = False  # the snippets of the context answer what was asked
    priced: tuple[Offer, ...] = ()  # offers whose price the lead asks for
    objection: str = ""  # the org's own answer to the objection raised, if it has one


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
        return wording.say(self.language, key, seed=self.seed, avoid=self.said, **filled)

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
        if reading.opt_out is None and pending != CONFIRM_OPT_OUT:
            return self._confirm(CONFIRM_OPT_OUT, "confirm_opt_out", Wish.DOUBTFUL_OPT_OUT)
        if reading.wants_human is None and pending != CONFIRM_HUMAN:
            return self._confirm(CONFIRM_HUMAN, "confirm_human", Wish.DOUBTFUL_HUMAN)
        return None

    def _confirm(self, about: str, key: str, wish: Wish) -> Decision:
        text = self.say(key)
        return self._decide([text], wish=wish, asks=Asked(about, text))

    def _pending(self) -> str:
        asked = self.context.known.asked
        return asked[-1].about if asked else ""

    def _was_handed_over(self) -> bool:
        return any(text in self.said for text in wording.SAY[self._spoken()]["human"])

    # --- Ends ---
    def close(self) -> Decision | None:
        """Polite ends: nothing is asked any more."""
        reading = self.reading
        if reading.rating is not None and self._pending() == SATISFACTION:
            return self._decide([self.say("rated")], rating=reading.rating)
        if reading.is_hostile:
            return self._decide([self.say("hostile")], handoff="hostile", greets=False)
        if reading.intent == "not_interested":
            return self._decide([self.say("not_interested")], greets=False)
        if reading.intent == "off_topic":
            return self._decide([self.say("off_topic", business=self._business())])
        if reading.intent in {"cancel", "reschedule"}:
            return self._decide([self.say("human", back=self._back())], handoff=reading.intent)
        if reading.intent in {"wants_meeting", "choose_slot"}:
            return self._decide([self.say("meeting", back=self._back())], handoff="wants_meeting")
        if reading.intent == "thanks":
            asked_last = bool(self.said) and "?" in self.said[-1]
            return self._decide([] if asked_last or self._thanked() else [self.say("thanks")], greets=False)
        if reading.unreadable and not reading.finds:
            key = "voice_unreadable" if reading.unreadable == "voice" else "unreadable"
            return self._decide([self.say(key)])
        return None

    def _thanked(self) -> bool:
        return any(text in self.said for text in wording.SAY[self._spoken()]["thanks"])

    # --- The conversation itself ---
    def go_on(self) -> Decision:
        """Answer what was asked, acknowledge what was told, and ask the next question."""
        first, passages, handoff = self._answer()
        asks = self._next_question()
        if self._is_qualified() and not self._offered_people():
            text = self.say("qualified", back=self._back())
            return self._decide([_joined(first, text)], handoff="qualified", passages=passages)
        if asks is None:
            if self._offered_people():
                return self._decide([first] if first and passages else [], passages=passages, handoff=handoff)
            text = self.say("wrap_up", back=self._back())
            return self._decide([_joined(first, text)], handoff="talk_complete", passages=passages)
        return self._decide([_joined(first, asks.text)], asks=asks, passages=passages, handoff=handoff)

    def _answer(self) -> tuple[str, tuple[int, ...], str]:
        """What comes before the question; ids of passages quoted; a reason why a person should look."""
        reading = self.reading
        if reading.asks_if_machine:
            return self.say("assistant", company=self._business()), (), ""
        if reading.intent == "question":
            if reading.priced:
                return " ".join(_told(offer) for offer in reading.priced), (), ""
            if reading.knows_answer and self.context.snippets:
                snippet = self.context.snippets[0]
                return _quoted(snippet), (snippet.id,), ""
            return self.say("unknown"), (), "unknown_answer"
        if reading.intent == "objection":
            own = reading.objection if self._speaks_as_written() else ""
            return own or self.say("objection"), (), ""
        if reading.intent == "greeting" or self.context.is_first_reply:
            return "", (), ""
        stages = {find.stage for find in reading.finds if isinstance(find, AnswerFound)}
        if stages & {"problem", "implication"}:
            return self.say("ack_problem"), (), ""
        return self.say("ack_payoff" if "need_payoff" in stages else "ack"), (), ""

    def _next_question(self) -> Asked | None:
        """The first question not asked yet of the first stage that is not complete; sometimes one about the person."""
        known, persona = self.context.known, self.context.persona
        counts = self._counts()
        asked = {fold(one.text) for one in known.asked} | {fold(text) for text in self.said}
        open_stages = [
            stage for stage in STAGES if counts.get(stage, 0) < persona.rules.needed.get(stage, ANSWERS_NEEDED)
        ]
        told = sum(counts.values())
        if told >= FACT_AFTER_ANSWERS and (fact := self._fact_question(asked, told)) is not None:
            return fact
        for stage in open_stages:
            own = tuple(persona.questions.get(stage, ())) if self._speaks_as_written() else ()
            for text in (*own, *wording.questions(self.language, stage)):
                if not any(fold(text) in said or said in fold(text) for said in asked if said):
                    return Asked(stage, text)
        return self._fact_question(asked, told) if open_stages else None

    def _fact_question(self, asked: set[str], told: int) -> Asked | None:
        """One question about the person for every two answers told, in order; never what is known already."""
        known = self.context.known
        used = sum(1 for one in known.asked if one.about.startswith("fact:"))
        if used >= told // FACT_AFTER_ANSWERS or used >= len(FACTS_ASKED):
            return None
        learnt = {*known.facts, *(find.key for find in self.reading.finds if hasattr(find, "key")), *known.signals}
        if self.context.contact_name:
            learnt.add("name")
        for about in FACTS_ASKED:
            if about.removeprefix("fact:") in learnt:
                continue
            for text in wording.questions(self.language, about):
                if fold(text) not in asked:
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
        keys = ("qualified", "wrap_up", "meeting", "human")
        stems = [way.split("{")[0] for key in keys for way in wording.SAY[self._spoken()][key]]
        return any(stem and stem in text for text in self.said for stem in stems)

    # --- Pieces ---
    def _decide(self, bubbles: Iterable[str], *, greets: bool = True, **fields: object) -> Decision:
        texts = [text for text in bubbles if text]
        if texts and greets and self.context.is_first_reply:
            hello = self.say("hello", name=self._name())
            texts[0] = _joined(hello, texts[0])
            if self.context.disclosure:
                texts.insert(0, self.context.disclosure)
        return Decision(
            bubbles=tuple(texts),
            intent=self.reading.intent,
            language=self.language,
            finds=self.reading.finds,
            brain="playbook",
            **fields,  # type: ignore[arg-type]
        )

    def _name(self) -> str:
        name = str(self.context.known.facts.get("name") or self.context.contact_name).split(" ")[0]
        return f", {name}" if name.isalpha() and len(name) <= NAME_CHARS else ""

    def _business(self) -> str:
        return self.context.company or self.context.persona.name

    def _back(self) -> str:
        when = self.context.back_at
        return self.say("back", when=in_words(when, self.context.now, self.language)) if when else ""

    def _speaks_as_written(self) -> bool:
        """Whether the lead is answered in the language the org wrote its own words in."""
        return self.context.persona.language in {"", self.language}

    def _spoken(self) -> str:
        return self.language if self.language in wording.SAY else "pt-br"


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


def _told(offer: Offer) -> str:
    conditions = f" ({offer.conditions.rstrip('.')})" if offer.conditions else ""
    return f"{offer.name}: {offer.price}{conditions}."


def _quoted(snippet: Snippet) -> str:
    text = " ".join(snippet.text.split())
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
