"""What a lead revealed, written with its receipt; and what people correct, which stays corrected (PRODUCT 2, SPIN).

Everything here runs with the conversation's row locked. A find without its words in the message is refused: neither a
model nor a rule may make up what a lead has said.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.utils import timezone

from conversations import policy
from conversations.events import record
from conversations.models import (
    AgentVersion,
    Answer,
    Contact,
    Conversation,
    EventName,
    Fact,
    FactKey,
    Message,
    Qualification,
    Signal,
    Turn,
)
from conversations.models.evidence import Receipt
from conversations.ports import AnswerFound, FactFound, Found, SignalFound
from conversations.qualification import STAGES, Disqualifier, Evidence, Rules, SignalKey, Verdict, judge

LONGEST_VALUE_CHARS = 500


@dataclass(frozen=True)
class Refused:
    """A find that was not written, and why: not_in_message, unknown_kind, of_another, corrected, not_wanted, enough."""

    found: Found
    why: str


@dataclass(frozen=True)
class Span:
    """Where in a message the words stand."""

    message: Message
    quote: str
    start: int
    end: int


@dataclass(frozen=True)
class Current:
    """The rows that count: answers oldest first, signals and facts by key."""

    answers: tuple[Answer, ...]
    signals: Mapping[str, Signal]
    facts: Mapping[str, Fact]

    @property
    def evidence(self) -> Evidence:
        """What `judge` takes: of the signals only those that are there."""
        answers: dict[str, list[int]] = defaultdict(list)
        for row in self.answers:
            answers[row.stage].append(row.pk)
        return Evidence(
            answers={stage: tuple(rows) for stage, rows in answers.items()},
            signals={key: row.pk for key, row in self.signals.items() if row.is_true},
            facts={key: row.value for key, row in self.facts.items()},
        )


def write(
    conversation: Conversation,
    finds: Iterable[Found],
    *,
    turn: Turn | None = None,
    agent: AgentVersion | None = None,
) -> list[Refused]:
    """Write what was found in the lead's messages; safe to repeat. Out: what was refused.

    In: `agent`, whose settings say which facts, and how many answers of a stage, are kept.
    """
    finds = list(finds)
    messages = {
        message.pk: message
        for message in conversation.messages.filter(
            pk__in={find.message_id for find in finds}, author=Message.Author.LEAD, deleted_at=None
        )
    }
    refused: list[Refused] = []
    for find in finds:
        message = messages.get(find.message_id)
        if message is None:
            refused.append(Refused(find, "of_another"))
            continue
        span = locate(message, find.quote)
        if span is None:
            refused.append(Refused(find, "not_in_message"))
            continue
        why = _unwanted(conversation, find, agent) or _write_one(conversation, find, span, turn)
        if why:
            refused.append(Refused(find, why))
    return refused


def locate(message: Message, quote: str) -> Span | None:
    """Where the words stand in the message's text or transcript, as it wrote them; None when they do not."""
    quote = quote.strip()
    if not quote:
        return None
    for text in (message.text, message.transcript):
        start = text.find(quote)
        if start < 0 and len(text.casefold()) == len(text):
            start = text.casefold().find(quote.casefold())
        if start >= 0:
            end = start + len(quote)
            return Span(message, text[start:end], start, end)
    return None


def is_new_in(turn: Turn) -> bool:
    """Whether anything was written from this turn."""
    return any(model._default_manager.filter(turn=turn).exists() for model in (Answer, Fact, Signal))


def review(message: Message) -> bool:
    """After an edit or a deletion: end the AI's evidence whose words are gone. Out: whether anything ended."""
    ended = False
    for model in (Answer, Fact, Signal):
        for row in model._default_manager.filter(message=message, ended_at=None, author=Receipt.Author.AI):
            if message.deleted_at is None and locate(message, row.quote) is not None:
                continue
            model._default_manager.filter(pk=row.pk).update(ended_at=timezone.now())
            ended = True
    return ended


def strike(row: Answer | Fact | Signal, *, person_id: int) -> None:
    """A person says that this does not count. It never comes back by itself."""
    type(row)._default_manager.filter(pk=row.pk).update(ended_at=timezone.now(), ended_by=person_id)


