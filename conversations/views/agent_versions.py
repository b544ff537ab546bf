"""Publishing an agent's draft after a look at what changes, its versions, and going back to one."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from conversations import agent_checks, agent_forms, agent_words, agents
from conversations.models import AgentVersion, Number
from conversations.views.agent import address, frame, get_agent, require_admin
from orgs.access import require_role
from orgs.http import OrgRequest
from orgs.models import Person, Role

VERSIONS_PER_PAGE = 20


class NoteForm(forms.Form):
    """Why it is published. `seen`: the draft that was looked at."""

    note = forms.CharField(
        label=gettext_lazy("What changes, and why"),
        required=False,
        max_length=200,
        help_text=gettext_lazy("For your colleagues, beside the version."),
    )
    seen = forms.CharField(required=False, max_length=16, widget=forms.HiddenInput)


@require_role(Role.VIEWER)
@require_http_methods(["GET", "HEAD", "POST"])
def publication(request: OrgRequest) -> HttpResponse:
    """What the draft changes, field by field, and what makes it hold. A draft that moved on is shown anew."""
    number = get_agent(request)
    number_id = number.pk if number else None
    if request.method != "POST":
        return show_draft(request, number, NoteForm(), status=200)
    require_admin(request)
    form = NoteForm(request.POST)
    if not form.is_valid():
        return show_draft(request, number, form, status=422)
    version = agents.drafted(number_id)
    if version is not None and any(one.is_error for one in agent_checks.problems(version, now=timezone.now())):
        return show_draft(request, number, form, status=422)
    try:
        made = agents.publish(
            number_id, person_id=request.user.pk, request=request, note=form.cleaned_data["note"],
            seen=form.cleaned_data["seen"],
        )  # fmt: skip
    except agents.Outdated:
        form.add_error(None, _("Somebody has changed the draft since you opened this page. Look at it once more."))
        return show_draft(request, number, form, status=409)
    except ValidationError as error:
        for name in error.message_dict:
            told = _("“%(setting)s” is out of its bounds.") % {"setting": agent_words.LABELS.get(name, name)}
            form.add_error(None, told)
        return show_draft(request, number, form, status=422)
    if made is None:
        messages.info(request, _("There is nothing to publish: the draft was published or thrown away already."))
    else:
        messages.success(request, _("Version %(number)s holds from the next answer on.") % {"number": made.version})
    return redirect(address(request, "agent:versions", number))


@require_role(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def discard(request: OrgRequest) -> HttpResponse:
    """Ask, then throw the draft away."""
    number = get_agent(request)
    if request.method == "POST":
        if agents.discard(number.pk if number else None, person=request.user, request=request):
            messages.success(request, _("The draft is gone. What is published holds."))
        return redirect(address(request, "agent:section", number, section="identity"))
    context = {
        "title": _("Throw the draft away?"),
        "text": _("All its changes that are not published are lost. This cannot be undone."),
        "confirm": _("Throw away"),
        "is_final": True,
        "action": request.get_full_path(),
        "cancel_url": address(request, "agent:publication", number),
    }
    return render(request, "layouts/confirm.html", context)


@require_role(Role.VIEWER)
@require_safe
def index(request: OrgRequest) -> HttpResponse:
    """All that was ever published for this agent, newest first."""
    number = get_agent(request)
    version = agents.shown(number.pk if number else None)
    found = AgentVersion.objects.filter(number_id=number.pk if number else None).exclude(state=AgentVersion.State.DRAFT)
    page = Paginator(found.order_by("-version", "-pk"), VERSIONS_PER_PAGE).get_page(request.GET.get("page"))
    names = people(page.object_list)
    context = {
        **frame(request, number, version=version, current="versions"),
        "page": page,
        "rows": [
            (one, names.get(one.published_by or 0, ""), address(request, "agent:version", number, pk=one.pk))
            for one in page
        ],
    }
    return render(request, "conversations/agent/versions.html", context)


@require_role(Role.VIEWER)
@require_safe
def show(request: OrgRequest, pk: int) -> HttpResponse:
    """One version: what going back to it would change."""
    number = get_agent(request)
    found = get_version(number, pk)
    holds = agents.in_force(number.pk if number else None)
    changed = agents.difference(holds, found)
    context = {
        **frame(request, number, version=agents.shown(number.pk if number else None), current="versions"),
        "version": found,
        "author": people([found]).get(found.published_by or 0, ""),
        "changes": agent_words.changes(holds, found, changed),
        "is_old": found.state == AgentVersion.State.RETIRED,
        "rollback_url": address(request, "agent:rollback", number, pk=pk),
    }
    return render(request, "conversations/agent/version.html", context)


@require_role(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def rollback(request: OrgRequest, pk: int) -> HttpResponse:
    """Ask, then publish a copy of an older version."""
    number = get_agent(request)
    found = get_version(number, pk)
    if request.method == "POST":
        try:
            note = _("Back to version %(number)s") % {"number": found.version}
            made = agents.roll_back(found, person_id=request.user.pk, request=request, note=note)
        except ValueError:
            messages.info(request, _("This version holds already."))
        else:
            messages.success(request, _("Version %(number)s holds from the next answer on.") % {"number": made.version})
        return redirect(address(request, "agent:versions", number))
    context = {
        "title": _("Go back to version %(number)s?") % {"number": found.version},
        "text": _("A copy of it holds from the next answer on, as a new version. A draft in work stays as it is."),
        "confirm": _("Go back"),
        "is_final": False,
        "action": request.get_full_path(),
        "cancel_url": address(request, "agent:version", number, pk=pk),
    }
    return render(request, "layouts/confirm.html", context)


def show_draft(request: OrgRequest, number: Number | None, form: NoteForm, *, status: int) -> HttpResponse:
    number_id = number.pk if number else None
    version, holds = agents.shown(number_id), agents.in_force(number_id)
    changed = agents.difference(holds, version) if version.state == AgentVersion.State.DRAFT else {}
    shown = agent_words.changes(holds, version, changed)
    context: dict[str, Any] = {
        **frame(request, number, version=version, current="publication"),
        "form": form,
        "changes": [
            (one, address(request, "agent:section", number, section=agent_forms.section_of(one.name))) for one in shown
        ],
        "seen": agents.fingerprint(version),
        "problems": [
            (one, address(request, "agent:section", number, section=one.section))
            for one in agent_checks.problems(version, now=timezone.now())
        ],
        "edited_by": people([version], by="edited_by").get(version.edited_by or 0, ""),
        "version": version,
        "discard_url": address(request, "agent:discard", number),
    }
    context["is_refused"] = any(one.is_error for one, _url in context["problems"])
    return render(request, "conversations/agent/publication.html", context, status=status)


def get_version(number: Number | None, pk: int) -> AgentVersion:
    """A version of this agent that was published once. Raises Http404 for any other."""
    found = AgentVersion.objects.filter(pk=pk, number_id=number.pk if number else None)
    version = found.exclude(state=AgentVersion.State.DRAFT).first()
    if version is None:
        raise Http404
    return version


def people(versions: Any, *, by: str = "published_by") -> dict[int, str]:
    """Names of who published (or edited) these, by id."""
    ids = {getattr(one, by) for one in versions} - {None}
    return {person.pk: str(person) for person in Person.objects.filter(pk__in=ids)} if ids else {}
