"""Whole conversations in this process: the offline brain and the guards as a turn calls them, without rows or sockets.

What a turn would write is kept as `Known`, by the rules of `evidence`: an answer's words count once for each stage, a
newer fact replaces the older one.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from conversations import knowledge, vetting
from conversations.playbook import brain, search
from conversations.playbook.text import fold
from conversations.ports import (
    AnswerFound,
    Asked,
    Context,
    Decision,
    FactFound,
    Known,
    KnownAnswer,
    Line,
    Offer,
    Persona,
    SignalFound,
    Snippet,
    Wish,
)
from conversations.qualification import Evidence, judge
from conversations.simulation.companies import Company
from conversations.simulation.counts import Said, Talk
from conversations.simulation.personas import Lead

Decide = Callable[[Context], Decision]
BEGAN = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
BETWEEN = timedelta(seconds=40)
CONTEXT_LINES = 20
SNIPPETS = 3


def talk(lead: Lead, *, back_at: datetime | None = None, decide: Decide = brain.decide) -> Talk:
    """The lead and the brain until one of them has nothing more to say. `back_at`: when people are back, if away.

    `decide` is the brain; what it raises ends the talk.
    """
    stage = _Stage(lead, back_at, decide)
    said: list[str] | None = lead.opens()
    while said:
        stage.hears(said)
        reply, about = stage.replies()
        if stage.talk.is_opted_out:
            break
        said = lead.answers(reply, about) if reply else None
    stage.talk.has_left = lead.has_left
    return stage.talk


class _Stage:
    def __init__(self, lead: Lead, back_at: datetime | None, decide: Decide) -> None:
        self.decide = decide
        self.company = lead.company
        self.talk = Talk(lead.number, lead.kind, lead.language, lead.company)
        self.lines: list[Line] = []
        self.snippets = snippets_of(lead.company, lead.language)
        self.index = search.Index([search.Passage(snippet.heading, snippet.text) for snippet in self.snippets])
        self.context = Context(
            lines=(),
            language=lead.company.language,
            business=lead.company.business,
            disclosure=lead.company.disclosure,
            is_first_reply=True,
            persona=persona_of(lead.company),
            offers=offers_of(lead.company),
            contact_name=lead.name,
            company=lead.company.name,
            back_at=back_at,
            conversation_id=lead.number + 1,
        )

    def hears(self, texts: list[str]) -> None:
        for text in texts:
            self.write("lead", text)

    def write(self, author: str, text: str, about: str = "") -> None:
        at = BEGAN + BETWEEN * len(self.lines)
        self.lines.append(Line(len(self.lines) + 1, author, text, at))
        self.talk.lines.append(Said(author, text, about))

    def replies(self) -> tuple[str, str]:
        """What we say, and what it asks for."""
        newest = [line.text for line in self.newest()]
        context = replace(
            self.context,
            lines=tuple(self.lines[-CONTEXT_LINES:]),
            snippets=self.found("\n".join(newest)),
            now=self.lines[-1].at,
        )
        drafted = self.decide(context)
        decision = vetting.vetted(context, drafted)
        self.talk.guarded += [
            f"{note.kind}: {note.text}" for note in decision.guards if note not in drafted.guards
        ]  # fmt: skip
        self.learn(decision)
        for place, text in enumerate(decision.bubbles):
            asks = decision.asks if place == len(decision.bubbles) - 1 else None
            self.write("ai", text, asks.about if asks else "")
        self.talk.is_opted_out = decision.wish is Wish.OPT_OUT
        self.context = replace(
            self.context,
            known=self.asked(decision.asks),
            is_first_reply=self.context.is_first_reply and not decision.bubbles,
            language=decision.language or self.context.language,
        )
        return "\n".join(decision.bubbles), decision.asks.about if decision.asks else ""

    def newest(self) -> list[Line]:
        since: list[Line] = []
        for line in reversed(self.lines):
            if line.author != "lead":
                break
            since.append(line)
        return since[::-1]

    def found(self, text: str) -> tuple[Snippet, ...]:
        hits = [hit for question in knowledge.questions(text) for hit in self.index.find(question, limit=SNIPPETS)]
        hits.sort(key=lambda hit: -hit.confidence)
        return tuple(
            replace(self.snippets[hit.index], answers=hit.confidence >= search.ANSWERABLE) for hit in hits[:SNIPPETS]
        )

    def learn(self, decision: Decision) -> None:
        known = self.context.known
        answers, facts, signals = list(known.answers), dict(known.facts), dict(known.signals)
        for find in decision.finds:
            match find:
                case AnswerFound() if not any(
                    one.stage == find.stage and fold(one.quote) == fold(find.quote) for one in answers
                ):
                    answers.append(KnownAnswer(len(answers) + 1, find.stage, find.quote))
                case FactFound():
                    facts[find.key] = find.value
                case SignalFound():
                    signals[find.key] = find.is_true
        counted: dict[str, list[int]] = {}
        for one in answers:
            counted.setdefault(one.stage, []).append(one.id)
        verdict = judge(
            Evidence(
                answers={name: tuple(ids) for name, ids in counted.items()},
                signals={key: 0 for key, is_true in signals.items() if is_true},
                facts=facts,
            ),
            self.context.persona.rules,
        )
        self.talk.complete, self.talk.is_qualified = tuple(verdict.complete), verdict.qualified
        self.talk.score = verdict.score
        self.context = replace(
            self.context,
            known=replace(
                known, facts=facts, answers=tuple(answers), signals=signals, stage=verdict.stage,
                score=verdict.score, is_qualified=verdict.qualified,
            ),
        )  # fmt: skip

    def asked(self, asks: Asked | None) -> Known:
        known = self.context.known
        return replace(known, asked=(*known.asked, asks)) if asks else known


def persona_of(company: Company) -> Persona:
    """The company's agent, as the brain sees it."""
    return Persona(
        language=company.language,
        questions={stage: list(texts) for stage, texts in company.questions.items()},
        objections=[dict(one) for one in company.objections],
    )


def offers_of(company: Company) -> tuple[Offer, ...]:
    """The catalogue, with prices as they are told."""
    return tuple(
        Offer(number, price.name, "", f"R$ {price.amount:f} / mês", price.conditions)
        for number, price in enumerate(company.prices, start=1)
    )


def snippets_of(company: Company, language: str) -> tuple[Snippet, ...]:
    """Its questions with their answers; of several languages the lead's, which `knowledge` puts first."""
    pairs = company.faq.get(language) or company.faq[company.language]
    return tuple(Snippet(number, title, title, text) for number, (title, text) in enumerate(pairs, start=1))
