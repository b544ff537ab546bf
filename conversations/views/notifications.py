"""What a member is told: the bell, the list, and how they want to be told."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from conversations import news, shell
from conversations.notification_forms import NotificationSettingsForm
from orgs import notifications, push
from orgs.access import require_role
from orgs.http import OrgRequest
from orgs.models import Notification, Role

PER_PAGE = 30


@require_role(Role.VIEWER)
@never_cache
@require_GET
def index(request: OrgRequest) -> HttpResponse:
    """The member's notifications, newest first, a page at a time."""
    before = request.GET.get("before", "")
    mine = Notification.objects.filter(membership=request.membership).shown()
    if before.isascii() and before.isdigit() and len(before) < 19:
        mine = mine.filter(pk__lt=int(before))
    rows = list(mine[: PER_PAGE + 1])
    shown = rows[:PER_PAGE]
    context = {
        "news": news.of(shown, request.membership, may_name=True),
        "older": shown[-1].pk if len(rows) > PER_PAGE else "",
        "before": before,
    }
    return render(request, "conversations/notifications/index.html", context)


@require_role(Role.VIEWER)
@never_cache
@require_GET
def show(request: OrgRequest, pk: int) -> HttpResponse:
    """Lead to what it is about; it counts as read. 404 for anybody else's."""
    row = Notification.objects.filter(membership=request.membership, pk=pk).first()
    if row is None:
        raise Http404
    notifications.mark_read(request.membership, pks=[row.pk])
    [told] = news.of([row], request.membership, may_name=True)
    if not told.path:
        messages.info(request, told.detail)
    return redirect(told.path or request.path.rsplit("/", 2)[0] + "/")


@require_role(Role.VIEWER)
@require_POST
def reading(request: OrgRequest) -> HttpResponse:
    """All of the member's count as read."""
    notifications.mark_read(request.membership)
    return redirect("notifications:index", slug=request.org.slug)


@require_role(Role.VIEWER)
@never_cache
@require_GET
def bell(request: OrgRequest) -> HttpResponse:
    """The bell with its count, for open pages."""
    return render(request, "layouts/_bell.html", {"status": shell.status(request.membership)})


@require_role(Role.VIEWER)
@never_cache
@require_http_methods(["GET", "POST"])
def settings(request: OrgRequest) -> HttpResponse:
    """How the member wants to be told; with errors the form comes back with 422."""
    own = notifications.settings_of(request.membership)
    form = NotificationSettingsForm(request.POST or None, instance=own, member=request.membership)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, _("Your changes are saved."))
        return redirect("notifications:settings", slug=request.org.slug)
    browsers = list(request.user.push_subscriptions.order_by("-created_at", "-pk"))
    context = {
        "form": form,
        "push_key": push.public_key(),
        "browsers": browsers,
        "session_key": request.session.session_key,
        "is_this_on": any(one.session_key == request.session.session_key for one in browsers),
    }
    return render(request, "conversations/notifications/settings.html", context, status=422 if form.errors else 200)


@require_role(Role.VIEWER)
@require_POST
def subscribe(request: OrgRequest) -> HttpResponse:
    """Show notifications in this browser: `endpoint`, `p256dh` and `auth` are as it says. 204, or 422 for nonsense."""
    if not push.is_on():
        raise Http404
    try:
        push.subscribe(
            request.user,
            endpoint=request.POST.get("endpoint", ""),
            p256dh=request.POST.get("p256dh", ""),
            auth=request.POST.get("auth", ""),
            session_key=request.session.session_key or "",
            user_agent=request.headers.get("User-Agent", ""),
        )
    except ValidationError as error:
        return HttpResponse(" ".join(error.messages), status=422, content_type="text/plain; charset=utf-8")
    return HttpResponse(status=204)


@require_role(Role.VIEWER)
@require_POST
def unsubscribe(request: OrgRequest, pk: int) -> HttpResponse:
    """Show nothing any more in one of the person's browsers. 404 for anybody else's."""
    if not request.user.push_subscriptions.filter(pk=pk).delete()[0]:
        raise Http404
    messages.success(request, _("Nothing is shown in that browser any more."))
    return redirect("notifications:settings", slug=request.org.slug)
