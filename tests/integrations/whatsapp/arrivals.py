"""A door over real sockets, numbers to post to, and bodies as Evolution sends them."""

import asyncio
import http.client
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import uvicorn

from integrations.whatsapp import auth
from integrations.whatsapp.numbers import Provider, add_number, webhook_path
from integrations.whatsapp.webhook import Door
from orgs.models import ChannelAddress, Org

SECRET = "a-secret-of-many-characters-0123456789"
INSTANCE = "t_7f3a_vendas"
PAYLOADS = Path(__file__).resolve().parents[2] / "payloads" / "whatsapp"
WAIT_SECONDS = 10.0


def make_number(
    slug: str = "acme", proof: auth.Proof = auth.Proof.HMAC, *, instance: str = "", secret: str = SECRET
) -> ChannelAddress:
    """A number of the org whose webhooks prove themselves by `proof`."""
    provider = Provider("http://127.0.0.1:9", "key", instance) if instance else None
    return add_number(Org.objects.get(slug=slug), "Sales", proof=proof, secret=secret, provider=provider)


def payload(name: str) -> dict[str, Any]:
    """The recorded body whose file name begins with `name`."""
    (path,) = PAYLOADS.glob(f"{name}*.json")
    body: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return body


def text(provider_id: str, words: str = "Oi", *, instance: str = INSTANCE) -> dict[str, Any]:
    """A lead's text message."""
    body = payload("01-upsert-text")
    body["instance"] = instance
    body["data"]["key"]["id"] = provider_id
    body["data"]["message"] = {"conversation": words}
    return body


def raw(body: Any) -> bytes:
    return json.dumps(body).encode()


def proof_of(address: ChannelAddress, body: bytes, *, secret: str | None = None) -> dict[str, str]:
    """The headers of an authentic sender."""
    secret = address.secret if secret is None else secret
    now = datetime.now(UTC)
    match auth.Proof(address.auth):
        case auth.Proof.HMAC:
            return auth.sign(secret, body, now=now)
        case auth.Proof.TOKEN:
            return {auth.TOKEN: secret}
        case auth.Proof.JWT:
            seconds = int(now.timestamp())
            claims = {"iat": seconds, "exp": seconds + 600, "app": "evolution", "action": "webhook"}
            return {"Authorization": f"Bearer {jwt.encode(claims, secret, algorithm='HS256')}"}


@contextmanager
def serve(door: Door) -> Iterator[int]:
    """The door behind a real server; gives the port, and closes the door at the end."""
    server = uvicorn.Server(
        uvicorn.Config(door, log_level="critical", lifespan="off", proxy_headers=False, timeout_graceful_shutdown=1)
    )
    listener = socket.create_server(("127.0.0.1", 0))

    async def run() -> None:
        await server.serve(sockets=[listener])
        await door.close()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(WAIT_SECONDS)


def post(
    port: int, path: str, body: bytes, headers: Mapping[str, str] | None = None, *, method: str = "POST"
) -> http.client.HTTPResponse:
    """One request on a connection of its own; the answer's body has been read."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_SECONDS)) as connection:
        connection.request(method, path, body, {"Content-Type": "application/json", **(headers or {})})
        answer = connection.getresponse()
        answer.read()
        return answer


def deliver(port: int, address: ChannelAddress, body: bytes) -> int:
    """Post an authentic body. Out: the status."""
    return post(port, webhook_path(address), body, proof_of(address, body)).status
