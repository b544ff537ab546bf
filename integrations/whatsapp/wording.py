"""A number's state and troubles in words for people; the templates show them as they are."""

from dataclasses import dataclass

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from conversations.models import Number
from conversations.ports import LinkState


@dataclass(frozen=True)
class Standing:
    """How a number stands: a word, its tone (positive, warning, negative, ""), an icon, and what that means."""

    label: str | Promise
    tone: str
    icon: str
    text: str | Promise = ""


OPEN = Standing(_("Connected"), "positive", "check")
PREPARING = Standing(_("Preparing"), "warning", "clock", _("Asking the server for a code. This takes a few seconds."))
SCAN = Standing(_("Waiting for the scan"), "warning", "clock", _("Scan the code with the phone of this number."))
CONNECTING = Standing(_("Connecting"), "warning", "clock", _("The phone is linked and WhatsApp is being opened."))
RECONNECTING = Standing(
    _("Reconnecting"), "warning", "clock", _("The connection was lost and is being restored. This often mends itself.")
)
CLOSED = Standing(_("Not connected"), "negative", "alert", _("No phone is linked. Connect to get a code to scan."))
LOGGED_OUT = Standing(_("Logged out"), "negative", "alert", _("The phone is unlinked. Connect to scan a new code."))
REFUSED = Standing(_("Not scanned"), "negative", "alert", _("Nobody scanned the code in time. Connect for a new one."))
GONE = Standing(_("Missing"), "negative", "alert", _("It was deleted at the Evolution server. Connect again."))
REMOVING = Standing(_("Being removed"), "warning", "clock", _("It is deleted at the Evolution server, then here."))
REMOVED = Standing(_("Removed"), "", "info", _("Its conversations stay readable."))
LEAVING = Standing(_("Logging out"), "warning", "clock")
RESTARTING = Standing(_("Restarting"), "warning", "clock", _("It is back in a few seconds."))
UNREACHABLE = Standing(
    _("Server away"), "negative", "alert", _("The Evolution server does not answer. We ask again every minute.")
)

REASONS: dict[int, str | Promise] = {  # evolution.md 4.3
    401: _("It was unlinked on the phone."),
    402: _("WhatsApp has locked the account for a while."),
    403: _("WhatsApp has banned the account, or forbids it to connect."),
    406: _("WhatsApp has locked the account."),
    408: _("The connection to WhatsApp was lost."),
    411: _("The phone's WhatsApp must be updated."),
    428: _("Nobody scanned the code in time."),
    440: _("Another program uses the same session."),
    500: _("The session is damaged. Begin anew with a fresh one."),
    503: _("WhatsApp does not answer at the moment."),
    515: _("WhatsApp asked for a restart, which is normal after the scan."),
}

TROUBLES: dict[str, str | Promise] = {
    "unreachable": _("The Evolution server does not answer. We try again by ourselves."),
    "not_public": _("The address of the Evolution server does not lead to a public server."),
    "access_refused": _("The Evolution server refuses our key. Check the API key."),
    "refused": _("The Evolution server refused the request."),
    "version_not_supported": _("The Evolution server is too old: version 2.3.5 or newer is needed."),
    "instance_missing": _("The instance does not exist at the Evolution server, and it was not made by us."),
    "proxy_missing": _("Its webhooks must be signed, but this installation has no signing proxy."),
    "nobody_scanned": _("Nobody scanned the code within ten minutes. Connect again to get a new one."),
    "other_phone": _("Another phone than the declared one was linked. The AI is off on this number until you decide."),
    "webhook_silent": _(
        "The number works, but no event has reached us. The Evolution server probably cannot reach the webhook address."
    ),
    "webhook_changed": _("Somebody has changed the webhook at the Evolution server. Set it again."),
    "webhook_wrong_instance": _("Events reach us under the name of another instance. Is the webhook used twice?"),
}


def standing(number: Number) -> Standing:
    """The one thing to know about the number now."""
    intent = Number.Intent
    if number.removed_at is not None:
        return REMOVING if number.intent == intent.REMOVE else REMOVED
    if number.intent == intent.LOGOUT:
        return LEAVING
    if number.unreachable_at is not None:
        return UNREACHABLE
    if number.intent == intent.RESTART and not number.verified_at:
        return RESTARTING
    if number.is_open:
        return OPEN
    if is_pairing(number):
        return SCAN if number.code else PREPARING
    match number.state:
        case LinkState.CONNECTING:
            return RECONNECTING if number.opened_at else CONNECTING
        case LinkState.REFUSED:
            return REFUSED
        case LinkState.REMOVED:
            return GONE
    return LOGGED_OUT if number.opened_at else CLOSED


def is_pairing(number: Number) -> bool:
    """Whether somebody is expected to scan."""
    return (
        not number.is_open
        and number.intent in {Number.Intent.CONNECT, Number.Intent.RENEW}
        and number.pairing_until is not None
        and number.pairing_until > timezone.now()
    )


def reason(number: Number) -> str | Promise:
    """Why it is not open, as the provider says; "" when it does not."""
    return "" if number.is_open or number.reason is None else REASONS.get(number.reason, "")


def trouble(number: Number) -> str | Promise:
    """Why the last thing wanted did not work; "" for nothing."""
    return TROUBLES.get(number.trouble, "")
