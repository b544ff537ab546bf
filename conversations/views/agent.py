"""The pages of an agent's settings: each is saved into the draft. Everybody in the org reads, admins change."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from conversations import agent_checks, agent_forms, agent_sample, agent_words, agents
from conversations.agent_forms import FORMS, SectionForm
from conversations.models import AgentVersion, Document, Number, Product
from orgs.access import require_role
from orgs.http import OrgRequest
from orgs.models import Person, Role


@require_role(Role.VIEWER)
@require_safe
def index(request: OrgRequest) -> HttpResponse:
    """The first page."""
    return redirect(address(request, "agent:section", get_agent(request), section="identity"))


@require_role(Role.VIEWER)
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: OrgRequest, section: str) -> HttpResponse:
    """One page of settings. What somebody else has saved there meanwhile is shown, and never lost unawares (409)."""
    form_class = FORMS.get(section)
    if form_class is None:
        raise Http404
    number = get_agent(request)
    number_id = number.pk if number else None
    may_change = request.membership.may(Role.ADMIN)
    version = agents.shown(number_id)
    if request.method != "POST":
        return show(request, form_class(version=version, may_change=may_change), number, version=version)
    require_admin(request)
    form = form_class(request.POST, version=version)
    if not form.is_valid():
        return show(request, form, number, version=version, seen=request.POST.get("seen", ""), status=422)
    try:
        agents.change(number_id, form.values(), person=request.user, request=request, seen=request.POST.get("seen", ""))
    except agents.Outdated as outdated:
        theirs = agent_words.changes(with_values(outdated.current, form), outdated.current, form.writes)
        context = {
            "theirs": [one for one in theirs if one.before != one.after],
            "theirs_by": name_of(outdated.current.edited_by),
            "yours_word": _("Yours"),
            "theirs_word": _("Theirs"),
        }
        return show(request, form, number, version=outdated.current, status=409, extra=context)
    messages.success(request, _("Saved in the draft. Leads notice nothing until it is published."))
    return redirect(address(request, "agent:section", number, section=section))


@require_role(Role.ADMIN)
@require_POST
def sample(request: OrgRequest, section: str) -> HttpResponse:
    """What the agent would say with what stands on the page now: nothing is saved, nothing is sent."""
    form_class = FORMS.get(section)
    if form_class is None or not form_class.has_sample:
        raise Http404
    number = get_agent(request)
    version = agents.shown(number.pk if number else None)
    form = form_class(request.POST, version=version)
    context: dict[str, Any] = {"form": form, "is_stale": not form.is_valid()}
    shown = version if context["is_stale"] else with_values(version, form)
    return render(request, "conversations/agent/_sample.html", context | sample_of(request, section, shown))


def show(
    request: OrgRequest,
    form: SectionForm,
    number: Number | None,
    *,
    version: AgentVersion,
    seen: str | None = None,
    status: int = 200,
    extra: dict[str, Any] | None = None,
) -> HttpResponse:
    """A page with its form. `seen`: what its editor has seen of these settings, where that is not what they are now."""
    context = {
        **frame(request, number, version=version, current=form.key),
        "form": form,
        "seen": agents.fingerprint(version, form.writes) if seen is None else seen,
        "action": address(request, "agent:section", number, section=form.key),
        "sample_url": address(request, "agent:sample", number, section=form.key) if form.has_sample else "",
        "problems": [one for one in agent_checks.problems(version, now=timezone.now()) if one.section == form.key],
        **(sample_of(request, form.key, version) if form.has_sample else {}),
        **(extra or {}),
    }
    return render(request, "conversations/agent/edit.html", context, status=status)


def sample_of(request: OrgRequest, section: str, version: AgentVersion) -> dict[str, Any]:
    """What stands in the sample of a page."""
    if section == "timing":
        first, latest = agent_checks.first_response(version), agent_checks.latest_response(version)
        return {"first": first, "latest": latest, "is_slow": first > agent_checks.FIRST_RESPONSE_SECONDS}
    return {"talk": agent_sample.talk(version, company=request.org.name, now=timezone.now())}


def frame(request: OrgRequest, number: Number | None, *, version: AgentVersion, current: str) -> dict[str, Any]:
    """What every page of an agent has around it: its pages, which agent it is, and what waits to be published."""
    number_id = number.pk if number else None
    holds = agents.in_force(number_id)
    waiting = len(agents.difference(holds, version)) if version.state == AgentVersion.State.DRAFT else 0
    places = [(key, form.title, address(request, "agent:section", number, section=key)) for key, form in FORMS.items()]
    counts = {
        "documents": Document.objects.exclude(sort=Document.Sort.PRODUCTS).count(),
        "products": Product.objects.count(),
    }
    return {
        "number": number,
        "has_own": number is not None and holds.number_id == number.pk,
        "current": current,
        "places": places,
        "counts": counts,
        "holds": holds,
        "waiting": waiting,
        "waiting_words": agent_forms.counted(waiting) if waiting else "",
        "may_change": request.membership.may(Role.ADMIN),
        "publication_url": address(request, "agent:publication", number),
        "versions_url": address(request, "agent:versions", number),
        "numbers_url": address(request, "agent:numbers", number),
        "agents": [
            (None, address_of(request, current, None)),
            *((one, address_of(request, current, one)) for one in with_own_agents()),
        ],
    }


def get_agent(request: OrgRequest) -> Number | None:
    """The number whose agent `?number=` names, None for the shared one. Raises Http404 for what has none of its own."""
    named = request.GET.get("number", "")
    if not named:
        return None
    number = (
        Number.objects.filter(pk=int(named), removed_at=None).first() if named.isdecimal() and len(named) < 19 else None
    )
    if number is None or agents.published(number.pk) is None:
        raise Http404
    return number


def with_own_agents() -> list[Number]:
    """The numbers that have an agent of their own, by name."""
    own = AgentVersion.objects.filter(state=AgentVersion.State.PUBLISHED, number_id__isnull=False)
    return list(Number.objects.filter(pk__in=own.values("number_id"), removed_at=None).order_by("name", "pk"))


def address(request: OrgRequest, route: str, number: Number | None, **kwargs: Any) -> str:
    """A page's address for this agent."""
    path = reverse(route, kwargs={"slug": request.org.slug, **kwargs})
    return f"{path}?number={number.pk}" if number else path


def address_of(request: OrgRequest, current: str, number: Number | None) -> str:
    """The page one is on, of another agent."""
    if current in FORMS:
        return address(request, "agent:section", number, section=current)
    return address(request, f"agent:{current}", number)


def with_values(version: AgentVersion, form: SectionForm) -> AgentVersion:
    """A version as it would be with a form's values; not saved."""
    values = {name: getattr(version, name) for name in agents.settings()} | form.values()
    return AgentVersion(**values)


def name_of(person_id: int | None) -> str:
    """Who that was, "" for nobody we know."""
    person = Person.objects.filter(pk=person_id).first() if person_id else None
    return str(person) if person else ""


def require_admin(request: OrgRequest) -> None:
    """Raises PermissionDenied for who may only read."""
    if not request.membership.may(Role.ADMIN):
        raise PermissionDenied
