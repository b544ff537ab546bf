"""Connecting a number to WhatsApp: what is wanted is written first, then a shift does it at the Evolution server.

A page writes an intent and a Due row in one transaction; the kind `number` carries it out, as often as it takes. Each
step may be repeated, at once or after a crash halfway: an instance is named in our row before it is made, so one whose
answer was lost is found again, and a name that is not ours, or not free, is exchanged for a fresh one, the former being
accepted for 45 minutes more (contracts/evolution.md 2, 3.1, 3.4).
"""

import json
import secrets
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from conversations import links
from conversations.models import Conversation, Message, Number
from conversations.ports import LinkState, LinkUpdate, PairingCode
from integrations.models import Quarantine
from integrations.whatsapp import auth
from integrations.whatsapp.client import EVENTS, Evolution, EvolutionError, Pairing, Webhook
from integrations.whatsapp.numbers import webhook_path
from orgs.models import ChannelAddress
from sdr.lib.errors import PortError
from sdr.lib.http import HttpError
from sdr.lib.jobs import Steps

FORMER_FOR = timedelta(minutes=45)  # so long retries of Evolution's may still carry what was before (3.4)
PAIRING_FOR = timedelta(minutes=10)  # codes are shown for so long after somebody asked
CODE_EVERY = timedelta(seconds=3)  # the code on the page is at most so old
CODE_SECONDS = 45  # how long WhatsApp takes a code (2.2)
VERIFY_WITHIN = timedelta(seconds=20)  # then an event we provoked should have come
HEARD_EVERY = timedelta(seconds=30)
TOKEN_BYTES = 32
Intent = Number.Intent
Again = Steps[timedelta | None]  # when to look again, None when it is done


# --- What a shift does ----------------------------------------------------------------------------------------------
def carry_out(number_id: int) -> Steps[None]:
    """Do what is wanted of the number at its server. Inside the org, outside any transaction; safe to repeat.

    Raises PortError while the server is away, after noting it for the page; what cannot be mended by another try is
    only noted.
    """
    number = Number.objects.filter(pk=number_id).first()
    if number is None:
        return
    try:
        if number.intent:
            again = yield from STEPS[Intent(number.intent)](number)
            if again is None:
                done(number)
            else:
                links.want("number", number.pk, after=again)
        yield from throw_away(number.pk)
    except PortError as error:
        note(number, trouble_of(error))
        if not error.permanent:
            raise
        done(number)


def connect(number: Number) -> Again:
    """Make or find the instance, tell it our address, keep the code that it shows. Out: when to look again."""
    if not number.instance:
        number = rename(number)
    is_prepared = number.code_at is not None and number.intent_at is not None and number.code_at >= number.intent_at
    pairing = yield from ask_code(number) if is_prepared else prepare(number)
    if pairing is None:
        return None
    if pairing.is_open:
        yield from open_up(number)
        return (yield from verify(number))
    keep_code(number, qr=pairing.qr_png, code=pairing.code)
    if number.pairing_until is None or timezone.now() >= number.pairing_until:
        forget_code(number)
        note(number, "nobody_scanned")
        return None
    if number.verified_at is None:
        yield from verify(number)
    return CODE_EVERY


def renew(number: Number) -> Again:
    """Begin anew under a fresh name: the cure for a session that neither opens nor shows a code."""
    return (yield from connect(rename(number, intent=Intent.CONNECT)))


def restart(number: Number) -> Again:
    """Close the connection and open it again. It provokes events, so it also proves that they reach us."""
    if number.webhook_set_at is None or number.intent_at is None or number.webhook_set_at < number.intent_at:
        yield from set_webhook(number)
        try:
            yield partial(client_of(number).restart, number.instance)
        except EvolutionError as error:
            if error.problem != "operation_failed":
                raise
            want(number, Intent.CONNECT)  # there is no session to restart: it needs a code
            return CODE_EVERY
        with transaction.atomic():
            links.look_soon(number.pk)
    return (yield from verify(number))


def tell_webhook(number: Number) -> Again:
    """Tell the server our address and secret once more."""
    yield from set_webhook(number)
    note(number, "")
    return None


def log_out(number: Number) -> Again:
    """Unlink the phone. The number stays, and can be connected again."""
    if number.instance:
        yield partial(client_of(number).logout, number.instance)
    forget_code(number)
    with transaction.atomic():
        links.change(number, LinkUpdate(LinkState.CLOSED, own_jid=number.own_jid))
    return None


