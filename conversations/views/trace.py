"""Why the AI said what it said: a turn's trace, from ids, never from copies (issue "The brain", 6)."""

from dataclasses import dataclass
from decimal import Decimal

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from conversations import costs, wording
from conversations.access import get_conversation
from conversations.models import AgentVersion, Answer, Fact, FactKey, Message, ModelCall, Passage, Signal, Turn
from orgs.access import require_role
from orgs.http import OrgRequest
from orgs.models import Role


@dataclass(frozen=True)
class Step:
    """How long a part of the turn took, in milliseconds."""

    label: str
    milliseconds: int


@dataclass(frozen=True)
class Learnt:
    """What the turn wrote about the lead."""

    label: str
    text: str
    message_id: int | None


@require_role(Role.VIEWER)
@require_GET
def show(request: OrgRequest, pk: int, turn: int) -> HttpResponse:
    """What a turn saw, decided, cost and waited for."""
    conversation = get_conversation(request, pk)
    found = Turn.objects.filter(pk=turn, conversation=conversation).first()
    if found is None:
        raise Http404
    seen = found.seen
    calls = list(ModelCall.objects.filter(turn=found).order_by("pk"))
    dollars = sum((call.cost_usd for call in calls), Decimal(0)) or found.cost_usd
    context = {
        "conversation": conversation,
        "turn": found,
        "brain": wording.brain(found.brain),
        "intent": wording.intent(found.intent),
        "why": wording.need(found.reason) if found.reason else "",
        "said": found.messages.order_by("bubble"),
        "read": Message.objects.filter(pk__in=seen.get("messages", [])).order_by("seq"),
        "found": Passage.objects.filter(pk__in=seen.get("found", [])).select_related("document"),
        "quoted": set(seen.get("passages", [])),
        "knew": [str(FactKey(key).label) for key in seen.get("facts", []) if key in FactKey.values],
        "learnt": learnt_in(found),
        "steps": steps_of(found),
        "version": AgentVersion.objects.filter(pk=found.agent_version_id or 0).first(),
        "calls": calls,
        "dollars": dollars,
        "reais": costs.in_reais(dollars),
    }
    return render(request, "conversations/trace/show.html", context)


def steps_of(turn: Turn) -> list[Step]:
    """The turn's time by part; what was not measured is left out."""
    steps = []
    if "waited" in turn.timings:
        steps.append(Step(_("Waiting for more messages"), turn.timings["waited"]))
    if "thought" in turn.timings:
        steps.append(Step(_("Deciding"), turn.timings["thought"]))
    if turn.decided_at is not None:
        first = turn.messages.filter(bubble=0, sent_at__isnull=False).first()
        if first is not None and first.sent_at is not None:
            steps.append(Step(_("Until it was sent"), round((first.sent_at - turn.decided_at).total_seconds() * 1000)))
    return [step for step in steps if step.milliseconds >= 0]


def learnt_in(turn: Turn) -> list[Learnt]:
    """What was written of the lead from this turn, with the words it stands on."""
    answers = [Learnt(wording.stage(row.stage), row.quote, row.message_id) for row in Answer.objects.filter(turn=turn)]
    facts = [Learnt(row.get_key_display(), row.quote, row.message_id) for row in Fact.objects.filter(turn=turn)]
    signals = [Learnt(wording.signal(row.key), row.quote, row.message_id) for row in Signal.objects.filter(turn=turn)]
    return answers + facts + signals
