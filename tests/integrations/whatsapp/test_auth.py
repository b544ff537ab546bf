"""Proofs of webhooks: what is accepted, for how long, and everything that is not."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from integrations.whatsapp.auth import Proof, Verification, number_secret, sign, verify

NOW = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
OLD, NEW = "old-secret-of-this-number-0123456789", "new-secret-of-this-number-9876543210"
BODY = '{"event":"messages.upsert","data":{"text":"olá"}}'.encode()


def plain(secret: str, body: bytes = BODY) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def by_hmac(
    headers: dict[str, str], *, body: bytes = BODY, now: datetime = NOW, secrets: tuple[str, ...] = (OLD,)
) -> bool:
    return verify(Proof.HMAC, secrets, headers, body, now=now)


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def token(
    *,
    age: float = 0,
    secret: str = OLD,
    header: object = None,
    digest: Callable[..., Any] = hashlib.sha256,
    **claims: object,
) -> str:
    """Made without the library that checks it: the recorded shape is header, iat, exp = iat + 600, app, action."""
    issued = int(NOW.timestamp() - age)
    body = {"iat": issued, "exp": issued + 600, "app": "evolution", "action": "webhook"} | claims
    body = {name: value for name, value in body.items() if value != "absent"}
    signed = f"{part(header or {'alg': 'HS256', 'typ': 'JWT'})}.{part(body)}"
    mac = hmac.new(secret.encode(), signed.encode(), digest).digest()
    return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def by_jwt(value: str, secrets: tuple[str, ...] = (OLD,)) -> bool:
    return verify(Proof.JWT, secrets, {"Authorization": value}, BODY, now=NOW)


@pytest.mark.parametrize("prefix", ["", "sha256="])
@pytest.mark.parametrize("name", ["X-Signature", "x-signature", "X-SIGNATURE"])
def test_it_accepts_a_signature_of_the_raw_body(prefix: str, name: str) -> None:
    assert by_hmac({name: prefix + plain(OLD)})
    assert by_hmac({name: prefix + plain(OLD).upper()})


@pytest.mark.parametrize("secret", [OLD, NEW])
def test_two_secrets_are_live_while_one_is_rotated(secret: str) -> None:
    assert by_hmac({"X-Signature": plain(secret)}, secrets=(OLD, NEW))
    assert by_jwt("Bearer " + token(secret=secret), secrets=(OLD, NEW))
    assert verify(Proof.TOKEN, (OLD, NEW), {"X-Webhook-Token": secret}, BODY, now=NOW)


@pytest.mark.parametrize(
    "signature",
    ["", "sha256=", plain(NEW), plain(OLD)[:-1], plain(OLD, BODY + b" "), "sha1=" + plain(OLD), "não é hex", "\ud800"],
)
def test_it_refuses_any_other_signature(signature: str) -> None:
    assert not by_hmac({"X-Signature": signature})


def test_it_refuses_when_there_is_no_header_or_no_secret() -> None:
    assert not by_hmac({})
    assert not by_hmac({"X-Signature": plain("")}, secrets=("",))
    assert not by_hmac({"X-Signature": plain(OLD)}, secrets=())
    assert not verify(Proof.TOKEN, ("",), {"X-Webhook-Token": ""}, BODY, now=NOW)
    assert not verify(Proof.TOKEN, (), {"X-Webhook-Token": OLD}, BODY, now=NOW)
    assert not by_jwt("Bearer " + token(secret=""), secrets=("",))


@pytest.mark.parametrize(("seconds", "accepted"), [(0, True), (299, True), (301, False), (-299, True), (-301, False)])
def test_a_timestamped_signature_lives_five_minutes(seconds: int, accepted: bool) -> None:
    assert by_hmac(sign(OLD, BODY, now=NOW - timedelta(seconds=seconds))) is accepted


def test_a_timestamp_is_part_of_what_is_signed() -> None:
    headers = sign(OLD, BODY, now=NOW - timedelta(hours=1))
    assert not by_hmac(headers | {"X-Signature-Timestamp": str(int(NOW.timestamp()))})
    assert not by_hmac({"X-Signature": headers["X-Signature"]})


@pytest.mark.parametrize("timestamp", ["", "now", "1e9", "-5", "١٧٦", "9" * 13, "1763820000.5"])
def test_it_refuses_an_odd_timestamp(timestamp: str) -> None:
    signature = plain(OLD, (f"{timestamp}." if timestamp else "").encode() + BODY)
    assert not by_hmac({"X-Signature": signature, "X-Signature-Timestamp": timestamp})


def test_a_body_may_come_in_pieces() -> None:
    verification = Verification(Proof.HMAC, [OLD], sign(OLD, BODY, now=NOW), now=NOW)
    for index in range(0, len(BODY), 7):
        verification.update(BODY[index : index + 7])
    assert verification.is_authentic()
    verification.update(b" ")
    assert not verification.is_authentic()


@pytest.mark.parametrize("age", [0, 600, 1479, 2399, -200])
def test_it_accepts_a_token_as_old_as_the_last_retry(age: int) -> None:
    assert by_jwt("Bearer " + token(age=age))


@pytest.mark.parametrize("age", [2401, 2701, 100_000, -301])
def test_it_refuses_a_token_older_or_newer_than_any_retry(age: int) -> None:
    assert not by_jwt("Bearer " + token(age=age))


def test_a_long_life_does_not_outlast_its_issue() -> None:
    far = int(NOW.timestamp()) + 10**6
    assert by_jwt("Bearer " + token(age=2699, exp=far))
    assert not by_jwt("Bearer " + token(age=2701, exp=far))


@pytest.mark.parametrize(
    "claims",
    [
        {"app": "other"}, {"app": "absent"}, {"action": "login"}, {"action": "absent"}, {"exp": "absent"},
        {"iat": "absent"}, {"iat": "soon"}, {"exp": None}, {"exp": True}, {"iat": [1]},
    ],
)  # fmt: skip
def test_it_refuses_a_token_with_other_claims(claims: dict[str, Any]) -> None:
    assert not by_jwt("Bearer " + token(**claims))


def test_it_refuses_tokens_of_other_algorithms_and_keys() -> None:
    assert not by_jwt("Bearer " + token(secret=NEW))
    assert not by_jwt("Bearer " + token(header={"alg": "none", "typ": "JWT"}))
    assert not by_jwt("Bearer " + token(header={"alg": "HS512", "typ": "JWT"}, digest=hashlib.sha512))
    unsigned = token(header={"alg": "none"}).rpartition(".")[0] + "."
    assert not by_jwt("Bearer " + unsigned)


@pytest.mark.parametrize(
    "value", ["", "Bearer", "Bearer ", "Bearer a.b.c", "Basic abc", "Bearer \udcff.x.y", "Bearer é.é.é"]
)
def test_it_refuses_what_is_no_bearer_token(value: str) -> None:
    assert not by_jwt(value)


def test_the_word_bearer_may_be_written_small() -> None:
    assert by_jwt("bearer " + token())


@pytest.mark.parametrize("given", ["", "short", OLD[:-1], OLD + "x", NEW, "é" * 20])
def test_it_refuses_another_header_token(given: str) -> None:
    assert not verify(Proof.TOKEN, (OLD,), {"X-Webhook-Token": given}, BODY, now=NOW)


def test_a_short_header_token_is_no_secret() -> None:
    assert not verify(Proof.TOKEN, ("short",), {"X-Webhook-Token": "short"}, BODY, now=NOW)


def test_each_kind_of_proof_stands_alone() -> None:
    everything = sign(OLD, BODY, now=NOW) | {"Authorization": "Bearer " + token(), "X-Webhook-Token": OLD}
    for kind in Proof:
        assert verify(kind, (OLD,), everything, BODY, now=NOW)
        others = {"hmac": "X-Signature", "jwt": "Authorization", "token": "X-Webhook-Token"}
        del others[kind]
        assert not verify(kind, (OLD,), {name: everything[name] for name in others.values()}, BODY, now=NOW)


def test_a_number_s_secret_tells_nothing_of_another_s() -> None:
    secrets = {
        number_secret("master", key, purpose) for key in ("key-one", "key-two") for purpose in ("token", "signature")
    }
    assert len(secrets) == 4
    assert number_secret("master", "key-one", "token") == number_secret("master", "key-one", "token")
    assert number_secret("other", "key-one", "token") not in secrets
