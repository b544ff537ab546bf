"""Simulated leads on the phones of the stand-in, talking to a running installation over its webhooks.

The companies of `conversations.simulation` become orgs of their own, with numbers, knowledge and agents; they are
dropped when the last lead has hung up. What a lead reads is what stands on its phone. Only where the stand-in plays
Evolution: development.
"""

import secrets
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import OperationalError
from django.utils import timezone

from conversations import learning
from conversations.documents.shapes import Readout
from conversations.models import (
    AgentVersion,
    Answer,
    Contact,
    Conversation,
    Document,
    Message,
    Number,
    Product,
    Qualification,
    Turn,
)
from conversations.qualification import ANSWERS_NEEDED, STAGES
from conversations.simulation.companies import Company
from conversations.simulation.counts import Said, Talk
from conversations.simulation.personas import Lead
from integrations.whatsapp import connect, simulator
from integrations.whatsapp.auth import Proof
from integrations.whatsapp.client import Evolution, Webhook
from integrations.whatsapp.numbers import Provider, add_number
from orgs import schemas
from orgs.context import in_org
from orgs.models import Org
from sdr.lib import http
from sdr.lib.errors import PortError

AT_ONCE = 12  # conversations
LOOK_SECONDS = 0.4
ANSWER_SECONDS = 120.0  # who has waited so long was not answered
OPEN_SECONDS = 60.0
HEALTH_SECONDS = 3.0
DROP_TRIES, DROP_PAUSE_SECONDS = 10, 2.0
PER_MINUTE, DAILY_CAP = 600, 100_000  # the number's pace is not what is measured
DECIDED = (Turn.State.APPLIED, Turn.State.SKIPPED, Turn.State.FAILED)
ON_THE_WAY = (Message.State.QUEUED, Message.State.SENDING, Message.State.UNKNOWN)
AGENT = {"batching_seconds": 1, "cooldown_seconds": 1, "typing_per_character": 0, "typing_longest": 0}


def is_running() -> bool:
    """Whether the installation of these settings and its stand-in answer now."""
    if not settings.STANDIN_URL:
        return False
    try:
        Evolution(settings.STANDIN_URL, settings.STANDIN_API_KEY).version()
        http.request(
            "GET", f"{settings.WEBHOOK_BASE_URL}/health/ready", timeout=http.Timeout(total=HEALTH_SECONDS),
            max_bytes=10_000, allow_private=True,
        ).raise_for_status()  # fmt: skip
    except PortError:
        return False
    return True


@dataclass
class Place:
    """A company's org and its number at the stand-in."""

    company: Company
    org: Org
    number_id: int
    instance: str


@dataclass
class Call:
    """One conversation under way. `sent` counts the lead's messages; `since` is when the last of them was."""

    lead: Lead
    place: Place
    phone: str
    talk: Talk
    sent: int = 0
    since: float = 0.0
    abouts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Waits:
    """How long our side took, in milliseconds, one of each per applied turn."""

    decided: list[int]
    waited: list[int]


def hold(leads: list[Lead]) -> tuple[list[Talk], Waits]:
    """All of the conversations, AT_ONCE at a time. Raises PortError when the stand-in goes away.

    The orgs made for them are dropped afterwards, whatever happens.
    """
    places: dict[str, Place] = {}
    try:
        for lead in leads:
            if lead.company.slug not in places:
                places[lead.company.slug] = settle(lead.company)
        return talk_all(leads, places)
    finally:
        for place in places.values():
            clear(place)


def settle(company: Company) -> Place:
    """An org that knows what the company knows, and its number, connected."""
    name = f"{company.slug}-{secrets.token_hex(3)}"
    org = schemas.provision(Org(slug=name, name=company.name, name_folded=company.name.lower()))
    key, jwt_key = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    address = add_number(
        org, company.name, proof=Proof.JWT, secret=jwt_key, provider=Provider(settings.STANDIN_URL, key, name)
    )
    place = Place(company, org, address.number_id, name)
    with in_org(org):
        Number.objects.filter(pk=address.number_id).update(per_minute=PER_MINUTE, daily_cap=DAILY_CAP)
        teach(company)
    phone = f"5519{secrets.randbelow(10**8):08}"
    webhook = Webhook(connect.public_url(address), {"jwt_key": jwt_key})
    Evolution(settings.STANDIN_URL, settings.STANDIN_API_KEY).create(name, token=key, webhook=webhook, number=phone)
    simulator.control("POST", f"instances/{name}/pairing", {"number": phone})
    until = time.monotonic() + OPEN_SECONDS
    while time.monotonic() < until:
        with in_org(org):
            if Number.objects.get(pk=address.number_id).state == "open":
                return place
        time.sleep(LOOK_SECONDS)
    raise PortError(f"The number of {company.name} did not connect.")


def teach(company: Company) -> None:
    """What the company's people would have typed in. Inside its org."""
    AgentVersion.objects.create(
        state=AgentVersion.State.PUBLISHED, published_at=timezone.now(), language=company.language,
        business=company.business, disclosure=company.disclosure,
        questions={stage: list(texts) for stage, texts in company.questions.items()},
        objections=[dict(one) for one in company.objections], **AGENT,
    )  # fmt: skip
    for language, pairs in company.faq.items():
        for question, answer in pairs:
            document = Document.objects.create(sort=Document.Sort.FAQ, title=question, language=language)
            learning.store(document, Readout(answer))
    for price in company.prices:
        Product.objects.create(
            name=price.name, price=price.amount, unit="mês", conditions=price.conditions, may_quote=True
        )


