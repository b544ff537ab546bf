"""A talk of two answers as an agent would hold it: the offline brain, the guards, no database, nothing kept."""

from dataclasses import dataclass, replace
from datetime import datetime

from conversations import handoff, transcript, turns, vetting
from conversations.models import AgentVersion
from conversations.playbook import brain
from conversations.ports import Context, Decision, Known, Line

# What a lead says: a first question, then a trouble of theirs.
SAID = {
    "pt-br": (
        "Oi! Vi o anúncio de vocês. Como funciona?",
        "Perdemos pedidos toda semana.",
    ),
    "en": (
        "Hi! I saw your ad. How does it work?",
        "We lose orders every week.",
    ),
    "es": (
        "¡Hola! Vi su anuncio. ¿Cómo funciona?",
        "Perdemos pedidos cada semana.",
    ),
}
NAME = "Marina"


@dataclass(frozen=True)
class Said:
    """`is_lead`, or the agent."""

    is_lead: bool
    text: str


def talk(version: AgentVersion, *, company: str, now: datetime) -> list[Said]:
    """The sample. In: a version, saved or not; `now` aware. Milliseconds of CPU."""
    said: list[Said] = []
    lines: list[Line] = []
    known = Known()
    for text in SAID.get(version.language, SAID["pt-br"]):
        lines.append(Line(len(lines) + 1, "lead", text, now))
        decision = _answer(version, company=company, now=now, lines=lines, known=known)
        said.append(Said(True, text))
        for bubble in turns.gathered(decision.bubbles, version.bubbles_at_most):
            said.append(Said(False, bubble))
            lines.append(Line(len(lines) + 1, "ai", bubble, now))
        known = replace(known, asked=(*known.asked, decision.asks) if decision.asks else known.asked)
    return said


def _answer(version: AgentVersion, *, company: str, now: datetime, lines: list[Line], known: Known) -> Decision:
    context = Context(
        lines=tuple(lines),
        language=version.language,
        business=version.business,
        company=company,
        disclosure=transcript.disclosure(version, version.language, company=company),
        is_first_reply=len(lines) == 1,
        persona=transcript.persona(version),
        known=known,
        contact_name=NAME,
        now=now,
    )
    return vetting.vetted(context, handoff.handed(context, brain.decide(context)))
