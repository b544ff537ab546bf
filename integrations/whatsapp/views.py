"""The org's WhatsApp numbers: the list, connecting one, and what may be done with it. Everybody looks, admins act."""

import secrets
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256

from django import forms
from django.conf import settings
from django.contrib import messages
from django.db.models import F
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import patch_vary_headers
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from conversations.models import Number
from integrations.models import Quarantine
from integrations.whatsapp import auth, changes, connect, wording
from integrations.whatsapp.forms import AddressForm, ModeForm, NameForm, NumberForm, ServerForm
from integrations.whatsapp.numbers import add_number
from orgs.access import require_role
from orgs.audit import Action
from orgs.http import OrgRequest
from orgs.models import ChannelAddress, Refused, Role

Intent = Number.Intent


# --- Looking --------------------------------------------------------------------------------------------------------
@require_role(Role.VIEWER)
@require_safe
def index(request: OrgRequest) -> HttpResponse:
    """All numbers, those removed last; htmx gets the list alone, or 204 while it is as `seen`."""
    numbers = Number.objects.order_by(F("removed_at").asc(nulls_first=True), "name", "pk")
    rows = [(number, wording.standing(number)) for number in numbers]
    may_manage = request.membership.may(Role.ADMIN)
    context = {"rows": rows, "version": version_of(rows), "may_manage": may_manage}
    if may_manage:
        context["quarantined"] = Quarantine.objects.filter(replayed_at=None).count()
    return answer(request, "index", "_list", context)


@require_role(Role.VIEWER)
@never_cache
@require_safe
def show(request: OrgRequest, pk: int) -> HttpResponse:
    """One number with its code, state and address; htmx gets the live part alone, or 204 while it is as `seen`."""
    number = get_number(pk)
    return answer(request, "show", "_live", show_context(request, number))


def show_context(request: OrgRequest, number: Number) -> dict[str, object]:
    may_manage = request.membership.may(Role.ADMIN)
    address = address_of(request, number)
    is_pairing = wording.is_pairing(number)
    code = connect.code_of(number) if is_pairing and may_manage else {"qr": "", "code": ""}
    until = number.code_at + timedelta(seconds=connect.CODE_SECONDS) if number.code_at else None
    standing = wording.standing(number)
    return {
        "number": number,
        "standing": standing,
        "reason": wording.reason(number),
        "trouble": wording.trouble(number),
        "is_pairing": is_pairing,
        "qr": code["qr"],
        "code": f"{code['code'][:4]}-{code['code'][4:]}" if code["code"] else "",
        "code_until": until,
        "code_seconds": connect.CODE_SECONDS,
        "may_manage": may_manage,
        "has_server": changes.has_server(number) or bool(number.instance),
        "address": address,
        "webhook_url": connect.public_url(address) if address and may_manage else "",
        "former_is_live": address is not None and changes.former_is_live(address),
        "is_by_proxy": address is not None and changes.is_by_proxy(address),
        "mode_form": ModeForm(initial={"mode": number.mode}),
        "version": version_of([(number, standing)]),
    }


def answer(request: OrgRequest, page: str, part: str, context: dict[str, object]) -> HttpResponse:
    """The page, its live part for htmx, or 204 when nothing has changed."""
    is_htmx = request.headers.get("HX-Request") == "true"
    if is_htmx and request.GET.get("seen") == context["version"]:
        response = HttpResponse(status=204)
    else:
        response = render(request, f"integrations/whatsapp/numbers/{part if is_htmx else page}.html", context)
    patch_vary_headers(response, ["HX-Request"])
    return response


def version_of(shown: list[tuple[Number, wording.Standing]]) -> str:
    """Changes whenever the page would look different."""
    parts = [
        (number.pk, number.name, number.mode, str(standing.label), number.trouble, number.reason, number.code,
         number.verified_at, number.webhook_set_at, number.phone, number.own_jid,
         number.heard_at and number.heard_at.replace(second=0, microsecond=0))
        for number, standing in shown
    ]  # fmt: skip
    return sha256(repr(parts).encode()).hexdigest()[:16]


def get_number(pk: int) -> Number:
    """A number of the org that is entered. Raises Http404 for any other."""
    number = Number.objects.filter(pk=pk).first()
    if number is None:
        raise Http404
    return number


def address_of(request: OrgRequest, number: Number) -> ChannelAddress | None:
    found: ChannelAddress | None = ChannelAddress.objects.filter(org_id=request.org.pk, number_id=number.pk).first()
    return found