def clear(place: Place) -> None:
    """Nothing stays of the org, nor of its number at the stand-in."""
    try:
        Evolution(settings.STANDIN_URL, settings.STANDIN_API_KEY).delete(place.instance)
    finally:
        drop(place.org)


def drop(org: Org) -> None:
    """The org and all that is in it, though work may still be going on there."""
    for left in reversed(range(DROP_TRIES)):
        try:
            schemas.drop(org)
            break
        except OperationalError:  # a deadlock with that work
            if not left:
                raise
            time.sleep(DROP_PAUSE_SECONDS)


def talk_all(leads: list[Lead], places: dict[str, Place]) -> tuple[list[Talk], Waits]:
    waiting = list(leads)[::-1]
    under_way: list[Call] = []
    done: list[Talk] = []
    first = 10_000_000 + secrets.randbelow(80_000_000)
    while waiting or under_way:
        while waiting and len(under_way) < AT_ONCE:
            lead = waiting.pop()
            under_way.append(begin(lead, places[lead.company.slug], phone=f"55119{first + lead.number}"))
        time.sleep(LOOK_SECONDS)
        answered = [call for place in places.values() for call in settled(place, under_way)]
        for call in answered:
            if not goes_on(call):
                under_way.remove(call)
                finish(call)
                done.append(call.talk)
        for call in [call for call in under_way if time.monotonic() - call.since > ANSWER_SECONDS]:
            call.talk.answered = False
            under_way.remove(call)
            finish(call)
            done.append(call.talk)
    decided, waited = list[int](), list[int]()
    for place in places.values():
        with in_org(place.org):
            for timings in Turn.objects.filter(state=Turn.State.APPLIED).values_list("timings", flat=True):
                decided.append(int(timings.get("thought", 0)))
                waited.append(int(timings.get("waited", 0)))
    return sorted(done, key=lambda talk: talk.number), Waits(decided, waited)


def begin(lead: Lead, place: Place, *, phone: str) -> Call:
    call = Call(lead, place, phone, Talk(lead.number, lead.kind, lead.language, lead.company))
    must(simulator.control("POST", "leads", {"phone": phone, "name": lead.name}))
    say(call, lead.opens())
    return call


def say(call: Call, texts: list[str]) -> None:
    """The lead writes, quickly one after the other."""
    must(simulator.control("POST", f"instances/{call.place.instance}/chats/{call.phone}", {"burst": texts}))
    call.sent += len(texts)
    call.since = time.monotonic()


def settled(place: Place, calls: Iterable[Call]) -> list[Call]:
    """Conversations in which every message of the lead has come in and has its answer, or a reason for none."""
    mine = {call.phone: call for call in calls if call.place is place}
    if not mine:
        return []
    found = []
    with in_org(place.org):
        for conversation in Conversation.objects.filter(contact__phone__in=mine).select_related("contact"):
            call = mine[str(conversation.contact.phone)]
            theirs = conversation.messages.filter(author=Message.Author.LEAD)
            newest = theirs.order_by("-seq").first()
            if newest is None or theirs.count() < call.sent:
                continue
            ours = conversation.messages.filter(author=Message.Author.AI)
            if not conversation.turns.filter(up_to_seq=newest.seq, state__in=DECIDED).exists():
                continue
            if ours.filter(state__in=ON_THE_WAY).exists():
                continue
            call.abouts = {
                message.text: message.extra["asks"]["about"] for message in ours if message.extra.get("asks")
            }
            found.append(call)
    return found


def goes_on(call: Call) -> bool:
    """The lead reads what stands on its phone, and writes again or not."""
    read(call)
    replies: list[Said] = []
    for line in reversed(call.talk.lines):
        if line.author == "lead":
            break
        replies.insert(0, line)
    if not replies:
        return False
    with in_org(call.place.org):
        if Contact.objects.filter(phone=call.phone, opted_out_at__isnull=False).exists():
            return False
    texts = call.lead.answers("\n".join(line.text for line in replies), replies[-1].about)
    if texts:
        say(call, texts)
    return bool(texts)


def read(call: Call) -> None:
    chat: Any = must(simulator.control("GET", f"instances/{call.place.instance}/chats/{call.phone}"))
    call.talk.lines = [
        Said("lead", text) if author == "lead" else Said("ai", text, call.abouts.get(text, ""))
        for author, text in ((one["author"], one["text"]) for one in chat["messages"])
    ]


def finish(call: Call) -> None:
    """What our rows say of the conversation in the end."""
    talk = call.talk
    talk.has_left = call.lead.has_left
    with in_org(call.place.org):
        conversation = Conversation.objects.filter(contact__phone=call.phone).select_related("contact").first()
        if conversation is None:
            return
        stages = Answer.objects.filter(conversation=conversation, ended_at=None).values_list("stage", flat=True)
        counts = Counter(stages)
        talk.complete = tuple(stage for stage in STAGES if counts[stage] >= ANSWERS_NEEDED)
        verdict = Qualification.objects.filter(conversation=conversation).first()
        talk.is_qualified = verdict is not None and verdict.is_qualified
        talk.score = verdict.score if verdict else 0
        talk.is_opted_out = conversation.contact.opted_out_at is not None
        agent = AgentVersion.objects.get(state=AgentVersion.State.PUBLISHED)
        talk.back = " ".join(hour for day in agent.hours for hour in day)
        talk.guarded = [
            f"{note['kind']}: {note['text']}"
            for notes in conversation.turns.values_list("guards", flat=True)
            for note in notes
        ]


def must(answer: Any) -> Any:
    """What the stand-in said; it must have."""
    if answer is None:
        raise PortError("The stand-in of WhatsApp does not answer.")
    return answer
