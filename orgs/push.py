"""Web push: a few words to a browser that its person has switched on, through its maker's server.

Encrypted for that browser alone (RFC 8291, aes128gcm of RFC 8188) and signed with this installation's key (RFC 8292,
VAPID). The library for it brings a second HTTP client; what it does is two key agreements, so they are made here, and
the call goes through our one door, which lets nobody name a private address. Without VAPID_PRIVATE_KEY there is no
push: nothing offers it.
"""

import base64
import hashlib
import json
import os
import time
from binascii import Error as NotBase64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from orgs.models import Person, PushSubscription
from sdr.lib import http
from sdr.lib.errors import PortError

MOST_BROWSERS = 10  # of a person; the oldest goes
TTL_SECONDS = 4 * 60 * 60  # a browser that is off for longer need not know any more
TOKEN_SECONDS = 12 * 60 * 60  # RFC 8292: at most a day
RECORD_BYTES = 4096
MOST_BYTES = 3000  # of what is told; services take 4096 of the encrypted
TIMEOUT = http.Timeout(connect=5, read=10, total=15)
GONE = frozenset({404, 410})  # RFC 8030 7.3: the subscription has ended
CURVE = ec.SECP256R1()
KEY_BYTES = 32
ENDPOINT_CHARS = 1000


@dataclass(frozen=True)
class Target:
    """A browser as a call needs it, without the database."""

    pk: int
    endpoint: str
    auth: bytes
    key: bytes


def is_on() -> bool:
    """Whether this installation can push."""
    return bool(settings.VAPID_PRIVATE_KEY)


def new_private_key() -> str:
    """A key for VAPID_PRIVATE_KEY: the 32 bytes of a P-256 key, base64url, as other tools write it."""
    number = ec.generate_private_key(CURVE).private_numbers().private_value
    return encoded(number.to_bytes(32, "big"))


def private_key() -> ec.EllipticCurvePrivateKey:
    """This installation's key. Raises ValueError for a setting that is none."""
    raw = decoded(settings.VAPID_PRIVATE_KEY)
    if len(raw) != KEY_BYTES:
        raise ValueError("The key has another length.")
    return ec.derive_private_key(int.from_bytes(raw, "big"), CURVE)


def public_key() -> str:
    """What a browser must know to let us push, base64url; "" when we cannot."""
    return encoded(point(private_key().public_key())) if is_on() else ""


# --- A person's browsers ----------------------------------------------------------------------------------------------
def subscribe(
    person: Person, *, endpoint: str, p256dh: str, auth: str, session_key: str, user_agent: str = ""
) -> PushSubscription:
    """Remember the browser; the same one again is one row, and belongs to whoever signed in there last.

    Raises ValidationError for what no browser says.
    """
    try:
        http.check_url(endpoint)
        ec.EllipticCurvePublicKey.from_encoded_point(CURVE, decoded(p256dh))
        is_right = urlsplit(endpoint).scheme == "https" and len(decoded(auth)) == 16
    except (PortError, ValueError, NotBase64, UnsupportedAlgorithm):
        is_right = False
    if not is_right or len(endpoint) > ENDPOINT_CHARS or not session_key:
        raise ValidationError(_("This browser's answer cannot be used."), code="invalid_subscription")
    made, _created = PushSubscription.objects.update_or_create(
        digest=hashlib.sha256(endpoint.encode()).hexdigest(),
        defaults={
            "person": person, "endpoint": endpoint, "p256dh": p256dh, "auth": auth, "session_key": session_key,
            "user_agent": user_agent.replace("\x00", "")[:200], "created_at": timezone.now(),
        },
    )  # fmt: skip
    old = PushSubscription.objects.filter(person=person).order_by("-created_at", "-pk").values_list("pk", flat=True)
    PushSubscription.objects.filter(pk__in=list(old[MOST_BROWSERS:])).delete()
    return made


def targets(person_id: int) -> list[Target]:
    """The person's browsers in which they are still signed in; the others are forgotten."""
    rows = list(PushSubscription.objects.filter(person_id=person_id).order_by("pk"))
    alive = set(
        Session.objects.filter(
            session_key__in={row.session_key for row in rows}, expire_date__gt=timezone.now()
        ).values_list("session_key", flat=True)
    )
    PushSubscription.objects.filter(pk__in=[row.pk for row in rows if row.session_key not in alive]).delete()
    return [
        Target(row.pk, str(row.endpoint), decoded(str(row.auth)), decoded(row.p256dh))
        for row in rows
        if row.session_key in alive
    ]


def forget(pks: list[int]) -> None:
    """These browsers have gone."""
    PushSubscription.objects.filter(pk__in=pks).delete()


# --- A call -----------------------------------------------------------------------------------------------------------
def send(target: Target, message: Mapping[str, Any]) -> bool:
    """Show the message in the browser. Outside any transaction. Out: False when the browser has gone for good.

    Raises PortError: transient when the maker's server is away or busy, permanent when it refuses us.
    """
    body = json.dumps(message, ensure_ascii=False).encode()
    if len(body) > MOST_BYTES:
        raise PortError("The message is too long for a push.", permanent=True)
    answer = http.request(
        "POST",
        target.endpoint,
        content=encrypted(body, key=target.key, auth=target.auth),
        headers={
            "Authorization": authorization(target.endpoint),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(TTL_SECONDS),
            "Urgency": "high",
        },
        timeout=TIMEOUT,
        dep="web_push",
        op="send",
    )
    if answer.status in GONE:
        return False
    if answer.status >= 400:
        is_passing = answer.status in {408, 429} or answer.status >= 500
        raise PortError(f"The push service answered {answer.status}.", permanent=not is_passing)
    return True


def authorization(endpoint: str) -> str:
    """RFC 8292: who sends, to which server, until when."""
    address = urlsplit(endpoint)
    claims = {
        "aud": f"{address.scheme}://{address.netloc}",
        "exp": int(time.time()) + TOKEN_SECONDS,
        "sub": settings.SITE_URL
        if settings.IS_HTTPS
        else f"mailto:{settings.DEFAULT_FROM_EMAIL.rpartition('<')[2].rstrip('>')}",
    }
    return f"vapid t={jwt.encode(claims, private_key(), algorithm='ES256')}, k={public_key()}"


def encrypted(text: bytes, *, key: bytes, auth: bytes, salt: bytes = b"") -> bytes:
    """RFC 8291: for the browser with this public key and secret, in one record."""
    salt = salt or os.urandom(16)
    ours = ec.generate_private_key(CURVE)
    mine = point(ours.public_key())
    shared = ours.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(CURVE, key))
    secret = derived(shared, salt=auth, info=b"WebPush: info\x00" + key + mine, length=32)
    content_key = derived(secret, salt=salt, info=b"Content-Encoding: aes128gcm\x00", length=16)
    nonce = derived(secret, salt=salt, info=b"Content-Encoding: nonce\x00", length=12)
    header = salt + RECORD_BYTES.to_bytes(4, "big") + bytes([len(mine)]) + mine
    return header + AESGCM(content_key).encrypt(nonce, text + b"\x02", None)


def derived(secret: bytes, *, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt, info).derive(secret)


def point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
