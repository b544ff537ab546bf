"""Leads with a will of their own: each draws its words from a seed and answers the question it was really asked. Pure.

A cooperative lead answers in whole sentences, tells things unasked, asks back, objects once, corrects itself and does
not know everything. The others (UNCOOPERATIVE of all) are terse, hostile, off topic, ask for the price first, or fall
silent (issue "The brain", 8).
"""

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from conversations.playbook.text import fold
from conversations.simulation import words_en, words_es, words_pt
from conversations.simulation.companies import ROTA, SOL, Company

UNCOOPERATIVE = 0.3
HOME_SHARE = 0.3  # of the cooperative Portuguese ones: private people who write to the solar company
LEAVING_SHARE = 0.4  # of the hostile
LONGEST_TALK = 32  # of our messages: who is still asked then has been asked enough
VOICES = {"pt-br": words_pt, "en": words_en, "es": words_es}
LANGUAGES = tuple(VOICES)

# What a question asks for, by its words, tried in this order; else by the stage it was asked for.
ASKED = {
    "kind": r"casa ou|comercio\?",
    "bill": r"conta de luz\b.*\?|quanto costuma vir",
    "owned": r"proprio ou|alugado",
    "uses": r"consome|consumo",
    "people": r"quantas pessoas|quem mais trabalha|how many people|cuantas personas",
    "volume": r"volume|volumen|quantos pedidos|how many orders|cuantos pedidos|por mes\b.*\?|a month\?|al mes\?",
    "tool": r"ferramenta|fornecedor|sistema|tool|supplier|herramienta|proveedor",
    "name": r"te chamar|seu nome|call you|your name|te llamas|tu nombre",
    "company": r"nome da (?:sua )?(?:empresa|loja|neg)|company|nombre de (?:la|tu) (?:empresa|tienda)",
}
ABOUT = {
    "situation": "process", "problem": "problem", "implication": "implication", "need_payoff": "payoff",
    "fact:name": "name", "fact:company": "company", "fact:timeline": "timeline",
    "fact:decision_maker": "decision_maker", "fact:budget": "budget", "satisfaction": "rate",
}  # fmt: skip
OF_A_PERSON = frozenset({"company", "people", "tool"})  # what a private person cannot answer


class Kind(StrEnum):
    """How a lead behaves."""

    COOPERATIVE = "cooperative"
    TERSE = "terse"
    HOSTILE = "hostile"
    OFF_TOPIC = "off_topic"
    PRICE_FIRST = "price_first"
    SILENT = "silent"


@dataclass(frozen=True)
class Scene:
    """Who a lead is: the facts that its words are filled with."""

    facts: Mapping[str, str]
    is_private: bool

    def fill(self, text: str) -> str:
        return text.format(**self.facts)


