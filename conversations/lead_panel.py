"""What the inbox shows of a lead: how they stand and why, what is known, where they come from (PRODUCT 2, FIELD 4.3).

Every point leads to the words it stands on. Read only; what people change is in `corrections`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from conversations import evidence, follow_ups, settings_of, wording
from conversations.models import Answer, Conversation, Event, Fact, FactKey, Qualification, Signal
from conversations.models.evidence import Receipt
from conversations.qualification import ANSWERS_NEEDED, STAGE_POINTS, STAGES, SignalKey, judge
from orgs.models import Person

PREVIOUS = 5
ACTIVITIES = 12


@dataclass(frozen=True)
class Quote:
    """A receipt: the lead's words, the message they stand in, and who says that they count."""

    row: int
    text: str
    message_id: int | None
    seq: int | None
    by: str
    is_persons: bool


@dataclass(frozen=True)
class StageBlock:
    """One SPIN stage: how many answers it has of how many, and what they are worth."""

    key: str
    label: str
    count: int
    needed: int
    points: str
    most: int
    quotes: tuple[Quote, ...]

    @property
    def is_done(self) -> bool:
        return self.count >= self.needed


@dataclass(frozen=True)
class SignalChip:
    """Budget, urgency, the power to decide. `is_true` None: not known."""

    key: str
    label: str
    is_true: bool | None
    quote: Quote | None


@dataclass(frozen=True)
class FactLine:
    """Something known, or not yet. `shown` is for people, `value` for the field that edits it."""

    key: str
    label: str
    shown: str
    value: str
    choices: tuple[tuple[str, str], ...]
    quote: Quote | None


@dataclass(frozen=True)
class Activity:
    """What happened, when, and whose doing it was."""

    at: datetime
    text: str
    by: str


@dataclass(frozen=True)
class Panel:
    """All sections of the panel, ready for the template."""

    score: int
    threshold: int
    is_qualified: bool
    stage: str
    qualified_at: datetime | None
    ruled_out_by: tuple[str, ...]
    stages: tuple[StageBlock, ...]
    signals: tuple[SignalChip, ...]
    known: tuple[FactLine, ...]
    missing: tuple[FactLine, ...]
    previous: tuple[Conversation, ...]
    source: Mapping[str, str]
    activities: tuple[Activity, ...]
    rating: int | None
    next_follow_up: datetime | None


def of(conversation: Conversation, me: Person) -> Panel:
    """The panel of a conversation, as `me` reads it. Inside the org; about ten queries, whatever its size."""
    agent = settings_of.number(conversation.number)
    rules = evidence.rules_of(agent)
    verdict = judge(evidence.of(conversation), rules)
    kept = Qualification.objects.filter(conversation=conversation).first()
    answers = list(
        Answer.objects.filter(conversation=conversation, ended_at=None).select_related("message").order_by("pk")
    )
    signals = {
        row.key: row
        for row in Signal.objects.filter(conversation=conversation, ended_at=None).select_related("message")
    }
    facts = {
        row.key: row
        for row in Fact.objects.filter(contact_id=conversation.contact_id, ended_at=None).select_related("message")
    }
    events = list(
        Event.objects.filter(conversation=conversation, name__in=wording.ACTIVITIES).order_by("-sequence")[:ACTIVITIES]
    )
    people = _names([*answers, *signals.values(), *facts.values(), *events])
    worth = {point.about: point.amount for point in verdict.points}
    lines = [_fact_line(key, facts.get(key), conversation, people, me) for key in FactKey]
    by_stage: dict[str, list[Quote]] = {stage: [] for stage in STAGES}
    for row in answers:
        by_stage[row.stage].append(_quote(row, conversation, people, me))
    return Panel(
        score=verdict.score,
        threshold=rules.threshold,
        is_qualified=verdict.qualified,
        stage=wording.stage(verdict.stage),
        qualified_at=kept.qualified_at if kept and verdict.qualified else None,
        ruled_out_by=tuple(str(FactKey(key).label) for key in verdict.ruled_out_by if key in FactKey.values),
        stages=tuple(
            StageBlock(
                key=stage,
                label=wording.stage(stage),
                count=len(by_stage[stage]),
                needed=max(1, rules.needed.get(stage, ANSWERS_NEEDED)),
                points=f"{worth.get(stage, 0):.4g}",
                most=rules.points.get(stage, STAGE_POINTS),
                quotes=tuple(by_stage[stage]),
            )
            for stage in STAGES
        ),
        signals=tuple(
            SignalChip(
                key=key,
                label=wording.signal(key),
                is_true=signals[key].is_true if key in signals else None,
                quote=_quote(signals[key], conversation, people, me) if key in signals else None,
            )
            for key in SignalKey
        ),
        known=tuple(line for line in lines if line.quote is not None),
        missing=tuple(line for line in lines if line.quote is None),
        previous=tuple(
            Conversation.objects.filter(contact_id=conversation.contact_id)
            .exclude(pk=conversation.pk)
            .select_related("number")
            .order_by("-last_message_at")[:PREVIOUS]
        ),
        source={key: str(value) for key, value in conversation.contact.referral.items() if value},
        activities=tuple(_activity(event, people, me) for event in events),
        rating=conversation.rating,
        next_follow_up=follow_ups.upcoming(conversation, conversation.contact, conversation.number, agent),
    )