# --- Adding ---------------------------------------------------------------------------------------------------------
@require_role(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def create(request: OrgRequest) -> HttpResponse:
    """A number at the installation's Evolution server; without one, the way to the org's own."""
    if not settings.EVOLUTION_URL:
        way = "numbers:new_at_server" if settings.ORGS_NAME_SERVERS else "numbers:new_address"
        return redirect(way, slug=request.org.slug)
    return add(request, NumberForm, "new")


@require_role(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def create_at_server(request: OrgRequest) -> HttpResponse:
    """A number at an Evolution server of the org's own."""
    if not settings.ORGS_NAME_SERVERS:
        raise Http404
    return add(request, ServerForm, "server")


def add(request: OrgRequest, kind: type[NumberForm], way: str) -> HttpResponse:
    form = kind(request.POST or None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        server = form.server if isinstance(form, ServerForm) else None
        try:
            number = changes.start(request, given["name"], phone=given["phone"], mode=given["mode"], server=server)
        except Refused as refused:
            form.add_error("server_url" if server else None, str(refused))
        else:
            return redirect("numbers:show", slug=request.org.slug, pk=number.pk)
    return show_form(request, form, way)


@require_role(Role.ADMIN)
@never_cache
@require_http_methods(["GET", "POST"])
def create_address(request: OrgRequest) -> HttpResponse:
    """Only an address for webhooks: whoever runs the Evolution server sets it there."""
    form = AddressForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        proof = auth.Proof(given["proof"])
        address = add_number(
            request.org, given["name"], proof=proof, secret=secrets.token_urlsafe(changes.SECRET_BYTES),
            mode=Number.Mode(given["mode"]), person=request.user,
        )  # fmt: skip
        Number.objects.filter(pk=address.number_id).update(phone=given["phone"])
        return redirect("numbers:show", slug=request.org.slug, pk=address.number_id)
    return show_form(request, form, "address")


def show_form(request: OrgRequest, form: forms.Form, way: str) -> HttpResponse:
    ways = [("new", bool(settings.EVOLUTION_URL)), ("server", settings.ORGS_NAME_SERVERS), ("address", True)]
    context = {"form": form, "way": way, "ways": [name for name, is_open in ways if is_open and name != way]}
    return render(request, "integrations/whatsapp/numbers/new.html", context, status=422 if form.errors else 200)


# --- Changing -------------------------------------------------------------------------------------------------------
@require_role(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def edit(request: OrgRequest, pk: int) -> HttpResponse:
    """Another name or declared phone."""
    number = get_number(pk)
    form = NameForm(request.POST or None, initial={"name": number.name, "phone": number.phone})
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        return done(
            request, number, _("Your changes are saved."),
            lambda: changes.rename(request, number, name=given["name"], phone=given["phone"]),
        )  # fmt: skip
    context = {"form": form, "number": number}
    return render(request, "integrations/whatsapp/numbers/edit.html", context, status=422 if form.errors else 200)


@require_role(Role.ADMIN)
@require_POST
def mode(request: OrgRequest, pk: int) -> HttpResponse:
    """How far the AI is live on this number."""
    number, form = get_number(pk), ModeForm(request.POST)
    if not form.is_valid():
        context = {**show_context(request, number), "mode_form": form}
        return render(request, "integrations/whatsapp/numbers/show.html", context, status=422)
    chosen = Number.Mode(form.cleaned_data["mode"])
    return done(
        request, number, _("That is how the AI works on this number now."),
        lambda: changes.set_mode(request, number, chosen),
    )  # fmt: skip


@require_role(Role.ADMIN)
@require_POST
def connection(request: OrgRequest, pk: int) -> HttpResponse:
    """Connect: a code is asked for."""
    return want(request, pk, Intent.CONNECT)


@require_role(Role.ADMIN)
@require_POST
def webhook(request: OrgRequest, pk: int) -> HttpResponse:
    """Tell the server our address and secret once more."""
    return want(request, pk, Intent.WEBHOOK, _("The Evolution server is being told the address again."))


@require_role(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def renewal(request: OrgRequest, pk: int) -> HttpResponse:
    """Ask, then begin anew with a fresh session."""
    return confirmed(request, pk, Intent.RENEW, RENEWAL)


@require_role(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def restart(request: OrgRequest, pk: int) -> HttpResponse:
    """Ask, then close the connection and open it again, which also proves the webhook."""
    return confirmed(request, pk, Intent.RESTART, RESTART)


@require_role(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def logout(request: OrgRequest, pk: int) -> HttpResponse:
    """Ask, then unlink the phone."""
    return confirmed(request, pk, Intent.LOGOUT, LOGOUT)


@require_role(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def removal(request: OrgRequest, pk: int) -> HttpResponse:
    """Ask, then remove the number."""
    return confirmed(request, pk, Intent.REMOVE, REMOVAL, then="numbers:index")


Question = dict[str, str | Promise | bool]
RENEWAL: Question = {
    "title": gettext_lazy("Begin anew?"),
    "text": gettext_lazy(
        "The present session is thrown away and you scan a new code. Do this when a number neither connects nor shows "
        "a code. Conversations stay."
    ),
    "confirm": gettext_lazy("Begin anew"),
}
RESTART: Question = {
    "title": gettext_lazy("Restart the connection?"),
    "text": gettext_lazy(
        "The number is away for some seconds. Nothing is lost, and we check that events of the server reach us."
    ),
    "confirm": gettext_lazy("Restart"),
}
LOGOUT: Question = {
    "title": gettext_lazy("Log out?"),
    "text": gettext_lazy(
        "The phone is unlinked. What leads write no longer comes in here until you connect the number again."
    ),
    "confirm": gettext_lazy("Log out"),
}
REMOVAL: Question = {
    "title": gettext_lazy("Remove this number?"),
    "text": gettext_lazy(
        "The phone is unlinked and the number goes. Its conversations stay readable, but nobody can answer in them any "
        "more."
    ),
    "confirm": gettext_lazy("Remove"),
    "is_final": True,
}


def confirmed(
    request: OrgRequest, pk: int, intent: Number.Intent, question: Question, *, then: str = "numbers:show"
) -> HttpResponse:
    """The question, or after the answer the wish."""
    number = get_number(pk)
    if request.method == "POST":
        return want(request, pk, intent, then=then)
    title = f"{number.name}: {question['title']}"
    context = {**question, "title": title, "number": number, "action": request.path}
    return render(request, "integrations/whatsapp/numbers/confirm.html", context)


def want(
    request: OrgRequest, pk: int, intent: Number.Intent, told: str = "", *, then: str = "numbers:show"
) -> HttpResponse:
    number = get_number(pk)
    return done(request, number, told, lambda: changes.ask(request, number, intent), then=then)


def done(
    request: OrgRequest, number: Number, told: str, change: Callable[[], None], *, then: str = "numbers:show"
) -> HttpResponse:
    """Make the change and go back, saying so, or why not."""
    try:
        change()
    except Refused as refused:
        messages.error(request, str(refused))
        then = "numbers:show"
    else:
        if told:
            messages.success(request, told)
    if then == "numbers:index":
        return redirect(then, slug=request.org.slug)
    return redirect(then, slug=request.org.slug, pk=number.pk)


# --- The secret -----------------------------------------------------------------------------------------------------
@require_role(Role.ADMIN)
@never_cache
@require_POST
def secret(request: OrgRequest, pk: int) -> HttpResponse:
    """Show the webhook's secret, for whoever sets it at the Evolution server by hand. Written into the audit log."""
    number = get_number(pk)
    address = address_of(request, number)
    if address is None or changes.is_by_proxy(address):
        raise Http404
    changes.note(request, Action.NUMBER_SECRET_SHOWN, number)
    header = {"jwt": "jwt_key", "token": auth.TOKEN, "hmac": auth.SIGNATURE}[address.auth]
    context = {
        "number": number, "address": address, "secret": str(address.secret), "header": header,
        "webhook_url": connect.public_url(address),
    }  # fmt: skip
    return render(request, "integrations/whatsapp/numbers/secret.html", context)


@require_role(Role.ADMIN)
@require_POST
def rotation(request: OrgRequest, pk: int) -> HttpResponse:
    """A new secret beside the present one."""
    number = get_number(pk)
    told = _("There is a new secret. The former one still counts until the new one has been heard.")
    return done(request, number, told, lambda: changes.rotate_secret(request, number))


@require_role(Role.ADMIN)
@require_POST
def rotation_end(request: OrgRequest, pk: int) -> HttpResponse:
    """End the former secret now."""
    number = get_number(pk)
    told = _("The former secret counts no more.")
    return done(request, number, told, lambda: changes.end_former_secret(request, number))
