"""Plays Google over real HTTP on loopback: OAuth 2.0 with PKCE and OpenID Connect sign-in. For tests and the demo only.

What it does follows https://developers.google.com/identity/protocols/oauth2/web-server and …/openid-connect: an
authorization page, a token endpoint whose id_token is signed by RS256, certificates to check it, userinfo, revocation.
It refuses what Google refuses (unknown client, other redirect_uri, used code, wrong verifier), and fails on demand.
"""

import base64
import hashlib
import html
import json
import secrets
import threading
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

if not settings.IS_LOCAL:
    raise ImproperlyConfigured("Google's stand-in signs anybody in: it exists in development and in tests only.")

CODE_SECONDS = 600
TOKEN_SECONDS = 3599
KEY_ID = "standin-1"
RSA_BITS = 2048


class Fault(StrEnum):
    """How the next sign-ins go wrong."""

    SERVER_ERROR = "server_error"  # 503 from the token endpoint
    HANG_UP = "hang_up"  # the connection closes without an answer
    NOT_JSON = "not_json"
    NO_CONTENT_TYPE = "no_content_type"
    EMPTY_OBJECT = "empty_object"
    JSON_LIST = "json_list"
    INVALID_GRANT = "invalid_grant"
    NO_ID_TOKEN = "no_id_token"  # noqa: S105  # the name of a failure
    ODD_EXPIRY = "odd_expiry"  # expires_in is no number
    OTHER_AUDIENCE = "other_audience"
    OTHER_ISSUER = "other_issuer"
    EXPIRED = "expired"
    FORGED = "forged"  # signed by somebody else's key
    UNSIGNED = "unsigned"  # alg none
    UNKNOWN_KEY = "unknown_key"
    NO_SUBJECT = "no_subject"
    CERTS_DOWN = "certs_down"


@dataclass(frozen=True)
class Account:
    """A person at Google."""

    sub: str
    email: str
    name: str = ""
    email_verified: bool = True

    def claims(self) -> dict[str, Any]:
        given, _, family = self.name.partition(" ")
        return {
            "sub": self.sub,
            "email": self.email,
            "email_verified": self.email_verified,
            "name": self.name,
            "given_name": given,
            "family_name": family,
        }


@dataclass(frozen=True)
class Grant:
    """A consent given, as the token endpoint remembers it under its code."""

    account: Account
    redirect_uri: str
    scope: str
    challenge: str
    nonce: str
    at: float = field(default_factory=time.time)


