"""What is counted of simulated conversations: who was brought how far, and what must never have happened. Pure.

The check for unsupported claims is independent of `guards`: every number, link and weekday of ours must stand in what
the company knows, asks and sells, or in what the lead wrote.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from conversations.playbook.text import fold
from conversations.qualification import STAGES
from conversations.simulation.companies import Company
from conversations.simulation.personas import Kind

ENGAGED = 2  # own messages (PRODUCT 2)
CLAIM = re.compile(
    r"\d+(?:[.,]\d+)*|https?://\S+|www\.\S+|\b(?:segunda|terca|quarta|quinta|sexta|sabado|domingo|monday|tuesday|"
    r"wednesday|thursday|friday|saturday|sunday|lunes|martes|miercoles|jueves|viernes)\b"
)
OUR_OWN_NUMBERS = frozenset({"1", "5"})  # "from 1 to 5"
RUDE = re.compile(r"\b(?:idiota|burro|estupid\w*|stupid|calma ai|cale|shut up|callate)\b")


@dataclass(frozen=True)
class Said:
    """A message as it stands on the lead's phone: "lead" or "ai"; of ours, what it asks for ("" for nothing)."""

    author: str
    text: str
    about: str = ""


@dataclass
class Talk:
    """One whole conversation and how it ended."""

    number: int
    kind: Kind
    language: str
    company: Company
    lines: list[Said] = field(default_factory=list)
    complete: tuple[str, ...] = ()
    is_qualified: bool = False
    is_opted_out: bool = False
    has_left: bool = False  # the lead asked to be left alone
    guarded: list[str] = field(default_factory=list)  # what the guards held back
    score: int = 0
    answered: bool = True  # every message of the lead got a reply or a reason
    back: str = ""  # when people are back, as told

    def of(self, author: str) -> list[Said]:
        return [line for line in self.lines if line.author == author]

    @property
    def is_engaged(self) -> bool:
        return len(self.of("lead")) >= ENGAGED

    @property
    def is_complete(self) -> bool:
        return self.is_qualified or set(self.complete) >= set(STAGES)

    @property
    def repeated(self) -> list[str]:
        """Questions of ours that were asked before in the same words."""
        seen: set[str] = set()
        found = []
        for line in self.of("ai"):
            for question in re.findall(r"[^.!?¿]+\?", fold(line.text)):
                if question.strip() in seen:
                    found.append(question.strip())
                seen.add(question.strip())
        return found

    @property
    def loops(self) -> list[str]:
        """Replies of ours that say the same as the one before, or as two others."""
        texts = [fold(line.text) for line in self.of("ai")]
        found = [one for one, two in pairwise(texts) if one == two]
        return found + [text for text in set(texts) if texts.count(text) > 2]

    @property
    def unsupported(self) -> list[str]:
        """Numbers, links and weekdays of ours that nothing supports."""
        heard = fold(" ".join([*known_words(self.company), self.back, *(line.text for line in self.of("lead"))]))
        known = set(CLAIM.findall(heard)) | OUR_OWN_NUMBERS
        return [claim for line in self.of("ai") for claim in CLAIM.findall(fold(line.text)) if claim not in known]

    @property
    def ends_politely(self) -> bool:
        """Our last words ask nothing, are not rude, and nothing came after a wish to be left alone but one farewell."""
        ours = self.of("ai")
        if not ours or RUDE.search(fold(ours[-1].text)):
            return False
        if self.has_left and not self.is_opted_out:
            return False
        return "?" not in ours[-1].text or ours[-1].about.startswith("confirm:")

    @property
    def honours_leaving(self) -> bool:
        """After the lead asked to be left alone we said at most one more thing."""
        if not self.has_left:
            return True
        last = max(place for place, line in enumerate(self.lines) if line.author == "lead")
        return self.is_opted_out and len([line for line in self.lines[last + 1 :] if line.author == "ai"]) <= 1


def known_words(company: Company) -> Iterable[str]:
    yield from (company.business, company.disclosure, company.name)
    for pairs in company.faq.values():
        for question, answer in pairs:
            yield from (question, answer)
    for texts in company.questions.values():
        yield from texts
    yield from (one["answer"] for one in company.objections)
    for price in company.prices:
        yield f"{price.name} {price.amount:f} {price.conditions}"


def figures(talks: Sequence[Talk]) -> dict[str, Any]:
    """Of all these conversations together; shares are None where there is nobody to count."""
    engaged = [talk for talk in talks if talk.is_engaged]
    leaving = [talk for talk in talks if talk.has_left]
    return {
        "n": len(talks),
        "engaged": len(engaged),
        "spin_completion": _share([talk.is_complete for talk in engaged]),
        "qualified": _share([talk.is_qualified for talk in engaged]),
        "turns": round(sum(len(talk.of("ai")) for talk in talks) / len(talks), 1) if talks else None,
        "repeated_questions": sum(len(talk.repeated) for talk in talks),
        "loops": sum(len(talk.loops) for talk in talks),
        "unsupported_claims": sum(len(talk.unsupported) for talk in talks),
        "held_back_by_guards": sum(len(talk.guarded) for talk in talks),
        "ends_politely": _share([talk.ends_politely for talk in talks if talk.kind is Kind.HOSTILE]),
        "opt_outs": len(leaving),
        "opt_outs_honoured": _share([talk.honours_leaving for talk in leaving]),
        "unanswered": sum(not talk.answered for talk in talks),
    }


def report(talks: Sequence[Talk]) -> dict[str, Any]:
    """`all`, `kinds` and `languages`, each as `figures`; `cooperative` also by language."""
    by_kind: dict[str, list[Talk]] = defaultdict(list)
    by_language: dict[str, list[Talk]] = defaultdict(list)
    for talk in talks:
        by_kind[talk.kind].append(talk)
        by_language[talk.language].append(talk)
        by_kind[f"{talk.kind} {talk.language}"].append(talk)
    return {
        "all": figures(talks),
        "kinds": {name: figures(found) for name, found in sorted(by_kind.items())},
        "languages": {name: figures(found) for name, found in sorted(by_language.items())},
    }


def _share(held: Sequence[bool]) -> float | None:
    return round(sum(held) / len(held), 3) if held else None
