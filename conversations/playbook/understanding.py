"""What a lead's turn says: language, intent, wishes, stage answers, signals, yes or no. Pure; no network, no Django.

`understand` reads one turn (every lead message since the agent's last one, a line each) with the agent's message before
as context. Whatever is found is quoted verbatim with its place in the text. Orders to the machine are taken out first
and change nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from conversations.playbook import slots
from conversations.playbook.facts import Fact
from conversations.playbook.facts import find as find_facts
from conversations.playbook.injection import Sifted, sift
from conversations.playbook.model import Model
from conversations.playbook.model import model as shipped_model
from conversations.playbook.replies import YesNo, yes_or_no
from conversations.playbook.signals import SignalSpan, signals
from conversations.playbook.stages import StageAnswer, answers
from conversations.playbook.wishes import DOUBTFUL, Wish, is_first_word, wishes
from conversations.ports import Slot


class Intent(StrEnum):
    """What the lead wants; when several fit, the first in this order wins (evals/README)."""

    OPT_OUT = "opt_out"
    WANTS_HUMAN = "wants_human"
    OFF_TOPIC = "off_topic"
    CANCEL = "cancel"
    RESCHEDULE = "reschedule"
    CHOOSE_SLOT = "choose_slot"
    WANTS_MEETING = "wants_meeting"
    NOT_INTERESTED = "not_interested"
    OBJECTION = "objection"
    QUESTION = "question"
    ANSWER = "answer"
    THANKS = "thanks"
    GREETING = "greeting"


@dataclass(frozen=True)
class Understanding:
    """What was understood. `intents`: probability per intent. `reply`: yes or no to what was asked."""

    language: str
    intent: Intent
    intents: Mapping[str, float]
    opt_out: Wish
    wants_human: Wish
    answers: tuple[StageAnswer, ...]
    signals: tuple[SignalSpan, ...]
    reply: YesNo | None
    slot: slots.SlotAnswer | None
    sifted: Sifted
    facts: tuple[Fact, ...] = ()
    known: Mapping[str, Any] = field(default_factory=dict)  # what was known before, as given

    @property
    def is_attack(self) -> bool:
        """The text orders the machine about; what is understood is of the honest rest."""
        return bool(self.sifted.orders)


def understand(
    text: str,
    *,
    question: str = "",
    language: str | None = None,
    offered: Sequence[Slot] = (),
    now: datetime | None = None,
    time_zone: str = "America/Sao_Paulo",
    known: Mapping[str, Any] | None = None,
    model: Model | None = None,
) -> Understanding:
    """Understand one turn of a lead.

    In: the turn's text, the agent's message before ("" for none), the language spoken so far if known (`pt-BR`, `en`,
    `es`), the slots on offer with `now` aware (needed to read an answer to them), and the facts known already.
    """
    reader = model or shipped_model()
    sifted = sift(text)
    honest = sifted.honest
    scores = reader.scores(honest, question)
    spoken = _language(honest, scores["language"], language)
    if sifted.is_only_orders:
        return Understanding(
            spoken, Intent.OFF_TOPIC, {Intent.OFF_TOPIC: 1.0}, False, False, (), (), None, None, sifted, (), known or {}
        )
    wanted = dict(wishes(honest, question, reader))
    if scores["intent"][Intent.GREETING] >= CLEAR:
        wanted = {wish: False if said == DOUBTFUL else said for wish, said in wanted.items()}
    slot = None
    if offered and now is not None:
        slot = slots.read(honest, offered, now=now.astimezone(ZoneInfo(time_zone)))
    intent = Intent.GREETING if is_first_word(honest, question) else _intent(scores["intent"], wanted, slot)
    return Understanding(
        spoken,
        intent,
        scores["intent"],
        wanted["opt_out"],
        wanted["wants_human"],
        tuple(answers(honest, question, reader)),
        tuple(signals(honest, question, reader)),
        yes_or_no(honest),
        slot,
        sifted,
        tuple(find_facts(honest, question=question, language=spoken, known=known, tagger=reader.spans)),
        known or {},
    )


SLOT_INTENTS = {
    slots.Outcome.TAKES: Intent.CHOOSE_SLOT,
    slots.Outcome.ASKS_OTHER: Intent.WANTS_MEETING,
    slots.Outcome.UNCLEAR: Intent.ANSWER,
}
BEFORE_SLOTS = frozenset({Intent.OFF_TOPIC, Intent.CANCEL, Intent.RESCHEDULE})
CLEAR = 0.6  # what an intent other than the slots' must have to win where slots were read
ANSWER_WEIGHT = 0.5  # most of what is trained on are answers: without it 1 to 3 points of unread messages are lost
LANGUAGE_PRIOR = 0.35  # added to the language spoken so far


def _intent(scores: Mapping[str, float], wanted: Mapping[str, Wish], slot: slots.SlotAnswer | None) -> Intent:
    if wanted["opt_out"] is True:
        return Intent.OPT_OUT
    if wanted["wants_human"] is True:
        return Intent.WANTS_HUMAN
    scores = {name: score * (ANSWER_WEIGHT if name == Intent.ANSWER else 1.0) for name, score in scores.items()}
    best = Intent(max(scores, key=lambda name: scores[name]))
    if slot is not None and slot.outcome in SLOT_INTENTS:
        clearly_else = best in BEFORE_SLOTS and scores[best] >= CLEAR
        if not clearly_else or slot.outcome is slots.Outcome.TAKES:
            return SLOT_INTENTS[slot.outcome]
    if slot is not None and best is Intent.CHOOSE_SLOT:
        return Intent.ANSWER  # the resolver found no slot that was taken
    if best is Intent.OPT_OUT and wanted["opt_out"] is not DOUBTFUL:
        rest = {name: score for name, score in scores.items() if name != best}
        return Intent(max(rest, key=lambda name: rest[name]))
    return best


def _language(text: str, scores: Mapping[str, float], spoken: str | None) -> str:
    if not any(sign.isalpha() for sign in text):
        return spoken or max(scores, key=lambda name: scores[name])
    return max(scores, key=lambda name: scores[name] + (LANGUAGE_PRIOR if name == spoken else 0.0))