def remove(number: Number) -> Again:
    """Delete what we made at the server, then the number; one that has talked with anybody is kept, but put away."""
    if number.instance and number.is_ours:
        yield partial(server_of(number).delete, number.instance)
    yield from throw_away(number.pk)
    with transaction.atomic():
        # The lock keeps an arriving message from making a conversation of a number that goes.
        number = Number.objects.select_for_update().get(pk=number.pk)
        ChannelAddress.objects.filter(org=links.org(), number_id=number.pk).delete()
        if not (Conversation.objects.filter(number=number).exists() or Message.objects.filter(number=number).exists()):
            number.delete()
            return None
        number.instance, number.instance_id, number.provider_key, number.server_key = "", "", "", ""
        number.state, number.state_at, number.code = LinkState.REMOVED, timezone.now(), ""
        number.save(
            update_fields=["instance", "instance_id", "provider_key", "server_key", "state", "state_at", "code"]
        )
    return None


STEPS = {
    Intent.CONNECT: connect,
    Intent.RENEW: renew,
    Intent.RESTART: restart,
    Intent.WEBHOOK: tell_webhook,
    Intent.LOGOUT: log_out,
    Intent.REMOVE: remove,
}


# --- Intents --------------------------------------------------------------------------------------------------------
def want(number: Number, intent: Number.Intent) -> bool:
    """Write down what is wanted and call a shift. Out: False for a number that is going away, of which nothing is.

    A newer wish replaces one that is not done yet.
    """
    with transaction.atomic():
        number = Number.objects.select_for_update().get(pk=number.pk)
        if number.intent == Intent.REMOVE or number.removed_at is not None:
            return False
        now = timezone.now()
        number.intent, number.intent_at, number.trouble = intent, now, ""
        fields = ["intent", "intent_at", "trouble"]
        if intent in {Intent.CONNECT, Intent.RENEW}:
            number.pairing_until, number.code, number.code_at = now + PAIRING_FOR, "", None
            fields += ["pairing_until", "code", "code_at"]
        if intent == Intent.REMOVE:
            number.removed_at, number.mode = now, Number.Mode.OFF
            fields += ["removed_at", "mode"]
        if intent in links.WANTED and number.alerted_at is None:
            number.lost_at = None
            fields.append("lost_at")
        number.save(update_fields=fields)
        links.want("number", number.pk)
    return True


def done(number: Number) -> None:
    """What was wanted when `number` was read is done; a newer wish stays."""
    Number.objects.filter(pk=number.pk, intent_at=number.intent_at).update(intent=Intent.NONE)


def note(number: Number, trouble: str) -> None:
    """Say in the row why it does not work ("" for nothing), unless something else is wanted by now."""
    Number.objects.filter(pk=number.pk, intent_at=number.intent_at).update(trouble=trouble)


def trouble_of(error: PortError) -> str:
    """A closed word for what the server's answer means; integrations.whatsapp.wording has it in words."""
    if isinstance(error, HttpError):
        return "not_public" if error.permanent else "unreachable"
    if error.needs_reconnect:
        return "access_refused"
    problem = error.problem if isinstance(error, EvolutionError) else ""
    if problem in {"version_not_supported", "instance_missing", "proxy_missing"}:
        return problem
    return "refused" if error.permanent else "unreachable"


# --- Instances ------------------------------------------------------------------------------------------------------
def server_of(number: Number) -> Evolution:
    """The whole server, for making, finding and deleting: the org's own, else the installation's."""
    key = number.server_key or (number.provider_key if number.provider_url else settings.EVOLUTION_API_KEY)
    return Evolution(url_of(number), key, is_outside=number.is_outside)


def client_of(number: Number) -> Evolution:
    """The one instance."""
    return Evolution(url_of(number), number.provider_key, is_outside=number.is_outside)


def url_of(number: Number) -> str:
    """Where the number's server is. Raises PortError when there is none."""
    url = str(number.provider_url or settings.EVOLUTION_URL)
    if not url:
        raise PortError("This number has no Evolution server.", permanent=True, needs_reconnect=True)
    return url


