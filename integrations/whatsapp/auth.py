"""Is a webhook authentic? The three proofs a number may use (PRODUCT 8; contract evolution.md 3.5).

Secrets travel in headers only: one in the query string would be kept by access logs, so nothing here looks there. Two
secrets are live while one is rotated. Comparisons take the same time whatever is wrong, and a failure never says why.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

import jwt

SIGNATURE = "X-Signature"
TIMESTAMP = "X-Signature-Timestamp"
TOKEN = "X-Webhook-Token"  # noqa: S105  # the header's name
PREFIX = "sha256="
REPLAY_SECONDS = 300  # each attempt is signed afresh, so retries need no more
JWT_LEEWAY_SECONDS = 1800  # Evolution signs once; its last retries come long after the token has expired
JWT_OLDEST_SECONDS = 2700
JWT_AHEAD_SECONDS = 300  # of our clock
MIN_TOKEN_CHARS = 16
TIMESTAMP_DIGITS = 12


class Proof(StrEnum):
    """How a number's webhooks prove where they come from."""

    HMAC = "hmac"  # of the raw body, by the signing proxy: the only one that protects the body
    JWT = "jwt"  # Evolution's own `jwt_key`: shows that the sender knows the key, for any body
    TOKEN = "token"  # noqa: S105  # a static header


def verify(kind: Proof, secrets: Sequence[str], headers: Mapping[str, str], body: bytes, *, now: datetime) -> bool:
    """Whether the request is authentic by this kind of proof and any of the live secrets.

    In: the raw body as it arrived, headers under any spelling of their names, `now` aware. Empty secrets never match.
    """
    verification = Verification(kind, secrets, headers, now=now)
    verification.update(body)
    return verification.is_authentic()


class Verification:
    """The same for a body that arrives in pieces and is too large to keep: `update` with each, then `is_authentic`."""

    def __init__(
        self,
        kind: Proof,
        secrets: Sequence[str],
        headers: Mapping[str, str],
        *,
        now: datetime,
        is_lower: bool = False,  # the headers' names are
    ) -> None:
        self._kind = kind
        self._secrets = [secret for secret in secrets if secret]
        self._headers = headers if is_lower else {name.lower(): value for name, value in headers.items()}
        self._now = now.timestamp()
        timestamp = self._header(TIMESTAMP) if kind is Proof.HMAC else ""
        start = f"{timestamp}.".encode("utf-8", "replace") if timestamp else b""
        self.used_former = False  # only a former secret fits, after `is_authentic`
        signing = self._secrets if kind is Proof.HMAC else []
        self._macs = [hmac.new(secret.encode(), start, "sha256") for secret in signing]

    def update(self, chunk: bytes) -> None:
        for mac in self._macs:
            mac.update(chunk)

    def is_authentic(self) -> bool:
        match self._kind:
            case Proof.HMAC:
                return self._is_signed()
            case Proof.JWT:
                return self._has_jwt()
            case Proof.TOKEN:
                return self._has_token()

    def _is_signed(self) -> bool:
        signature = self._header(SIGNATURE).removeprefix(PREFIX).lower()
        return self._fits([_equal(signature, mac.hexdigest()) for mac in self._macs]) and self._is_recent()

    def _is_recent(self) -> bool:
        if TIMESTAMP.lower() not in self._headers:
            return True
        timestamp = self._header(TIMESTAMP)
        if not (timestamp.isascii() and timestamp.isdigit()) or len(timestamp) > TIMESTAMP_DIGITS:
            return False
        return abs(self._now - int(timestamp)) <= REPLAY_SECONDS

    def _has_jwt(self) -> bool:
        scheme, _, token = self._header("Authorization").partition(" ")
        if scheme.lower() != "bearer":
            return False
        found = [_claims(token.strip(), secret) for secret in self._secrets]
        return self._fits([claims is not None and self._is_in_time(claims) for claims in found])

    def _is_in_time(self, claims: Mapping[str, Any]) -> bool:
        issued, expires = _seconds(claims.get("iat")), _seconds(claims.get("exp"))
        if issued is None or expires is None:
            return False
        return (
            self._now <= expires + JWT_LEEWAY_SECONDS
            and self._now - JWT_OLDEST_SECONDS <= issued <= self._now + JWT_AHEAD_SECONDS
        )

    def _has_token(self) -> bool:
        token = self._header(TOKEN)
        return self._fits([_equal(token, secret) for secret in self._secrets]) and len(token) >= MIN_TOKEN_CHARS

    def _fits(self, matches: Sequence[bool]) -> bool:
        """In: whether each secret fits, the present one first."""
        self.used_former = any(matches) and not matches[0]
        return any(matches)

    def _header(self, name: str) -> str:
        return self._headers.get(name.lower(), "").strip()


def sign(secret: str, body: bytes, *, now: datetime) -> dict[str, str]:
    """The headers that prove `body` to `verify` by HMAC, good for five minutes."""
    timestamp = str(int(now.timestamp()))
    mac = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256)
    return {SIGNATURE: f"{PREFIX}{mac.hexdigest()}", TIMESTAMP: timestamp}


def number_secret(master: str, key: str, purpose: str) -> str:
    """The secret of one number, made of the installation's: whoever learns one number's knows no other's.

    In: `key` is the one in the webhook's URL, `purpose` "token" (Evolution to the signing proxy) or "signature" (the
    proxy to us). Out: 64 hex digits.
    """
    return hmac.new(master.encode(), f"whatsapp-webhook:{purpose}:{key}".encode(), hashlib.sha256).hexdigest()


def _claims(token: str, secret: str) -> dict[str, Any] | None:
    """What a correctly signed token of Evolution's claims; times are judged by the caller, with our own clock."""
    options: Any = {"require": ["iat", "exp"], "verify_exp": False, "verify_iat": False, "verify_nbf": False}
    try:
        claims: dict[str, Any] = jwt.decode(token, secret, algorithms=["HS256"], options=options)
    except (jwt.PyJWTError, ValueError):
        return None
    return claims if claims.get("app") == "evolution" and claims.get("action") == "webhook" else None


def _seconds(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _equal(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode("utf-8", "replace"))