class Lead:
    """One lead. `opens` gives the first messages, `answers` what follows to each of ours; None: no more."""

    def __init__(self, number: int, kind: Kind, language: str, *, seed: int, company: Company) -> None:
        self.number, self.kind, self.language, self.company = number, kind, language, company
        self.dice = random.Random(f"lead {seed}:{number}")  # noqa: S311  # play, no secret
        self.voice = VOICES[language]
        self.scene = self._scene()
        self.words = self._words()
        self.used: set[str] = set()
        self.turn = 0
        self.ended = ""  # why it writes no more
        self.was_asked: list[str] = []  # topics, in order
        self.wants_out = kind is Kind.HOSTILE and self.dice.random() < LEAVING_SHARE
        self.has_left = False  # it has asked to be left alone
        self.plan = self._plan()

    @property
    def name(self) -> str:
        """As WhatsApp shows it: a name, or for some nothing that is one."""
        return self.scene.facts["name"] if self.number % 3 else ""

    def opens(self) -> list[str]:
        match self.kind:
            case Kind.HOSTILE:
                return [self._pick("opens") if self.dice.random() < 0.5 else self._own(self.voice.HOSTILE)]
            case Kind.OFF_TOPIC:
                return [self._own(self.voice.OFF_TOPIC)]
            case Kind.PRICE_FIRST:
                return [self._own(self.voice.PRICE_FIRST) if self.dice.random() < 0.6 else self._pick("ask_price")]
        tells = not self.scene.is_private and self.kind is Kind.COOPERATIVE and self.dice.random() < 0.35
        return [self._pick("opens_telling" if tells else "opens")]

    def answers(self, said: str, about: str) -> list[str] | None:
        """The lead's next messages after ours. `about`: what we asked for, "" for nothing."""
        self.turn += 1
        if self.turn > LONGEST_TALK:
            return self._end("asked too long")
        match self.kind:
            case Kind.SILENT if self.turn > self.plan.get("silent", 1):
                return self._end("fell silent")
            case Kind.HOSTILE:
                return self._hostile(about)
            case Kind.OFF_TOPIC:
                return self._off_topic(said, about)
            case Kind.PRICE_FIRST if self.turn <= self.plan["insists"] and not re.search(r"\d{3}", said):
                return [self._own(self.voice.PRICE_FIRST)]
        return self._talk(said, about)

    # --- What each kind does ---
    def _talk(self, said: str, about: str) -> list[str] | None:
        if about == "confirm:opt_out":
            return [self._pick("no")]
        if about == "confirm:human":
            return [self._pick("no")]
        if "?" not in said:
            return self._closes(said)
        topic = topic_of(said, about)
        if topic in OF_A_PERSON and self.scene.is_private:
            topic = "other"
        self.was_asked.append(topic)
        if self.plan.get("dont_know") == self.turn:
            return [self._pick("dont_know")]
        if self.plan.get("object") == self.turn:
            return [self._pick("object")]
        if topic == "people" and self.plan.get("correct") and self.turn > 1:
            self.plan["corrects_at"] = self.turn + 1
        answer = self._pick(topic)
        if self.plan.get("corrects_at") == self.turn:
            return [f"{answer}. {self._pick('correct_people')}"]
        if self.plan.get("ask_known") == self.turn:
            return [f"{answer}. {self._pick('ask_known')}"]
        if self.plan.get("ask_price") == self.turn:
            return [self._pick("ask_price")]
        if self.plan.get("ask_unknown") == self.turn:
            return [answer, self._pick("ask_unknown")]
        if self.plan.get("tells") == self.turn and topic == "problem":
            return [answer, self._pick("implication")]
        return [answer]

    def _closes(self, said: str) -> list[str] | None:
        """We asked nothing: the lead thanks, perhaps asks one thing more, and leaves."""
        if self.plan.pop("after", None):
            ask = self._pick("ask_known")
            return [self._pick("after").format(ask=ask) if "after" in self.words else ask]
        if self.plan.pop("thanks", None):
            return [self._pick("closing")]
        return self._end("nothing was asked")

    def _hostile(self, about: str) -> list[str] | None:
        if about == "confirm:opt_out":
            self.has_left = True
            return [self._pick("yes")]
        if self.turn > self.plan["insults"]:
            return self._end("had enough")
        if self.wants_out and self.turn == self.plan["insults"]:
            self.has_left = True
            return [self._own(self.voice.LEAVES)]
        return [self._own(self.voice.HOSTILE)]

    def _off_topic(self, said: str, about: str) -> list[str] | None:
        if self.turn > self.plan["strays"]:
            return self._end("got bored")
        if "?" in said and self.dice.random() < 0.25:
            return [self._pick(topic_of(said, about))]
        return [self._own(self.voice.OFF_TOPIC)]

    def _end(self, why: str) -> list[str] | None:
        self.ended = why
        return None

    # --- Words ---
    def _pick(self, topic: str) -> str:
        """One way to say it, not said before as long as there is another."""
        ways = self.words.get(topic) or self.words["other"]
        return self._own(ways)

    def _own(self, ways: Sequence[str]) -> str:
        fresh = [way for way in ways if way not in self.used] or list(ways)
        way = self.dice.choice(fresh)
        self.used.add(way)
        return way if "{ask}" in way else self.scene.fill(way)

    def _words(self) -> Mapping[str, Sequence[str]]:
        words = dict(self.voice.WORDS)
        if self.scene.is_private:
            words |= words_pt.HOME
        if self.kind is Kind.TERSE:
            words |= self.voice.TERSE
        return words

    def _scene(self) -> Scene:
        trade, company, tool = self.dice.choice(self.voice.TRADES)
        people = self.dice.randint(3, 14)
        facts = {
            "trade": trade, "company": company, "tool": tool, "people": str(people), "others": str(people - 1),
            "more": str(people + 2), "volume": str(self.dice.randrange(120, 1500, 10)),
            "budget": str(self.dice.randrange(150, 950, 50)), "name": self.dice.choice(self.voice.NAMES),
            "month": self.dice.choice(self.voice.MONTHS),
        }  # fmt: skip
        return Scene(facts, is_private=self.company is SOL)

    def _plan(self) -> dict[str, int]:
        """On which of its turns a lead does what is not asked of it."""
        plan = {
            "insults": self.dice.randint(1, 3), "strays": self.dice.randint(2, 4), "insists": self.dice.randint(1, 2),
            "silent": self.dice.randint(0, 2),
        }  # fmt: skip
        if self.kind is Kind.TERSE:
            if self.dice.random() < 0.5:
                plan["dont_know"] = self.dice.randint(2, 6)
            return plan
        turns = self.dice.sample(range(2, 10), 6)
        deeds = ("dont_know", "object", "ask_known", "ask_price", "ask_unknown", "tells")
        chances = (0.5, 0.5, 0.6, 0.4, 0.4, 0.5)
        plan |= {
            deed: at for deed, at, chance in zip(deeds, turns, chances, strict=True) if self.dice.random() < chance
        }
        for deed, chance in (("correct", 0.5), ("after", 0.4), ("thanks", 0.8)):
            if self.dice.random() < chance:
                plan[deed] = 1
        return plan


def topic_of(said: str, about: str) -> str:
    """What the question in our message is about, by its own words first."""
    question = fold(" ".join(re.findall(r"[^.!?]*\?", said)))
    if about in ABOUT and not about.startswith(("fact:", "situation")):
        return ABOUT[about]
    for topic, words in ASKED.items():
        if re.search(words, question):
            return topic
    return ABOUT.get(about, "other")


def crowd(n: int, *, seed: int, language: str = "") -> list[Lead]:
    """`n` leads: UNCOOPERATIVE of them of the five other kinds in turn; half speak Portuguese by default."""
    dice = random.Random(f"crowd {seed}")  # noqa: S311  # play, no secret
    odd = [kind for kind in Kind if kind is not Kind.COOPERATIVE]
    hard = round(n * UNCOOPERATIVE)
    kinds = [odd[place % len(odd)] for place in range(hard)] + [Kind.COOPERATIVE] * (n - hard)
    leads = []
    for number, kind in enumerate(kinds):
        spoken = language or ("pt-br", "en", "pt-br", "es")[(number + number // 20) % 4]
        at_home = kind is Kind.COOPERATIVE and spoken == "pt-br" and dice.random() < HOME_SHARE
        leads.append(Lead(number, kind, spoken, seed=seed, company=SOL if at_home else ROTA))
    return leads
