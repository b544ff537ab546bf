"""Why the AI said what it said: a turn's trace, from ids, never from copies (issue "The brain", 6).

Beside it, what people say was wrong (kept as a case for `evaluate`), and what the agent must say otherwise from now on
(written into its draft; publishing is the agent's own page).
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.forms import Form
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from conversations import agents, costs, eval_cases, wording
from conversations.access import get_conversation
from conversations.eval_cases import Reason
from conversations.eval_forms import FORMS, CaseForm, CorrectAnswerForm, ForbiddenForm
from conversations.models import (
    AgentVersion,
    Answer,
    Conversation,
    EvalCase,
    Fact,
    FactKey,
    Message,
    ModelCall,
    Passage,
    Signal,
    Turn,
)
from conversations.transcript import words
from orgs.access import require_role
from orgs.http import OrgRequest
from orgs.models import Person, Role


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


@dataclass(frozen=True)
class Report:
    """One way in which a turn can be wrong: its form, and who has said so before ("" for nobody)."""

    reason: str
    label: str
    form: CaseForm
    case: EvalCase | None
    by: str


@dataclass(frozen=True)
class Pending:
    """What waits in the agent's draft: words never to be said, and answers by what they are about."""

    forbidden: tuple[str, ...]
    answers: tuple[tuple[str, str], ...]


@require_role(Role.VIEWER)
@require_GET
def show(request: OrgRequest, pk: int, turn: int) -> HttpResponse:
    """What a turn saw, decided, cost and waited for."""
    return page(request, get_conversation(request, pk), turn)


@require_role(Role.SDR)
@require_POST
def report(request: OrgRequest, pk: int, turn: int, reason: str) -> HttpResponse:
    """This was wrong: kept as a case. Once more for the same reason replaces it."""
    conversation = get_conversation(request, pk)
    found = get_turn(conversation, turn)
    if reason not in Reason:
        raise Http404
    form = form_of(found, Reason(reason), data=request.POST)
    if not form.is_valid():
        return page(request, conversation, turn, wrong=form, status=422)
    eval_cases.report(found, form.given, request.user, request=request)
    messages.success(request, _("Kept. It is one of the cases your agent is examined on."))
    return redirect("conversations:trace", slug=request.org.slug, pk=pk, turn=turn)


@require_role(Role.ADMIN)
@require_POST
def forbid(request: OrgRequest, pk: int, turn: int) -> HttpResponse:
    """Never say that: into the agent's draft."""
    conversation = get_conversation(request, pk)
    get_turn(conversation, turn)
    form = ForbiddenForm(request.POST)
    if not form.is_valid():
        return page(request, conversation, turn, wrong=form, status=422)
    agents.forbid(agent_of(conversation), form.cleaned_data["words"], person=request.user, request=request)
    messages.success(request, _("It waits in the agent's draft. It holds once the draft is published."))
    return redirect("conversations:trace", slug=request.org.slug, pk=pk, turn=turn)


@require_role(Role.ADMIN)
@require_POST
def correct(request: OrgRequest, pk: int, turn: int) -> HttpResponse:
    """The right answer, such as a price: into the agent's draft."""
    conversation = get_conversation(request, pk)
    get_turn(conversation, turn)
    form = CorrectAnswerForm(request.POST)
    if not form.is_valid():
        return page(request, conversation, turn, wrong=form, status=422)
    typed = form.cleaned_data
    agents.answer_with(
        agent_of(conversation), typed["about"], typed["answer"], person=request.user, request=request
    )  # fmt: skip
    messages.success(request, _("It waits in the agent's draft. It holds once the draft is published."))
    return redirect("conversations:trace", slug=request.org.slug, pk=pk, turn=turn)


