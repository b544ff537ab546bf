"""The org's cases: what people said was wrong with the AI, and their export for `manage.py evaluate`."""

from dataclasses import dataclass

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from conversations import eval_cases, wording
from conversations.access import may_see, theirs
from conversations.models import Conversation, EvalCase, FactKey
from orgs.access import require_role
from orgs.http import OrgRequest
from orgs.models import Person, Role

PER_PAGE = 25


@dataclass(frozen=True)
class Line:
    """A case for people: its words as they are now, and what should have been."""

    case: EvalCase
    words: eval_cases.Words
    expected: tuple[str, ...]
    by: str
    may_remove: bool


@require_role(Role.VIEWER)
@require_safe
def index(request: OrgRequest) -> HttpResponse:
    """The cases of conversations the member may see, newest first."""
    found = EvalCase.objects.filter(conversation__in=Conversation.objects.filter(theirs(request.membership)))
    found = found.select_related("conversation__contact").order_by("-pk")
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    cases = list(page)
    said = eval_cases.words(cases)
    people = Person.objects.filter(pk__in={case.person_id for case in cases if case.person_id})
    names = dict(people.values_list("pk", "name")) if cases else {}
    context = {
        "page": page,
        "lines": [
            Line(case, said[case.pk], expected(case), names.get(case.person_id or 0, ""), may_remove(request, case))
            for case in cases
        ],
        "may_export": request.membership.may(Role.ADMIN) and bool(cases),
    }
    return render(request, "conversations/eval_cases/index.html", context)


@require_role(Role.ADMIN)
@require_POST
def export(request: OrgRequest) -> HttpResponse:
    """A file for `manage.py evaluate`. It holds leads' words, so it is asked for and recorded."""
    content = eval_cases.export(request.user, request=request)
    name = f"{request.org.slug}-cases.jsonl"
    return HttpResponse(
        content,
        content_type="application/x-ndjson; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@require_role(Role.SDR)
@require_POST
def end(request: OrgRequest, pk: int) -> HttpResponse:
    """Remove a case: whoever reported it, or an administrator."""
    case = EvalCase.objects.select_related("conversation").filter(pk=pk).first()
    if case is None or not may_see(request.membership, case.conversation) or not may_remove(request, case):
        raise Http404
    eval_cases.remove(case, request.user, request=request)
    messages.success(request, _("The case is removed."))
    return redirect("conversations:eval_cases", slug=request.org.slug)


def may_remove(request: OrgRequest, case: EvalCase) -> bool:
    """Only one's own, but administrators all."""
    return request.membership.may(Role.ADMIN) or (
        request.membership.may(Role.SDR) and case.person_id == request.user.pk
    )


def expected(case: EvalCase) -> tuple[str, ...]:
    """What should have been, in words."""
    expect = case.expect
    lines = []
    if "intent" in expect:
        lines.append(wording.intent(expect["intent"]))
    lines += [
        f"{FactKey(key).label}: {wording_of(value)}" for key, value in expect.get("facts", {}).items() if key in FactKey
    ]
    lines += [
        _("Not so: “%(words)s” (%(kind)s)") % {"words": one["text"], "kind": wording.claim(one["kind"])}
        for one in expect.get("violations", [])
    ]
    if expect.get("answerable"):
        lines.append(_("Your knowledge answers it."))
    return tuple(lines)


def wording_of(value: object) -> str:
    """A fact's value in words."""
    return {True: _("Yes"), False: _("No")}[value] if isinstance(value, bool) else str(value)
