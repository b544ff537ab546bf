"""What the inbox shows of a lead: how they stand and why, what is known, where they come from (PRODUCT 2, FIELD 4.3).

Every point leads to the words it stands on. Read only; what people change is in `corrections`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from django.db.models import Q
from django.utils.translation import gettext as _

from conversations import evidence, follow_ups, guards, intake, settings_of, wording
from conversations.models import (
    AgentVersion,
    Answer,
    Consent,
    Conversation,
    Event,
    Fact,
    FactKey,
    Message,
    OptOut,
    Qualification,
    Signal,
)
from conversations.models.evidence import Receipt
from conversations.playbook import wording as playbook
from conversations.qualification import ANSWERS_NEEDED, STAGE_POINTS, STAGES, SignalKey, judge
from orgs.models import Person

PREVIOUS = 5
ACTIVITIES = 12
FOLLOW_UPS = 5
SUGGESTED = 4
OPT_OUTS = 3
ASKED_BEFORE = 30
AD_LINKS = ("https://", "http://")


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

    @property
    def is_verbatim(self) -> bool:
        """The words it stands on say just that, and are shown: it need not be said twice."""
        quote = self.quote
        return quote is not None and quote.message_id is not None and quote.text.casefold() == self.shown.casefold()


@dataclass(frozen=True)
class Activity:
    """What happened, when, and whose doing it was."""

    at: datetime
    text: str
    by: str


@dataclass(frozen=True)
class Suggested:
    """A question worth asking next, in the lead's language, and what it is about."""

    about: str
    text: str


@dataclass(frozen=True)
class FollowUp:
    """One that was written to the silent lead: when, how far it came, and its words."""

    at: datetime
    state: str
    text: str


@dataclass(frozen=True)
class Choice:
    """When they asked to be left alone or to be written to again, who says so, and how they did."""

    at: datetime
    is_out: bool
    by: str
    note: str
    message_id: int | None


@dataclass(frozen=True)
class Ad:
    """What they came from. `link` only where it is a web address."""

    title: str
    body: str
    link: str
    source_id: str


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
    ad: Ad | None
    activities: tuple[Activity, ...]
    rating: int | None
    next_follow_up: datetime | None
    summary: tuple[str, ...]
    summary_at: datetime | None
    suggested: tuple[Suggested, ...]
    follow_ups: tuple[FollowUp, ...]
    consent: Consent | None
    choices: tuple[Choice, ...]


def of(conversation: Conversation, me: Person, *, seen: Q | None = None) -> Panel:
    """The panel of a conversation, as `me` reads it; `seen`: which other conversations they may see, all unless told.

    Inside the org; about fifteen queries, whatever its size.
    """
    agent = settings_of.number(conversation.number)
    rules = evidence.rules_of(agent)
    found = evidence.current(conversation, with_messages=True)
    verdict = judge(found.evidence, rules)
    kept = Qualification.objects.filter(conversation=conversation).first()
    answers, signals, facts = found.answers, found.signals, found.facts
    events = list(
        Event.objects.filter(conversation=conversation, name__in=wording.ACTIVITIES).order_by("-sequence")[:ACTIVITIES]
    )
    choices = list(OptOut.objects.filter(contact_id=conversation.contact_id).order_by("-at", "-pk")[:OPT_OUTS])
    people = _names([*answers, *signals.values(), *facts.values(), *events, *choices])
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
            Conversation.objects.filter(seen or Q(), contact_id=conversation.contact_id)
            .exclude(pk=conversation.pk)
            .select_related("number")
            .order_by("-last_message_at")[:PREVIOUS]
        ),
        ad=_ad(conversation.contact.referral),
        activities=tuple(_activity(event, people, me) for event in events),
        rating=conversation.rating,
        next_follow_up=follow_ups.upcoming(conversation, conversation.contact, conversation.number, agent),
        summary=tuple(kept.summary.splitlines()) if kept else (),
        summary_at=kept.summary_at if kept else None,
        suggested=tuple(islice(_suggested(conversation, agent, found, verdict.complete), SUGGESTED)),
        follow_ups=tuple(_written(conversation)),
        consent=Consent.objects.filter(contact_id=conversation.contact_id).order_by("-at", "-pk").first(),
        choices=tuple(_choice(row, people, me) for row in choices),
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


def _suggested(
    conversation: Conversation, agent: AgentVersion, found: evidence.Current, complete: Sequence[str]
) -> Iterator[Suggested]:
    """One question for each stage that lacks answers, then for facts that are missing; none that was asked before."""
    spoken = conversation.contact.language if agent.answers_in_lead_language else ""
    language = spoken or agent.language
    asked = conversation.messages.filter(author=Message.Author.AI, extra__has_key="asks")
    before = [str(one["text"]) for one in asked.order_by("-seq").values_list("extra__asks", flat=True)[:ASKED_BEFORE]]
    is_private = "person_type" in found.facts and found.facts["person_type"].value == "PF"
    by_anybody = is_private or bool(agent.questions)
    wanted: list[tuple[str, Sequence[str]]] = []
    for stage in STAGES:
        own = agent.questions.get(stage, ()) if language == agent.language else ()
        if stage not in complete:
            ours = playbook.questions(language, f"any:{stage}" if by_anybody else stage)
            wanted.append((wording.stage(stage), (*own, *ours)))
    for key in FactKey:
        is_of_businesses = key is FactKey.COMPANY and is_private
        if key not in found.facts and key not in found.signals and key not in agent.facts_left_out:
            texts = () if is_of_businesses else playbook.questions(language, f"fact:{key.value}")
            wanted.append((str(key.label), texts))
    for about, texts in wanted:
        fresh = next((text for text in texts if not any(guards.is_same_question(text, one) for one in before)), None)
        if fresh is not None:
            yield Suggested(about, fresh)


def _written(conversation: Conversation) -> Iterator[FollowUp]:
    rows = conversation.messages.filter(author=Message.Author.SYSTEM, extra__sort=intake.FOLLOW_UP).order_by("-seq")
    for row in rows[:FOLLOW_UPS]:
        yield FollowUp(row.sent_at or row.created_at, wording.progress(row)[0], row.text)


def _choice(row: OptOut, people: Mapping[int, str], me: Person) -> Choice:
    is_persons = row.person_id is not None
    by = (_("You") if row.person_id == me.pk else people.get(row.person_id or 0, _("Person"))) if is_persons else ""
    return Choice(row.at, row.is_out, by, row.note, row.message_id)


def _ad(referral: Mapping[str, object]) -> Ad | None:
    """The ad of the first touch; its texts come from outside and are shown as text."""
    told = {key: str(value) for key, value in referral.items() if value}
    if not told:
        return None
    link = told.get("source_url", "")
    return Ad(
        title=told.get("title", ""),
        body=told.get("body", ""),
        link=link if link.startswith(AD_LINKS) else "",
        source_id=told.get("source_id", ""),
    )


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


def _names(rows: Sequence[Answer | Fact | Signal | Event | OptOut]) -> dict[int, str]:
    """Names of the people whose rows these are."""
    pks = {row.person_id for row in rows if row.person_id is not None}
    return dict(Person.objects.filter(pk__in=pks).values_list("pk", "name")) if pks else {}