def rename(number: Number, *, intent: Number.Intent | None = None) -> Number:
    """Give the number a fresh instance name and token, before anything is made; the former name counts 45 minutes more.

    Out: the row as it is now. `intent` replaces the one that led here, in the same transaction.
    """
    with transaction.atomic():
        fresh = Number.objects.select_for_update().get(pk=number.pk)
        if fresh.intent_at != number.intent_at or fresh.instance != number.instance:
            return fresh  # somebody was quicker
        address = ChannelAddress.objects.select_for_update().get(org=links.org(), number_id=number.pk)
        if fresh.instance:
            now = timezone.now()
            live = [one for one in address.former_instances if datetime.fromisoformat(one["until"]) > now]
            until = (now + FORMER_FOR).isoformat()
            address.former_instances = [*live, {"name": fresh.instance, "id": fresh.instance_id, "until": until}]
            if fresh.is_ours:
                fresh.leftovers = [*fresh.leftovers, fresh.instance]
        fresh.instance, fresh.instance_id = f"t_{uuid4().hex}", ""
        fresh.provider_key, fresh.is_ours = secrets.token_urlsafe(TOKEN_BYTES), True
        fresh.intent = intent or fresh.intent
        fresh.code, fresh.code_at = "", None
        address.instance, address.instance_id = fresh.instance, ""
        address.save(update_fields=["instance", "instance_id", "former_instances"])
        fresh.save(
            update_fields=[
                "instance", "instance_id", "provider_key", "is_ours", "leftovers", "intent", "code", "code_at",
            ]
        )  # fmt: skip
    return fresh


def prepare(number: Number) -> Steps[Pairing | None]:
    """The instance exists, is ours and posts to us; connecting has begun. Out: its code, None when it is out of reach.

    Raises PortError.
    """
    server = server_of(number)
    yield server.version
    found = yield partial(server.instances, number.instance)
    if found and found[0].token in {"", number.provider_key}:
        if not (yield from is_webhook_ours(number)):
            yield from set_webhook(number)
        return (yield from begin_pairing(number))
    if not number.is_ours:
        raise EvolutionError("instance_missing", permanent=True)
    if found:
        number = rename(number)
    note_webhook_set(number)
    try:
        webhook = webhook_of(number)
        pairing: Pairing = yield partial(
            server.create, number.instance, token=number.provider_key, webhook=webhook, number=number.phone
        )
    except EvolutionError as error:
        if error.problem != "name_in_use":
            raise
        if any(row.token == number.provider_key for row in (yield partial(server.instances, number.instance))):
            return (yield from begin_pairing(number))  # another shift was quicker
        rename(number)
        return Pairing()
    if not Number.objects.filter(pk=number.pk, instance=number.instance, removed_at=None).exists():
        yield partial(server.delete, number.instance)  # it was removed, or renamed, while we made it
        return None
    return pairing


def begin_pairing(number: Number) -> Steps[Pairing]:
    pairing: Pairing = yield partial(client_of(number).connect, number.instance, number=number.phone)
    return pairing


def ask_code(number: Number) -> Steps[Pairing | None]:
    """The code of an instance that was prepared; one that is gone by now is prepared anew. Raises PortError."""
    try:
        return (yield from begin_pairing(number))
    except EvolutionError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
    return (yield from prepare(number))


def throw_away(number_id: int) -> Steps[None]:
    """Delete what we made under former names. Raises PortError; what was deleted is forgotten one by one."""
    number = Number.objects.filter(pk=number_id).first()
    if number is None:
        return
    for name in list(number.leftovers):
        yield partial(server_of(number).delete, name)
        with transaction.atomic():
            fresh = Number.objects.select_for_update().get(pk=number_id)
            fresh.leftovers = [one for one in fresh.leftovers if one != name]
            fresh.save(update_fields=["leftovers"])


def open_up(number: Number) -> Steps[None]:
    """The server says that it is connected: believe it, whether or not a webhook tells so too."""
    rows = yield partial(server_of(number).instances, number.instance)
    with transaction.atomic():
        links.change(number, LinkUpdate(LinkState.OPEN, own_jid=rows[0].own_jid if rows else ""))


# --- Codes ----------------------------------------------------------------------------------------------------------
def keep_code(number: Number, *, qr: str, code: str) -> None:
    """Keep what is to be scanned or typed now; the same code again keeps its age. Secrets: encrypted, for minutes."""
    if not (qr or code):
        return
    with transaction.atomic():
        number = Number.objects.select_for_update().get(pk=number.pk)
        shown = json.dumps({"qr": qr, "code": code})
        if number.is_open or number.intent != Intent.CONNECT or number.code == shown:
            return
        number.code, number.code_at = shown, timezone.now()
        number.save(update_fields=["code", "code_at"])


def forget_code(number: Number) -> None:
    Number.objects.filter(pk=number.pk).update(code="", code_at=None, pairing_until=None)


def code_of(number: Number) -> dict[str, str]:
    """`qr` (a PNG as data: URL) and `code` (eight letters); both empty while there is none."""
    found: dict[str, str] = json.loads(number.code) if number.code else {"qr": "", "code": ""}
    return found


