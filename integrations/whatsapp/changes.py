"""What people do with a number: each verb writes its audit entry with the change, and never calls the server itself."""

import secrets
from dataclasses import dataclass, field

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from conversations import pause
from conversations.models import Number
from conversations.ports import LinkState
from integrations.whatsapp import auth, connect
from integrations.whatsapp.numbers import KEY_BYTES, check_url
from orgs.audit import Action, record
from orgs.http import OrgRequest
from orgs.models import ChannelAddress, Org, Refused

SECRET_BYTES = 32
ACTIONS = {
    Number.Intent.CONNECT: Action.NUMBER_CONNECTION_STARTED,
    Number.Intent.RENEW: Action.NUMBER_CONNECTION_RENEWED,
    Number.Intent.RESTART: Action.NUMBER_RESTARTED,
    Number.Intent.WEBHOOK: Action.NUMBER_WEBHOOK_SET,
    Number.Intent.LOGOUT: Action.NUMBER_LOGGED_OUT,
    Number.Intent.REMOVE: Action.NUMBER_REMOVED,
}


@dataclass(frozen=True)
class Server:
    """An Evolution server of the org's own: its public address and its global key."""

    url: str
    key: str = field(repr=False)


def start(request: OrgRequest, name: str, *, phone: str, mode: str, server: Server | None = None) -> Number:
    """Add a number and begin to connect it. Out: its row; the code appears there as soon as the server gives one.

    In: `phone` in canonical digits, "" when not declared; without `server` it is the installation's. Raises Refused
    when there is none, or when its address cannot be right.
    """
    if server is None and not settings.EVOLUTION_URL:
        raise Refused("url", _("This installation has no Evolution server of its own. Give the address of yours."))
    if server is not None:
        check_url(server.url)
    with transaction.atomic():
        number = Number.objects.create(
            name=name,
            phone=phone,
            mode=mode,
            state=LinkState.CLOSED,
            provider_url=server.url.rstrip("/") if server else "",
            server_key=server.key if server else "",
            is_outside=server is not None,
        )
        key = secrets.token_urlsafe(KEY_BYTES)
        proof = auth.Proof.HMAC if server is None and settings.SIGNING_PROXY_URL else auth.Proof.JWT
        ChannelAddress.objects.create(
            org_id=request.org.pk, number_id=number.pk, key=key, auth=proof, secret=new_secret(proof, key)
        )
        note(request, Action.NUMBER_ADDED, number, proof=proof.value)
        ask(request, number, Number.Intent.CONNECT)
    number.refresh_from_db()
    return number


def new_secret(proof: auth.Proof, key: str) -> str:
    """A secret for an address; with the signing proxy it follows from the installation's master secret."""
    if proof is auth.Proof.HMAC and settings.SIGNING_PROXY_URL:
        return auth.number_secret(settings.SIGNING_PROXY_KEYRING[0], key, "signature")
    return secrets.token_urlsafe(SECRET_BYTES)


def ask(request: OrgRequest, number: Number, intent: Number.Intent) -> None:
    """Have it connected, restarted, logged out, removed … by a shift. Raises Refused for one that is going away."""
    if intent != Number.Intent.REMOVE and not (number.instance or number.intent or has_server(number)):
        raise Refused("", _("This number has no Evolution server: whoever set it up connects it there."))
    with transaction.atomic():
        if not connect.want(number, intent):
            raise Refused("", _("This number is being removed."))
        note(request, ACTIONS[intent], number)


def has_server(number: Number) -> bool:
    """Whether we may make the number's instance ourselves."""
    return bool(number.server_key or number.is_ours or (settings.EVOLUTION_URL and not number.provider_url))


def set_mode(request: OrgRequest, number: Number, mode: Number.Mode) -> None:
    """How far the AI is live on this number. "Only new contacts" counts from now; raised, what waits is answered."""
    with transaction.atomic():
        number = live(number)
        if number.mode == mode:
            return
        was = number.mode
        number = pause.set_mode(number, mode)
        note(request, Action.NUMBER_MODE_CHANGED, number, was=was, mode=mode.value)


def rename(request: OrgRequest, number: Number, *, name: str, phone: str) -> None:
    """Another name, or another phone that is expected to be paired (canonical digits, "" for any)."""
    with transaction.atomic():
        number = live(number)
        is_other = number.phone != phone
        number.name, number.phone = name, phone
        if number.trouble == "other_phone" and is_other:
            number.trouble = ""
        number.save(update_fields=["name", "phone", "trouble"])
        note(request, Action.NUMBER_CHANGED, number, name=name, is_other_number=is_other)


def rotate_secret(request: OrgRequest, number: Number) -> None:
    """A new webhook secret beside the old one, which ends 45 minutes after the first event that came with the new.

    Raises Refused while an older rotation is under way (two live secrets, PRODUCT 8), and where the installation's
    signing proxy has the secret.
    """
    with transaction.atomic():
        number = live(number)
        address = ChannelAddress.objects.select_for_update().get(org_id=request.org.pk, number_id=number.pk)
        if is_by_proxy(address):
            raise Refused("", _("The installation's signing proxy holds this secret; it is changed there."))
        if former_is_live(address):
            raise Refused("", _("The former secret still counts. End it first, or wait until it ends by itself."))
        address.former_secret, address.former_secret_until = str(address.secret), None
        address.secret = new_secret(auth.Proof(address.auth), address.key)
        address.save(update_fields=["secret", "former_secret", "former_secret_until"])
        number.webhook_set_at, number.verified_at = timezone.now(), None
        number.save(update_fields=["webhook_set_at", "verified_at"])
        note(request, Action.NUMBER_SECRET_ROTATED, number)
        if number.is_ours and number.instance:
            connect.want(number, Number.Intent.WEBHOOK)


def end_former_secret(request: OrgRequest, number: Number) -> None:
    """The former secret opens nothing any more."""
    with transaction.atomic():
        number = live(number)
        address = ChannelAddress.objects.select_for_update().get(org_id=request.org.pk, number_id=number.pk)
        if address.former_secret:
            address.former_secret, address.former_secret_until = "", None
            address.save(update_fields=["former_secret", "former_secret_until"])
            note(request, Action.NUMBER_SECRET_ENDED, number)


def former_is_live(address: ChannelAddress) -> bool:
    until = address.former_secret_until
    return bool(address.former_secret) and (until is None or until > timezone.now())


def is_by_proxy(address: ChannelAddress) -> bool:
    """Whether the installation's signing proxy makes the signature."""
    if not settings.SIGNING_PROXY_URL or address.auth != auth.Proof.HMAC:
        return False
    made = [auth.number_secret(master, address.key, "signature") for master in settings.SIGNING_PROXY_KEYRING]
    return address.secret in made


def live(number: Number) -> Number:
    """The row, locked. Raises Refused for one that is going away."""
    found: Number = Number.objects.select_for_update().get(pk=number.pk)
    if found.removed_at is not None:
        raise Refused("", _("This number is being removed."))
    return found


def note(request: OrgRequest, action: Action, number: Number, **data: object) -> None:
    org: Org = request.org
    record(action, request=request, org=org, target=f"number:{number.pk}", data=data)