def set_fact(conversation: Conversation, key: str, value: str | int | bool, *, person_id: int) -> Fact:
    """A person says what is so; the AI does not change it any more. Raises ValueError for a key that is none."""
    if key not in FactKey.values:
        raise ValueError(key)
    _end(Fact.objects.filter(contact_id=conversation.contact_id, key=key))
    return Fact.objects.create(
        conversation=conversation, contact_id=conversation.contact_id, key=key, value=value,
        author=Receipt.Author.PERSON, person_id=person_id,
    )  # fmt: skip


def set_signal(conversation: Conversation, key: SignalKey, is_true: bool, *, person_id: int) -> Signal:
    """A person says whether the signal is there; the AI does not change it any more."""
    _end(Signal.objects.filter(conversation=conversation, key=key))
    return Signal.objects.create(
        conversation=conversation, key=key, is_true=is_true, author=Receipt.Author.PERSON, person_id=person_id
    )


def join_facts(keep: Contact, other: Contact) -> None:
    """Two contacts become one: of two facts of one sort a person's stands, else the newer. Both are locked."""
    theirs = {fact.key: fact for fact in Fact.objects.filter(contact=other, ended_at=None)}
    for ours in Fact.objects.filter(contact=keep, ended_at=None, key__in=theirs):
        _end(Fact.objects.filter(pk=_weaker(ours, theirs[ours.key]).pk))
    Fact.objects.filter(contact=other).update(contact=keep)


def join_answers(keep: Conversation, other: Conversation) -> bool:
    """Two conversations become one: what was found in `other` counts in `keep`. Both are locked. Out: was there any."""
    theirs = {signal.key: signal for signal in Signal.objects.filter(conversation=other, ended_at=None)}
    for ours in Signal.objects.filter(conversation=keep, ended_at=None, key__in=theirs):
        _end(Signal.objects.filter(pk=_weaker(ours, theirs[ours.key]).pk))
    moved = [
        model._default_manager.filter(conversation=other).update(conversation=keep) for model in (Answer, Fact, Signal)
    ]
    return any(moved)


def _weaker(one: Fact | Signal, another: Fact | Signal) -> Fact | Signal:
    """Which of two of one sort gives way."""
    return min(one, another, key=lambda row: (row.author == Receipt.Author.PERSON, row.created_at, row.pk))


def rules_of(agent: AgentVersion) -> Rules:
    """What an agent version asks of a lead."""
    return Rules(
        needed=agent.answers_needed,
        points=agent.stage_points,
        signal_points=agent.signal_points,
        threshold=agent.threshold,
        disqualifiers=tuple(
            Disqualifier(rule["fact"], rule["test"], str(rule.get("value", "")), rule.get("points"))
            for rule in agent.disqualifiers
        ),
    )


def current(conversation: Conversation, *, with_messages: bool = False) -> Current:
    """What counts now: answers and signals of the conversation, facts of its contact. Three queries.

    `with_messages` reads each row's message as well, for those who show it.
    """
    rows: list[Any] = [
        Answer.objects.filter(conversation=conversation, ended_at=None),
        Signal.objects.filter(conversation=conversation, ended_at=None),
        Fact.objects.filter(contact_id=conversation.contact_id, ended_at=None),
    ]
    answers, signals, facts = (
        (found.select_related("message") if with_messages else found).order_by("pk") for found in rows
    )
    return Current(
        answers=tuple(answers),
        signals={row.key: row for row in signals},
        facts={row.key: row for row in facts},
    )


def of(conversation: Conversation) -> Evidence:
    """What counts now, as `qualification.judge` takes it."""
    return current(conversation).evidence


def requalify(conversation: Conversation, agent: AgentVersion, *, found: Current | None = None) -> Verdict:
    """Judge the lead anew and keep the verdict; a change is recorded as session.updated.v1.

    In: `found`, what counts now, where it was read already.

    A correction that lowers the score un-qualifies; what was booked meanwhile is nobody's business here.
    """
    verdict = judge((found or current(conversation)).evidence, rules_of(agent))
    kept, made = Qualification.objects.get_or_create(conversation=conversation)
    before = (kept.stage, kept.score, kept.is_qualified)
    now = timezone.now()
    if verdict.qualified and not kept.is_qualified:
        kept.qualified_at = now
    kept.stage, kept.score, kept.is_qualified = verdict.stage, verdict.score, verdict.qualified
    kept.points = [
        {"about": point.about, "amount": str(point.amount), "rows": list(point.rows)} for point in verdict.points
    ]
    kept.ruled_out_by, kept.agent_version_id, kept.updated_at = list(verdict.ruled_out_by), agent.pk, now
    kept.save()
    if made or before != (kept.stage, kept.score, kept.is_qualified):
        record(
            conversation, EventName.SESSION_UPDATED, stage=verdict.stage, score=verdict.score,
            threshold=agent.threshold, qualified=verdict.qualified,
        )  # fmt: skip
    return verdict