def page(
    request: OrgRequest, conversation: Conversation, pk: int, *, wrong: Form | None = None, status: int = 200
) -> HttpResponse:
    """The trace; `wrong` is the form whose errors it shows."""
    found = get_turn(conversation, pk)
    seen = found.seen
    calls = list(ModelCall.objects.filter(turn=found).order_by("pk"))
    dollars = sum((call.cost_usd for call in calls), Decimal(0)) or found.cost_usd
    may_change = request.membership.may(Role.ADMIN)
    context: dict[str, Any] = {
        "conversation": conversation,
        "turn": found,
        "brain": wording.brain(found.brain),
        "intent": wording.intent(found.intent),
        "why": wording.need(found.reason) if found.reason else "",
        "said": found.messages.order_by("bubble"),
        "held_back": [(wording.claim(note["kind"]), note["text"]) for note in found.guards],
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
        "may_report": request.membership.may(Role.SDR),
        "may_change": may_change,
        "wrong": wrong,
    }
    if context["may_report"]:
        context["reports"] = reports_of(found, wrong)
    if may_change:
        context |= {
            "pending": pending_of(agent_of(conversation)),
            "agent_number": agent_of(conversation),
            "forbidden_form": wrong if isinstance(wrong, ForbiddenForm) else ForbiddenForm(),
            "correct_form": wrong if isinstance(wrong, CorrectAnswerForm) else CorrectAnswerForm(),
        }
    return render(request, "conversations/trace/show.html", context, status=status)


def get_turn(conversation: Conversation, pk: int) -> Turn:
    """A turn of this conversation. Raises Http404 for any other."""
    found = Turn.objects.select_related("conversation__contact", "conversation__number").filter(
        pk=pk, conversation=conversation
    )
    turn = found.first()
    if turn is None:
        raise Http404
    return turn


def agent_of(conversation: Conversation) -> int | None:
    """Whose draft is changed: the number's own agent, or None for the shared one."""
    return agents.in_force(conversation.number_id).number_id


def form_of(turn: Turn, reason: Reason, *, data: Any = None, case: EvalCase | None = None) -> CaseForm:
    """The form for what was wrong; filled with what an earlier report said."""
    said = "\n".join(words(message) for message in turn.messages.filter(deleted_at=None).order_by("bubble"))
    understood = eval_cases.understood(turn)
    initial: dict[str, Any] = {"intent": understood["intent"], "wrong": said}
    if case is not None:
        initial |= {"should_say": case.should_say, "note": case.note, "is_answerable": bool(case.expect)}
        initial |= {key: case.expect[key] for key in ("intent",) if key in case.expect}
        for violation in case.expect.get("violations", []):
            initial |= {"wrong": violation["text"], "kind": violation["kind"]}
        facts = case.expect.get("facts", understood["facts"])
        initial |= {f"fact_{key}": {True: "yes", False: "no"}.get(value, value) for key, value in facts.items()}
    return FORMS[reason](data, said=said, understood=understood, initial=initial)


def reports_of(turn: Turn, wrong: Form | None) -> list[Report]:
    """The ways in which this turn can be said to be wrong; only what it did can be."""
    cases = {case.reason: case for case in EvalCase.objects.filter(turn=turn)}
    people = Person.objects.filter(pk__in={case.person_id for case in cases.values()})
    names = dict(people.values_list("pk", "name")) if cases else {}
    spoke = turn.messages.exists()
    reports = []
    for reason in Reason:
        if reason is Reason.CLAIM and not spoke:
            continue
        case = cases.get(reason)
        form = (
            wrong if isinstance(wrong, CaseForm) and wrong.reason == reason else form_of(turn, reason, case=case)
        )  # fmt: skip
        by = names.get(case.person_id or 0, "") if case else ""
        reports.append(Report(reason.value, str(reason.label), form, case, by))
    return reports


def pending_of(number_id: int | None) -> Pending:
    """What the draft holds of this that is not published."""
    now, draft = agents.in_force(number_id), agents.shown(number_id)
    return Pending(
        forbidden=tuple(str(one) for one in draft.forbidden if one not in now.forbidden),
        answers=tuple(
            (str(one.get("about", "")), str(one.get("answer", "")))
            for one in draft.objections
            if one not in now.objections
        ),
    )


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