def shown_value(key: str, value: object) -> str:
    """A fact's value for people."""
    match key, value:
        case FactKey.PERSON_TYPE, "PJ":
            return _("Company")
        case FactKey.PERSON_TYPE, "PF":
            return _("Private person")
        case _, True:
            return _("Yes")
        case _, False:
            return _("No")
        case _:
            return str(value)


def choices_of(key: str) -> tuple[tuple[str, str], ...]:
    """What may be chosen for a fact; nothing where it is typed."""
    match key:
        case FactKey.PERSON_TYPE:
            return (("PJ", _("Company")), ("PF", _("Private person")))
        case FactKey.DECISION_MAKER:
            return (("yes", _("Yes")), ("no", _("No")))
        case _:
            return ()


def _fact_line(
    key: FactKey, row: Fact | None, conversation: Conversation, people: Mapping[int, str], me: Person
) -> FactLine:
    choices = choices_of(key)
    value = "" if row is None else {True: "yes", False: "no"}.get(row.value, row.value) if choices else row.value
    return FactLine(
        key=key.value,
        label=str(key.label),
        shown="" if row is None else shown_value(key, row.value),
        value=str(value),
        choices=choices,
        quote=None if row is None else _quote(row, conversation, people, me),
    )


def _quote(row: Answer | Fact | Signal, conversation: Conversation, people: Mapping[int, str], me: Person) -> Quote:
    is_persons = row.author == Receipt.Author.PERSON
    message = row.message if row.message is not None and row.message.conversation_id == conversation.pk else None
    if is_persons:
        by = _("You") if row.person_id == me.pk else people.get(row.person_id or 0, _("Person"))
    else:
        by = _("AI, %(percent)s %% sure") % {"percent": round(row.confidence * 100)}
    return Quote(row.pk, row.quote, message.pk if message else None, message.seq if message else None, by, is_persons)


def _activity(event: Event, people: Mapping[int, str], me: Person) -> Activity:
    by = _("You") if event.person_id == me.pk else people.get(event.person_id or 0, "")
    return Activity(event.occurred_at, wording.activity(event.name, event.data), by)


def _names(rows: Sequence[Answer | Fact | Signal | Event]) -> dict[int, str]:
    """Names of the people whose rows these are."""
    pks = {row.person_id for row in rows if row.person_id is not None}
    return dict(Person.objects.filter(pk__in=pks).values_list("pk", "name")) if pks else {}
