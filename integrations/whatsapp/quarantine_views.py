"""What came by webhook and could not be used, for administrators: what it was, why, once more, or away with it.

Bodies are never shown: they are what a lead said, or what we could not read, and this page is about the way here.
"""

import re
from dataclasses import dataclass

from django.contrib import messages
from django.db.models import BinaryField, F, Func, Value
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from conversations.models import Number
from integrations import quarantine
from integrations.models import KEPT_FOR, Quarantine
from orgs.access import require_role
from orgs.http import OrgRequest
from orgs.models import Role

SHOWN = 100  # the newest
LOOKED_AT = 400  # bytes of a body, to tell what it is: the event's name stands first
EVENT = re.compile(rb'"event"\s*:\s*"([a-z._]{1,40})"')
WHAT: dict[str, str | Promise] = {
    "messages.upsert": gettext_lazy("A message"),
    "send.message": gettext_lazy("A message of yours"),
    "messages.set": gettext_lazy("Older messages"),
    "messages.update": gettext_lazy("News of a message that was sent"),
    "messages.edited": gettext_lazy("A changed message"),
    "messages.delete": gettext_lazy("A deleted message"),
    "connection.update": gettext_lazy("News of the connection"),
    "qrcode.updated": gettext_lazy("A code to connect with"),
    "call": gettext_lazy("A call"),
}
UNKNOWN = gettext_lazy("Something we cannot tell")
Reason = Quarantine.Reason
HINTS: dict[str, str | Promise] = {
    Reason.UNREADABLE: gettext_lazy("It is not what WhatsApp sends. Once we can read it, try it again."),
    Reason.TOO_LARGE: gettext_lazy("Only its beginning was kept, so it cannot be tried again."),
    Reason.WRONG_INSTANCE: gettext_lazy(
        "Check at your Evolution server which instance posts to this number's address."
    ),
    Reason.UNSTORABLE: gettext_lazy("Something in it cannot be kept. Once that is mended, try it again."),
    Reason.FAILED: gettext_lazy("We kept trying. Once what was in the way is gone, try it again."),
    Reason.NUMBER_GONE: gettext_lazy("The number was removed, so it cannot be tried again."),
}


@dataclass(frozen=True)
class Row:
    """One thing that is set aside, as the page tells it."""

    one: Quarantine
    what: str | Promise
    number: str  # its name, "" when it is gone
    hint: str | Promise

    @property
    def may_be_tried(self) -> bool:
        return self.one.is_whole and bool(self.number)


@require_role(Role.ADMIN)
@require_safe
def index(request: OrgRequest) -> HttpResponse:
    """The newest first."""
    waiting = Quarantine.objects.filter(replayed_at=None)
    beginning = Func(F("body"), Value(1), Value(LOOKED_AT), function="substring", output_field=BinaryField())
    newest = waiting.defer("body", "headers").annotate(beginning=beginning).order_by("-received_at", "-pk")[:SHOWN]
    names = dict(Number.objects.filter(removed_at=None).values_list("pk", "name"))
    rows = []
    for one in newest:
        what = what_is(bytes(one.beginning))  # type: ignore[attr-defined]  # as annotated
        rows.append(Row(one, what, names.get(one.number_id, ""), HINTS.get(one.reason, "")))
    context = {
        "rows": rows,
        "total": waiting.count(),
        "may_try_all": sum(row.may_be_tried for row in rows) > 1,
        "days": KEPT_FOR.days,
    }
    return render(request, "integrations/whatsapp/quarantine/index.html", context)


def what_is(beginning: bytes) -> str | Promise:
    """What a body is about, by its first bytes; its words are never looked at."""
    found = EVENT.search(beginning)
    return WHAT.get(found[1].decode(), UNKNOWN) if found else UNKNOWN


@require_role(Role.ADMIN)
@require_POST
def replay(request: OrgRequest, pk: int) -> HttpResponse:
    """One more chance for one; somebody else may have given it meanwhile."""
    get_row(pk)
    return told(request, quarantine.replay(request.org, pk=pk, person=request.user))


@require_role(Role.ADMIN)
@require_POST
def replay_all(request: OrgRequest) -> HttpResponse:
    """One more chance for all."""
    return told(request, quarantine.replay(request.org, person=request.user))


def told(request: OrgRequest, replayed: quarantine.Replayed) -> HttpResponse:
    if replayed.queued:
        said = ngettext(
            "%(count)d is on its way again. Should it fail again, it comes back here.",
            "%(count)d are on their way again. Those that fail again come back here.",
            replayed.queued,
        )
        messages.success(request, said % {"count": replayed.queued})
    if replayed.ignored:
        said = ngettext(
            "%(count)d turned out to be none of our business.",
            "%(count)d turned out to be none of our business.",
            replayed.ignored,
        )
        messages.info(request, said % {"count": replayed.ignored})
    if replayed.refused:
        said = ngettext("%(count)d still cannot be used.", "%(count)d still cannot be used.", replayed.refused)
        messages.error(request, said % {"count": replayed.refused})
    return redirect("numbers:quarantine", slug=request.org.slug)


@require_role(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def dismissal(request: OrgRequest, pk: int) -> HttpResponse:
    """Ask, then throw one away."""
    if request.method == "POST":
        get_row(pk)
        if quarantine.dismiss(request.org, pk, person=request.user):
            messages.success(request, _("It is gone."))
        return redirect("numbers:quarantine", slug=request.org.slug)
    one = get_row(pk)
    context = {
        "one": one,
        "title": _("Throw this away?"),
        "text": _("What was in it is lost for good. If it was a message, nobody will ever see it here."),
        "confirm": _("Throw away"),
        "is_final": True,
        "action": request.path,
    }
    return render(request, "integrations/whatsapp/quarantine/dismissal.html", context)


def get_row(pk: int) -> Quarantine:
    """A row of the org that is entered. Raises Http404 for any other."""
    one = Quarantine.objects.defer("body").filter(pk=pk).first()
    if one is None:
        raise Http404
    return one