class GoogleStandin:
    """A running stand-in; use it as a context manager.

    `accounts` are the people it knows by index, `fault` how it fails, `requests` what it was asked: (method, path).
    """

    def __init__(self, *accounts: Account, client_id: str = "standin-client", secret: str = "standin-secret") -> None:  # noqa: S107
        self.accounts = list(accounts)
        self.client_id = client_id
        self.secret = secret
        self.fault: Fault | None = None
        self.requests: list[tuple[str, str]] = []
        self.grants: dict[str, Grant] = {}
        self.tokens: dict[str, Account] = {}
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(self))
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=[0.05], daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def provider(self) -> dict[str, Any]:
        """What SOCIALACCOUNT_PROVIDERS["google"] needs to reach this stand-in instead of Google."""
        return {
            "APPS": [{"client_id": self.client_id, "secret": self.secret, "key": ""}],
            "AUTHORIZE_URL": f"{self.url}/o/oauth2/v2/auth",
            "ACCESS_TOKEN_URL": f"{self.url}/token",
            "CERTS_URL": f"{self.url}/oauth2/v1/certs",
            "ID_TOKEN_ISSUER": "https://accounts.google.com",
        }

    def consent(self, authorize_url: str, *, account: int | None = 0) -> str:
        """Where Google sends the browser after the person has chosen an account, or refused with None.

        Raises ValueError when Google would show an error of its own instead of going back.
        """
        asked = {key: values[0] for key, values in parse_qs(urlsplit(authorize_url).query).items()}
        if problem := self.refusal(asked):
            raise ValueError(problem)
        if account is None:
            return back(asked, error="access_denied")
        code = secrets.token_urlsafe(24)
        self.grants[code] = Grant(
            account=self.accounts[account],
            redirect_uri=asked["redirect_uri"],
            scope=asked["scope"],
            challenge=asked.get("code_challenge", ""),
            nonce=asked.get("nonce", ""),
        )
        return back(asked, code=code, scope=asked["scope"])

    def refusal(self, asked: dict[str, str]) -> str:
        """What Google's own error page would say about a request for consent, or nothing."""
        if asked.get("client_id") != self.client_id:
            return "invalid_client: the OAuth client was not found"
        if not asked.get("redirect_uri", "").startswith("http"):
            return "redirect_uri_mismatch"
        if asked.get("response_type") != "code" or not asked.get("scope"):
            return "invalid_request"
        if asked.get("code_challenge_method", "S256") != "S256":
            return "invalid_request: code_challenge_method"
        return ""

    def exchange(self, asked: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Status and body of the token endpoint for a form."""
        if asked.get("client_id") != self.client_id or asked.get("client_secret") != self.secret:
            return 401, {"error": "invalid_client", "error_description": "Unauthorized"}
        if asked.get("grant_type") != "authorization_code":
            return 400, {"error": "unsupported_grant_type", "error_description": "Invalid grant_type"}
        grant = self.grants.pop(asked.get("code", ""), None)  # a code works once
        verifier = base64.urlsafe_b64encode(hashlib.sha256(asked.get("code_verifier", "").encode()).digest())
        if (
            grant is None
            or time.time() > grant.at + CODE_SECONDS
            or grant.redirect_uri != asked.get("redirect_uri")
            or (grant.challenge and verifier.rstrip(b"=").decode() != grant.challenge)
            or self.fault is Fault.INVALID_GRANT
        ):
            return 400, {"error": "invalid_grant", "error_description": "Bad Request"}
        token = f"ya29.{secrets.token_urlsafe(40)}"
        self.tokens[token] = grant.account
        answer = {
            "access_token": token,
            "expires_in": "soon" if self.fault is Fault.ODD_EXPIRY else TOKEN_SECONDS,
            "scope": f"openid {grant.scope}",
            "token_type": "Bearer",
            "id_token": self.id_token(grant, token),
        }
        if self.fault is Fault.NO_ID_TOKEN:
            del answer["id_token"]
        return 200, answer

    def id_token(self, grant: Grant, token: str) -> str:
        """The signed statement who signed in, or a bad one as `fault` says."""
        now = int(time.time())
        half = hashlib.sha256(token.encode()).digest()[:16]
        claims: dict[str, Any] = {
            **grant.account.claims(),
            "iss": "https://accounts.google.com",
            "aud": self.client_id,
            "azp": self.client_id,
            "iat": now,
            "exp": now + TOKEN_SECONDS,
            "at_hash": base64.urlsafe_b64encode(half).rstrip(b"=").decode(),
        }
        if grant.nonce:
            claims["nonce"] = grant.nonce
        match self.fault:
            case Fault.OTHER_AUDIENCE:
                claims["aud"] = "somebody-else"
            case Fault.OTHER_ISSUER:
                claims["iss"] = "https://accounts.example.com"
            case Fault.EXPIRED:
                claims["exp"] = now - 3600
            case Fault.NO_SUBJECT:
                del claims["sub"]
        if self.fault is Fault.UNSIGNED:
            return jwt.encode(claims, "", algorithm="none", headers={"kid": KEY_ID})
        key = other_key() if self.fault is Fault.FORGED else own_key()
        kid = "never-heard-of" if self.fault is Fault.UNKNOWN_KEY else KEY_ID
        return jwt.encode(claims, key, algorithm="RS256", headers={"kid": kid})

    def rename(self, index: int, email: str) -> None:
        """The account gets another address; its `sub` stays, as at Google."""
        self.accounts[index] = replace(self.accounts[index], email=email)


def back(asked: dict[str, str], **answer: str) -> str:
    query = {"state": asked.get("state", ""), **answer}
    return f"{asked['redirect_uri']}{'&' if '?' in asked['redirect_uri'] else '?'}{urlencode(query)}"


def link(href: str, text: str) -> str:
    return f'<p><a href="{html.escape(href)}">{html.escape(text)}</a></p>'


@lru_cache(maxsize=1)
def own_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)


@lru_cache(maxsize=1)
def other_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)


@lru_cache(maxsize=1)
def certificate() -> str:
    """The stand-in's public key as Google publishes its own: a self-signed certificate, PEM."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "federated-signon.system.gserviceaccount.com")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(own_key().public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=14))
        .sign(own_key(), hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


def handler_of(google: GoogleStandin) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            google.requests.append(("GET", urlsplit(self.path).path))
            match urlsplit(self.path).path:
                case "/o/oauth2/v2/auth":
                    self.authorize()
                case "/oauth2/v1/certs":
                    if google.fault is Fault.CERTS_DOWN:
                        self.answer(503, b"The service is currently unavailable", "text/plain")
                    else:
                        self.answer_json(200, {KEY_ID: certificate()})
                case "/oauth2/v2/userinfo":
                    self.userinfo()
                case _:
                    self.answer_json(404, {"error": "not_found"})

        def do_POST(self) -> None:
            google.requests.append(("POST", urlsplit(self.path).path))
            length = int(self.headers.get("Content-Length") or 0)
            asked = {key: values[0] for key, values in parse_qs(self.rfile.read(length).decode()).items()}
            match urlsplit(self.path).path:
                case "/token":
                    self.token(asked)
                case "/revoke":
                    known = google.tokens.pop(asked.get("token", ""), None)
                    self.answer_json(200 if known else 400, {} if known else {"error": "invalid_token"})
                case _:
                    self.answer_json(404, {"error": "not_found"})

        def authorize(self) -> None:
            """The page on which a person chooses an account: every choice is a link."""
            asked = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
            if problem := google.refusal(asked):
                self.answer(400, html.escape(problem).encode(), "text/html; charset=utf-8")
                return
            choices = [link(google.consent(self.path, account=i), a.email) for i, a in enumerate(google.accounts)]
            denial = link(google.consent(self.path, account=None), "Cancel")
            page = f"<!doctype html><title>Google (stand-in)</title>{''.join(choices)}{denial}"
            self.answer(200, page.encode(), "text/html; charset=utf-8")

        def token(self, asked: dict[str, str]) -> None:
            match google.fault:
                case Fault.SERVER_ERROR:
                    self.answer_json(503, {"error": "internal_failure"})
                case Fault.HANG_UP:
                    self.close_connection = True
                    self.connection.close()
                case Fault.NOT_JSON:
                    self.answer(200, b"<html>ok</html>", "application/json")
                case Fault.NO_CONTENT_TYPE:
                    self.answer(200, b"access_token", "")
                case Fault.EMPTY_OBJECT:
                    self.answer_json(200, {})
                case Fault.JSON_LIST:
                    self.answer_json(200, ["access_token"])
                case _:
                    self.answer_json(*google.exchange(asked))

        def userinfo(self) -> None:
            account = google.tokens.get(self.headers.get("Authorization", "").removeprefix("Bearer "))
            if account is None:
                self.answer_json(401, {"error": {"code": 401, "status": "UNAUTHENTICATED"}})
                return
            claims = account.claims()
            self.answer_json(200, {**claims, "id": claims.pop("sub"), "verified_email": claims.pop("email_verified")})

        def answer_json(self, status: int, body: object) -> None:
            self.answer(status, json.dumps(body).encode(), "application/json; charset=utf-8")

        def answer(self, status: int, body: bytes, content_type: str) -> None:
            self.send_response(HTTPStatus(status))
            if content_type:
                self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet: `requests` says what was asked."""

    return Handler
