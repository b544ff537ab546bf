"""One verb for several conversations, and taking it back."""

from collections.abc import Callable
from datetime import timedelta

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, ngettext_lazy
from django.views.decorators.http import require_POST

from conversations import access, lifecycle, listing, replies
from conversations.listing import Wanted
from conversations.models import Conversation
from orgs.access import require_role
from orgs.http import OrgRequest
from orgs.models import Refused, Role
from sdr.lib.undo import undo_tag

MOST = 200  # conversations at once
SNOOZED_FOR = timedelta(days=1)


@require_role(Role.SDR)
@require_POST
def create(request: OrgRequest) -> HttpResponse:
    """Do `verb` to each `pk`; what cannot be done is counted. Back to the list `back`, with a way to undo it."""
    verb = VERBS.get(request.POST.get("verb", ""))
    pks = {int(pk) for pk in request.POST.getlist("pk") if pk.isascii() and pk.isdigit() and len(pk) < 19}
    mine = Conversation.objects.filter(access.theirs(request.membership))
    chosen = list(mine.filter(pk__in=sorted(pks)[:MOST]).order_by("pk"))
    if verb is None or not chosen:
        messages.error(request, _("Select conversations first, and then what to do with them."))
        return back(request)
    do, words, undone_by = verb
    done = 0
    undoable: list[int] = []
    for conversation in chosen:
        try:
            may_undo = do(request, conversation)
        except (Refused, Conversation.DoesNotExist):  # the latter: erased or merged a moment ago
            continue
        done += 1
        if may_undo:
            undoable.append(conversation.pk)
    if done:
        tag = ""
        if undoable and undone_by and "undoing" not in request.POST:
            fields: dict[str, str | list[int]] = {
                "verb": undone_by,
                "pk": undoable,
                "back": request.POST.get("back", ""),
                "undoing": "1",
            }
            tag = undo_tag(reverse("conversations:bulk", args=[request.org.slug]), fields)
        messages.success(request, str(words % {"count": done}), extra_tags=tag)
    if done < len(chosen):
        messages.warning(
            request,
            ngettext(
                "%(count)s conversation could not be changed.",
                "%(count)s conversations could not be changed.",
                len(chosen) - done,
            )
            % {"count": len(chosen) - done},
        )
    return back(request)


def back(request: OrgRequest) -> HttpResponse:
    """To the list as it was, or the conversation `to`; of the address only what a list can be asked for is kept."""
    to = request.POST.get("to", "")
    if to.isascii() and to.isdigit() and len(to) < 19:
        return redirect("conversations:conversation", slug=request.org.slug, pk=int(to))
    query = Wanted.read(QueryDict(request.POST.get("back", "")).dict()).query
    address = reverse("conversations:inbox", args=[request.org.slug])
    return redirect(f"{address}?{query}" if query else address)


# --- The verbs. Out: whether it changed something that can be taken back. ---------------------------------------------
def take(request: OrgRequest, conversation: Conversation) -> bool:
    was_the_ais = conversation.owner == Conversation.Owner.AI
    replies.take_over(conversation, request.user, request=request)
    return was_the_ais


def give(request: OrgRequest, conversation: Conversation) -> bool:
    was_mine = conversation.owner_person_id == request.user.pk
    replies.give_back(conversation, request.user, request=request)
    return was_mine


def read(request: OrgRequest, conversation: Conversation) -> bool:
    Conversation.objects.filter(pk=conversation.pk).update(unread=0)
    listing.read([conversation], request.user.pk)
    return False


def snooze(request: OrgRequest, conversation: Conversation) -> bool:
    lifecycle.snooze(conversation, request.user, until=timezone.now() + SNOOZED_FOR, request=request)
    return True


def close(request: OrgRequest, conversation: Conversation) -> bool:
    was_open = conversation.lifecycle != Conversation.Lifecycle.CLOSED
    lifecycle.close(
        conversation, request.user, reason=Conversation.Closing.DONE, seen_seq=conversation.seq, request=request
    )
    return was_open


def reopen(request: OrgRequest, conversation: Conversation) -> bool:
    lifecycle.reopen(conversation, request.user, request=request)
    return True


Verb = Callable[[OrgRequest, Conversation], bool]
VERBS: dict[str, tuple[Verb, "str | Promise", str]] = {
    "take": (
        take,
        ngettext_lazy("You have %(count)s conversation now.", "You have %(count)s conversations now.", "count"),
        "give",
    ),
    "give": (
        give,
        ngettext_lazy("The AI has %(count)s conversation again.", "The AI has %(count)s conversations again.", "count"),
        "take",
    ),
    "read": (
        read,
        ngettext_lazy(
            "%(count)s conversation is marked as read.", "%(count)s conversations are marked as read.", "count"
        ),
        "",
    ),
    "snooze": (
        snooze,
        ngettext_lazy("%(count)s conversation sleeps for a day.", "%(count)s conversations sleep for a day.", "count"),
        "reopen",
    ),
    "close": (
        close,
        ngettext_lazy("%(count)s conversation is closed.", "%(count)s conversations are closed.", "count"),
        "reopen",
    ),
    "reopen": (
        reopen,
        ngettext_lazy("%(count)s conversation is open again.", "%(count)s conversations are open again.", "count"),
        "",
    ),
}
