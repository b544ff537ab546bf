"""Making a number of an org known: its row in the org's schema, and its address in public, both or neither."""

import secrets
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from conversations import links
from conversations.models import Number
from conversations.ports import LinkState
from integrations.whatsapp import auth
from orgs.audit import Action, record
from orgs.context import in_org
from orgs.models import ChannelAddress, Org, Person, Refused

KEY_BYTES = 32  # of the webhook's URL: 43 characters nobody can guess
NAME_CHARS = 80


@dataclass(frozen=True)
class Provider:
    """Where the number's Evolution API is, and what the number is called there."""

    url: str
    key: str = field(repr=False)
    instance: str = ""


def webhook_path(address: ChannelAddress) -> str:
    """The path that the number's webhooks are posted to, with its slash: a redirect would lose them."""
    return f"/hooks/whatsapp/{address.key}/"


def add_number(
    org: Org,
    name: str,
    *,
    proof: auth.Proof,
    secret: str,
    mode: Number.Mode = Number.Mode.ALL,
    provider: Provider | None = None,
    person: Person | None = None,
) -> ChannelAddress:
    """Add a number that is connected already. Out: its address, with a new unguessable key.

    It counts as connected, since nobody will tell us so until that changes. Raises Refused when something given cannot
    work; nothing is changed then.
    """
    name = name.strip()
    if not name or len(name) > NAME_CHARS:
        raise Refused("name", _("The name must have 1 to 80 characters."))
    if not secret.strip() or secret != secret.strip():
        raise Refused("secret", _("The secret must not be empty nor begin or end with a space."))
    if proof is auth.Proof.TOKEN and len(secret) < auth.MIN_TOKEN_CHARS:
        raise Refused("secret", _("A token must have at least 16 characters."))
    if provider is not None:
        check_url(provider.url)
    with transaction.atomic():
        Org.objects.locked(org.pk)
        with in_org(org):
            number = Number.objects.create(
                name=name,
                mode=mode,
                state=LinkState.OPEN,
                provider_url=provider.url.rstrip("/") if provider else "",
                provider_key=provider.key if provider else "",
                instance=provider.instance if provider else "",
                read_until=timezone.now() + links.READ_AGAIN,  # it is ours from now on, whenever it opens again
            )
        address = ChannelAddress.objects.create(
            org=org,
            number_id=number.pk,
            key=secrets.token_urlsafe(KEY_BYTES),
            auth=proof,
            secret=secret,
            instance=number.instance,
        )
        record(Action.NUMBER_ADDED, org=org, person=person, target=f"number:{number.pk}", data={"proof": proof.value})
    return address


def check_url(url: str) -> None:
    """Raises Refused for what is no http(s) address. Private ones are fine: that is where Evolution belongs."""
    try:
        parts = urlsplit(url)
        is_fine = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_fine = False
    if not is_fine:
        raise Refused("url", _("The address of the Evolution API must begin with http:// or https://."))
