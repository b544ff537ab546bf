"""Texts at hand: choosing one in a conversation; the page of all of them. Everybody looks, admins change."""

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from conversations import canned
from conversations.access import get_conversation
from conversations.forms import CannedReplyForm, ReplyForm, plain
from conversations.models import CannedReply, Conversation
from conversations.views.replies import answered
from orgs.access import require_role
from orgs.http import OrgRequest
from orgs.models import Refused, Role


@require_role(Role.SDR)
@require_http_methods(["GET", "POST"])
def choose(request: OrgRequest, pk: int) -> HttpResponseBase:
    """GET: every canned reply filled in for this lead, as the composer's list of choices.

    POST, without scripts: a page to choose one, which carries on what was typed; with `canned`, the composer again.
    """
    conversation = get_conversation(request, pk)
    typed = plain(request.POST.get("text", ""))
    chosen = request.POST.get("canned", "")
    if chosen.isascii() and chosen.isdigit() and len(chosen) < 19:
        text = canned.filled(get_canned(int(chosen)).text, canned.values_for(conversation, request.user)).text
        quoted = request.POST.get("quoted")
        form = ReplyForm(initial={"text": "\n".join(part for part in (typed, text) if part), "quoted": quoted})
        return answered(request, pk, form=form, write="reply")
    context = {"conversation": conversation, "choices": choices(conversation, request), "typed": typed}
    if request.method == "GET":
        return render(request, "conversations/canned/_choices.html", context)
    return render(request, "conversations/canned/choose.html", context | {"quoted": request.POST.get("quoted", "")})


def choices(conversation: Conversation, request: OrgRequest) -> list[tuple[CannedReply, canned.Filled]]:
    """All of the org's, by shortcut, each with its text for this lead."""
    values = canned.values_for(conversation, request.user)
    return [(one, canned.filled(one.text, values)) for one in CannedReply.objects.order_by("shortcut")]


@require_role(Role.VIEWER)
@require_safe
def index(request: OrgRequest) -> HttpResponse:
    """All of them, and which variables there are."""
    context = {
        "replies": CannedReply.objects.order_by("shortcut"),
        "variables": [(f"{{{{{name}}}}}", words) for name, words in canned.VARIABLES.items()],
        "may_change": request.membership.may(Role.ADMIN),
    }
    return render(request, "conversations/canned/index.html", context)


@require_role(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def create(request: OrgRequest) -> HttpResponse:
    """A new one."""
    return edited(request, None)


@require_role(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def edit(request: OrgRequest, pk: int) -> HttpResponse:
    """Another text or shortcut."""
    return edited(request, get_canned(pk))


def edited(request: OrgRequest, reply: CannedReply | None) -> HttpResponse:
    initial = {"shortcut": reply.shortcut, "text": reply.text} if reply else {}
    form = CannedReplyForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            canned.keep(reply, request.user, shortcut=given["shortcut"], text=given["text"], request=request)
        except Refused as refused:
            form.add_error("shortcut" if refused.code == "shortcut_taken" else None, str(refused))
        else:
            messages.success(request, _("Your changes are saved."))
            return redirect("canned:index", slug=request.org.slug)
    variables = [(f"{{{{{name}}}}}", words) for name, words in canned.VARIABLES.items()]
    context = {"form": form, "reply": reply, "variables": variables}
    return render(request, "conversations/canned/edit.html", context, status=422 if form.errors else 200)


@require_role(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def removal(request: OrgRequest, pk: int) -> HttpResponse:
    """Ask, then remove one."""
    reply = get_canned(pk)
    if request.method == "POST":
        canned.remove(reply, request.user, request=request)
        messages.success(request, _("Removed."))
        return redirect("canned:index", slug=request.org.slug)
    context = {
        "title": _("Remove /%(shortcut)s?") % {"shortcut": reply.shortcut},
        "text": _("Nobody can insert it any more. What was sent stays."),
        "confirm": _("Remove"),
        "is_final": True,
        "action": request.path,
    }
    return render(request, "conversations/canned/confirm.html", context)


def get_canned(pk: int) -> CannedReply:
    """One of the org that is entered. Raises Http404 for any other."""
    reply = CannedReply.objects.filter(pk=pk).first()
    if reply is None:
        raise Http404
    return reply