# --- The webhook ----------------------------------------------------------------------------------------------------
def address_of(number: Number) -> ChannelAddress:
    found: ChannelAddress = ChannelAddress.objects.get(org=links.org(), number_id=number.pk)
    return found


def webhook_of(number: Number) -> Webhook:
    """Where the server posts the number's events, and the headers that prove it (contract 3.5)."""
    address = address_of(number)
    match auth.Proof(address.auth):
        case auth.Proof.JWT:
            return Webhook(public_url(address), {"jwt_key": str(address.secret)})
        case auth.Proof.TOKEN:
            return Webhook(public_url(address), {auth.TOKEN: str(address.secret)})
        case auth.Proof.HMAC:
            if not (settings.SIGNING_PROXY_URL and settings.SIGNING_PROXY_KEYRING):
                raise EvolutionError("proxy_missing", permanent=True)
            token = auth.number_secret(settings.SIGNING_PROXY_KEYRING[0], address.key, "token")
            return Webhook(f"{settings.SIGNING_PROXY_URL}{webhook_path(address)}", {auth.TOKEN: token})


def public_url(address: ChannelAddress) -> str:
    """The number's webhook as others reach it, with its slash: a redirect would lose events."""
    return f"{settings.WEBHOOK_BASE_URL or settings.SITE_URL}{webhook_path(address)}"


def is_webhook_ours(number: Number) -> Steps[bool]:
    """Whether the server has exactly our address, secret and events. Raises PortError."""
    wanted = webhook_of(number)
    row = yield partial(client_of(number).find_webhook, number.instance)
    return (
        row.get("enabled") is True
        and row.get("url") == wanted.url
        and row.get("headers") == dict(wanted.headers)
        and set(row.get("events") or ()) == set(EVENTS)
        and not row.get("webhookByEvents")
        and not row.get("webhookBase64")
    )


def set_webhook(number: Number) -> Steps[None]:
    webhook = webhook_of(number)
    note_webhook_set(number)
    yield partial(client_of(number).set_webhook, number.instance, webhook)


def note_webhook_set(number: Number) -> None:
    """Before the call, since what it provokes may be here before its answer."""
    number.webhook_set_at, number.verified_at = timezone.now(), None
    number.save(update_fields=["webhook_set_at", "verified_at"])


def verify(number: Number) -> Again:
    """Has an event that we provoked arrived? Out: when to look again; afterwards the reason is noted for the page."""
    number = Number.objects.get(pk=number.pk)
    if number.verified_at is not None or number.webhook_set_at is None:
        return None
    left = number.webhook_set_at + VERIFY_WITHIN - timezone.now()
    if left > timedelta():
        return left
    if Quarantine.objects.filter(
        number_id=number.pk, reason=Quarantine.Reason.WRONG_INSTANCE, received_at__gte=number.webhook_set_at
    ).exists():
        note(number, "webhook_wrong_instance")
    elif not (yield from is_webhook_ours(number)):
        note(number, "webhook_changed")
    else:
        note(number, "webhook_silent")
    return None


# --- What arrives ---------------------------------------------------------------------------------------------------
def is_former(number: Number, body: dict[str, Any]) -> bool:
    """Whether a body speaks of an instance that the number had before: what it says of the connection is past."""
    return bool(number.instance) and body.get("instance") not in {None, "", number.instance}


def note_code(number: Number, event: PairingCode) -> None:
    """A code came by webhook, sooner than we would have asked."""
    if number.intent == Intent.CONNECT and not event.limit_reached:
        keep_code(number, qr=event.qr_png, code=event.code)


def note_heard(number: Number, *, received_at: datetime, is_proof: bool) -> None:
    """An authentic webhook came. `is_proof`: of the present instance, with the present secret.

    The first proof since the webhook was set verifies it, and ends the former secret 45 minutes later. Call last in
    the transaction: it locks the number, which sends lock after the conversation.
    """
    if is_proof and number.webhook_set_at is not None and number.verified_at is None:
        first = Number.objects.filter(pk=number.pk, verified_at=None, webhook_set_at__lte=received_at)
        if first.update(verified_at=received_at):
            Number.objects.filter(pk=number.pk, trouble__startswith="webhook_").update(trouble="")
            ChannelAddress.objects.filter(org=links.org(), number_id=number.pk, former_secret_until=None).update(
                former_secret_until=received_at + FORMER_FOR
            )
    if number.heard_at is None or number.heard_at < received_at - HEARD_EVERY:
        Number.objects.filter(pk=number.pk).update(heard_at=received_at)