def _unwanted(conversation: Conversation, find: Found, agent: AgentVersion | None) -> str:
    """Why the agent keeps no such find, "" when it does."""
    if agent is None:
        return ""
    if isinstance(find, FactFound):
        return "not_wanted" if find.key in agent.facts_left_out else ""
    most = agent.answers_at_most.get(find.stage) if isinstance(find, AnswerFound) and not find.replaces else None
    if not most or not isinstance(find, AnswerFound):
        return ""
    counted = Answer.objects.filter(conversation=conversation, stage=find.stage, ended_at=None).count()
    return "enough" if counted >= most else ""


def _write_one(conversation: Conversation, find: Found, span: Span, turn: Turn | None) -> str:
    receipt: dict[str, Any] = {
        "conversation": conversation, "message": span.message, "quote": span.quote, "start": span.start,
        "end": span.end, "confidence": min(1.0, max(0.0, find.confidence)), "turn": turn,
    }  # fmt: skip
    match find:
        case AnswerFound():
            return _write_answer(find, span, receipt)
        case FactFound():
            return _write_fact(find, receipt)
        case SignalFound():
            return _write_signal(find, receipt)


def _write_answer(find: AnswerFound, span: Span, receipt: dict[str, Any]) -> str:
    if find.stage not in STAGES:
        return "unknown_kind"
    conversation = receipt["conversation"]
    same_words = Answer.objects.filter(
        conversation=conversation, stage=find.stage, message=span.message, start__lt=span.end, end__gt=span.start
    )
    if same_words.exists():  # already counted, or struck out
        return "corrected" if same_words.filter(ended_by__isnull=False).exists() else ""
    if find.replaces:
        _end(Answer.objects.filter(conversation=conversation, pk__in=find.replaces, author=Receipt.Author.AI))
    Answer.objects.create(stage=find.stage, **receipt)
    return ""


def _write_fact(find: FactFound, receipt: dict[str, Any]) -> str:
    if find.key not in FactKey.values:
        return "unknown_kind"
    value = find.value[:LONGEST_VALUE_CHARS] if isinstance(find.value, str) else find.value
    rows = Fact.objects.filter(contact_id=receipt["conversation"].contact_id, key=find.key)
    struck_out = rows.filter(ended_by__isnull=False)
    if any(_same(row.value, value) for row in struck_out) or _is_a_persons(rows):
        return "corrected"
    current = rows.filter(ended_at=None).first()
    if current is not None and _same(current.value, value):
        return ""
    _end(rows)
    # Another conversation of the same contact may write at the same moment: one of them stands.
    fact = Fact(contact_id=receipt["conversation"].contact_id, key=find.key, value=value, **receipt)
    Fact.objects.bulk_create([fact], ignore_conflicts=True)
    return ""


def _write_signal(find: SignalFound, receipt: dict[str, Any]) -> str:
    if find.key not in set(SignalKey):
        return "unknown_kind"
    rows = Signal.objects.filter(conversation=receipt["conversation"], key=find.key)
    if rows.filter(ended_by__isnull=False, is_true=find.is_true, message=receipt["message"]).exists():
        return "corrected"
    if _is_a_persons(rows):
        return "corrected"
    current = rows.filter(ended_at=None).first()
    if current is not None and current.is_true == find.is_true:
        return ""
    _end(rows)
    Signal.objects.create(key=find.key, is_true=find.is_true, **receipt)
    return ""


def _end(rows: Any) -> None:
    rows.filter(ended_at=None).update(ended_at=timezone.now())


def _is_a_persons(rows: Any) -> bool:
    return bool(rows.filter(Q(ended_at=None), author=Receipt.Author.PERSON).exists())


def _same(one: object, other: object) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return policy.folded(one) == policy.folded(other)
    return type(one) is type(other) and one == other
